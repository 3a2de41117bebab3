package main

import (
	"strings"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// A rule has looks if its query's beginnings are known, over records that have a
// time.
func TestLooksOf(t *testing.T) {
	t.Parallel()
	catalog := kql.Catalog{Tables: map[string]kql.Schema{
		"Events":  {{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "User", Type: kql.String}},
		"Members": {{Name: "User", Type: kql.String}},
	}}
	for query, want := range map[string]string{
		`Events | where User == "x" | count`:                       "",
		`print User = "x"`:                                         "",
		`Events | where User in (Members | project User)`:          "the records of Members have no TimeGenerated",
		`union isfuzzy=true Events, Nowhere_CL | where User != ""`: "Nowhere_CL",
		`Events | reduce by User`:                                  "reduce",
		`Events | search "x"`:                                      "",
		`search "x"`:                                               "known only in the workspace",
	} {
		r := &rule.Rule{ID: "a", Query: rule.Query{Text: query}}
		l := looksOf([]*rule.Rule{r}, catalog)
		_, looks := l.beginnings["a"]
		why := l.without["a"]
		if looks != (want == "") || looks == (why != nil) || why != nil && !strings.Contains(why.Error(), want) {
			t.Errorf("%s: %v, %v", query, l.beginnings, why)
		}
	}
}

// What was reported must be remembered as long as a look can find it again. A look
// that is not set goes no further.
func TestLateLookAndRetention(t *testing.T) {
	rules := []*rule.Rule{{ID: "a", QueryPeriod: 24 * time.Hour}}
	for _, tt := range []struct {
		seen, look string
		want       time.Duration
		refused    bool
	}{
		{want: 72 * time.Hour},
		{seen: "100h", want: 52 * time.Hour},
		{seen: "50h", want: 2 * time.Hour},
		{seen: "49h", want: 2 * time.Hour, refused: true},
		{seen: "120h", look: "72h", want: 72 * time.Hour},
		{seen: "119h", look: "72h", want: 72 * time.Hour, refused: true},
		{look: "0s", seen: "50h"},
	} {
		for key, value := range map[string]string{"PUSHBACK_SEEN_RETENTION": tt.seen, "PUSHBACK_LATE_LOOK": tt.look} {
			t.Setenv(key, value)
		}
		s, err := settings.Read()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := lateLook(s, rules), checkRetention(s, rules); got != tt.want || (err != nil) != tt.refused {
			t.Errorf("%+v: %s, %v", tt, got, err)
		}
	}
}
