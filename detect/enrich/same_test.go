package enrich

import (
	"fmt"
	"slices"
	"testing"

	"pushback/detect/alert"
)

// assessed returns the alert about alice with its context.
func assessed(t *testing.T, address string, signIns ...record) alert.Alert {
	t.Helper()
	a := pushback()
	a.Entities[1].Fields[0].Value = address
	alerts := []alert.Alert{a}
	e := New(DefaultConfig(), localClient(t, tableOf(t, "SigninLogs", signIns...)))
	e.Enrich(t.Context(), alerts, testNow)
	return alerts[0]
}

func kindsOf(a alert.Alert) (kinds []alert.FindingKind) {
	for _, f := range a.Context.Findings {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

// What a client sends along does not decide what is one: prompts that carry the
// same CorrelationId are as many as they are, and a success is seen that
// carries one of before.
func TestClientDoesNotDecide(t *testing.T) {
	t.Parallel()
	with := func(id, correlation, session string) record {
		return record{"Id": id, "CorrelationId": correlation, "SessionId": session}
	}
	prompts := func(n int, at func(i int) string, more func(i int) record) (list []record) {
		for i := range n {
			list = append(list, rejected(at(i), more(i)))
		}
		return list
	}
	everyFive := func(i int) string { return fmt.Sprintf("09:%02d:00", 10+5*i) }
	within := func(i int) string { return fmt.Sprintf("09:59:%02d", 5*i) }
	for _, test := range []struct {
		name    string
		signIns []record            // beside the rejection at 10:00
		want    []alert.FindingKind // findings, but for repeated
	}{
		{"one CorrelationId for prompts within an hour", prompts(9, everyFive, func(i int) record { return with(fmt.Sprint(i), "c", "") }), []alert.FindingKind{alert.FoundBombing}},
		{"and one session", prompts(9, everyFive, func(i int) record { return with(fmt.Sprint(i), "c", "s") }), []alert.FindingKind{alert.FoundBombing}},
		{"within two minutes, but of a session each", prompts(9, within, func(i int) record { return with(fmt.Sprint(i), "c", fmt.Sprint(i)) }), []alert.FindingKind{alert.FoundBombing}},
		{"without a CorrelationId", prompts(9, within, func(i int) record { return with(fmt.Sprint(i), "", "s") }), []alert.FindingKind{alert.FoundBombing}},
		{"rows of one authentication", prompts(9, within, func(i int) record { return with(fmt.Sprint(i), "c", "s") }), nil},
		{"the same request again and again", prompts(9, everyFive, func(int) record { return with("1", "c", "s") }), nil},
		{"a chain of rows two minutes apart is no one authentication", prompts(9, func(i int) string { return fmt.Sprintf("09:%02d:%02d", 30+i*110/60, i*110%60) },
			func(i int) record { return with(fmt.Sprint(i), "c", "s") }), []alert.FindingKind{alert.FoundBombing}},
		{"requests logged again, with a session by then", slices.Concat(prompts(3, everyFive, func(i int) record { return with(fmt.Sprint(i), "c", "") }),
			prompts(3, everyFive, func(i int) record { return with(fmt.Sprint(i), "c", "s") })), nil},
		{"requests logged again, with a CorrelationId by then", slices.Concat(prompts(3, everyFive, func(i int) record { return with(fmt.Sprint(i), "", "s") }),
			prompts(3, everyFive, func(i int) record { return with(fmt.Sprint(i), "c", "s") })), nil},
		{"requests logged again, with the details by then", slices.Concat(prompts(3, everyFive, func(i int) record {
			return record{"Id": fmt.Sprint(i), "CorrelationId": "c", "SessionId": "s", "Status": map[string]any{}}
		}), prompts(3, func(i int) string { return fmt.Sprintf("09:%02d:01", 10+5*i) }, func(i int) record { return with(fmt.Sprint(i), "c", "s") })), nil},
		{"an authentication that is in progress and then refused", slices.Concat(prompts(3, everyFive, func(i int) record {
			return record{"Id": fmt.Sprint(i), "CorrelationId": fmt.Sprint(i), "SessionId": "s", "Status": map[string]any{"additionalDetails": "Authentication in progress"}}
		}), prompts(3, func(i int) string { return fmt.Sprintf("09:%02d:20", 10+5*i) }, func(i int) record { return with(fmt.Sprint("again", i), fmt.Sprint(i), "s") })), nil},
		{"a success with the CorrelationId of one before", []record{success("09:50:00", with("1", "c", "")), success("10:20:00", with("2", "c", ""))}, []alert.FindingKind{alert.FoundSuccessSameIP}},
		{"a success in the session of one before", []record{success("09:59:30", with("1", "c", "s")), success("10:00:30", with("2", "c", "s"))}, []alert.FindingKind{alert.FoundSuccessSameIP}},
		{"only a success before", []record{success("09:59:30", with("1", "c", "s"))}, []alert.FindingKind{alert.FoundSuccessSameIP}},
		{"a success long before", []record{success("08:59:30", with("1", "c", "s"))}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := assessed(t, badIP, append(slices.Clone(test.signIns), rejected("10:00:00", with("at ten", "another", "another")))...)
			got := slices.DeleteFunc(kindsOf(a), func(kind alert.FindingKind) bool { return kind == alert.FoundRepeated || kind == alert.FoundNewAddress })
			if !slices.Equal(got, test.want) {
				t.Errorf("findings %q, want %q: %v", got, test.want, a.Context.Findings)
			}
		})
	}
}

// An address is the same however the logs and the alert spell it.
func TestSpellingsInContext(t *testing.T) {
	t.Parallel()
	for _, spellings := range [][]string{
		{"203.0.113.9", "203.0.113.9:5000", "::ffff:203.0.113.9", "::FFFF:CB00:7109", "[203.0.113.9]:443", " 203.0.113.9"},
		{"2600:0:0:0:0:0:0:1", "2600::1", "2600:0::0001", "[2600::1]:443", "2600::1%eth0"},
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "2001:0db8:0000:0000:0001:0000:0000:0001"},
	} {
		canonical := alert.CanonicalAddress(spellings[0])
		for _, ofAlert := range spellings {
			for _, ofLog := range spellings {
				t.Run(ofAlert+" "+ofLog, func(t *testing.T) {
					t.Parallel()
					a := assessed(t, ofAlert,
						success("2026-03-10T09:00:00Z", record{"IPAddress": ofLog, "Id": "0"}),
						rejected("10:00:00", record{"IPAddress": ofLog, "Id": "1"}),
						success("10:05:00", record{"IPAddress": ofLog, "Id": "2"}),
						rejected("10:06:00", record{"IPAddress": ofLog, "Id": "3", "UserId": "bob", "UserPrincipalName": "bob@contoso.example"}))
					got := kindsOf(a)
					if !slices.Contains(got, alert.FoundSuccessSameIP) || slices.Contains(got, alert.FoundSuccessElsewhere) || !slices.Contains(got, alert.FoundSharedAddress) || slices.Contains(got, alert.FoundNewAddress) {
						t.Errorf("findings %v", a.Context.Findings)
					}
					for _, s := range a.Context.Sections {
						if s.Title == "Address" && s.Subject != canonical {
							t.Errorf("the address is %q, want %q", s.Subject, canonical)
						}
					}
				})
			}
		}
	}
}

// UEBA knows an address by any of its spellings.
func TestSpellingsInUEBA(t *testing.T) {
	t.Parallel()
	var records []record
	for i, spelling := range []string{"::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9:80", "203.0.113.99"} {
		records = append(records, record{"TimeGenerated": "10:30:00", "SourceIPAddress": spelling, "ActivityType": "LogOn", "InvestigationPriority": 1 + i})
	}
	alerts := []alert.Alert{pushback()}
	New(DefaultConfig(), localClient(t, tableOf(t, "SigninLogs", rejected("10:00:00", nil)), tableOf(t, "BehaviorAnalytics", records...))).Enrich(t.Context(), alerts, testNow)
	if score := alerts[0].Context.RiskScore; score == nil || *score != 1+2+3 {
		t.Errorf("the risk score is %v, want 6: the sum of one address's", score)
	}
}
