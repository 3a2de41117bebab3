package rule

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTriggerMet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		trigger Trigger
		want    []bool // for 0 to 3 rows
		words   string
	}{
		{Trigger{}, []bool{false, true, true, true}, "more than 0 rows"},
		{Trigger{GreaterThan, 1}, []bool{false, false, true, true}, "more than 1 row"},
		{Trigger{LessThan, 2}, []bool{true, true, false, false}, "fewer than 2 rows"},
		{Trigger{Equal, 0}, []bool{true, false, false, false}, "exactly 0 rows"},
		{Trigger{NotEqual, 2}, []bool{true, true, false, true}, "other than 2 rows"},
	}
	for _, test := range tests {
		t.Run(test.words, func(t *testing.T) {
			t.Parallel()
			for rows, want := range test.want {
				if got := test.trigger.Met(rows); got != want {
					t.Errorf("Met(%d) = %v", rows, got)
				}
			}
			if got := test.trigger.String(); got != test.words {
				t.Errorf("String() = %q", got)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	got := []string{NRT.String(), NotEqual.String(), AlertPerResult.String(), Selected.String(), Kind(9).String()}
	want := []string{"NRT", "NotEqual", "AlertPerResult", "Selected", "Kind(9)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestIdentityColumns(t *testing.T) {
	t.Parallel()
	r := Rule{EntityMappings: []EntityMapping{
		{"Account", []FieldMapping{{"Name", "User"}, {"FullName", "User"}, {"AadUserId", "Id"}}},
		{"IP", []FieldMapping{{"Address", "Ip"}}},
	}}
	if diff := cmp.Diff([]string{"User", "Id", "Ip"}, r.IdentityColumns()); diff != "" {
		t.Errorf("from entities (-want +got):\n%s", diff)
	}
	r.Identity = []string{"Ip"}
	if diff := cmp.Diff([]string{"Ip"}, r.IdentityColumns()); diff != "" {
		t.Errorf("from identity (-want +got):\n%s", diff)
	}
}

func TestProblemString(t *testing.T) {
	t.Parallel()
	tests := map[string]Problem{
		"a.yaml:3:7: wrong":          {File: "a.yaml", Line: 3, Column: 7, Message: "wrong"},
		"a.yaml:3:7: warning: wrong": {File: "a.yaml", Line: 3, Column: 7, Message: "wrong", Warning: true},
		"a.yaml:3: wrong":            {File: "a.yaml", Line: 3, Message: "wrong"},
		"a.yaml: wrong":              {File: "a.yaml", Message: "wrong"},
		"wrong":                      {Message: "wrong"},
	}
	for want, p := range tests {
		if got := p.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAddressColumns(t *testing.T) {
	t.Parallel()
	mapping := func(entityType string, fields ...string) EntityMapping {
		m := EntityMapping{EntityType: entityType}
		for i := 0; i < len(fields); i += 2 {
			m.FieldMappings = append(m.FieldMappings, FieldMapping{Identifier: fields[i], Column: fields[i+1]})
		}
		return m
	}
	r := &Rule{EntityMappings: []EntityMapping{
		mapping("Account", "Name", "User", "Address", "NoAddress"),
		mapping("IP", "Address", "IPAddress"),
		mapping("MailMessage", "Sender", "From", "SenderIP", "MailFrom"),
		mapping("SubmissionMail", "SenderIp", "Relay", "SenderIP", "Other"),
		mapping("IP", "Address", "IPAddress"),
	}}
	if diff := cmp.Diff([]string{"IPAddress", "MailFrom", "Relay"}, r.AddressColumns()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Sentinel's names, which differ in case.
	for _, e := range entityTypes {
		for _, identifier := range e.identifiers {
			if got, want := IsAddress(e.name, identifier), e.name+" "+identifier; got != slices.Contains([]string{"IP Address", "MailMessage SenderIP", "SubmissionMail SenderIp"}, want) {
				t.Errorf("%s: %t", want, got)
			}
		}
	}
}
