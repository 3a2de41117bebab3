package main

import (
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/silence"
	"pushback/detect/verdict"
)

// The table has a line for each rule and one for all, and names that somebody chose
// neither break a line nor reach the terminal as they are.
func TestStatsInWords(t *testing.T) {
	t.Parallel()
	const hostile = "a\nb\x1b[31m\u202e"
	seconds := verdict.Seconds(90 * 60)
	now := time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)
	out := statsOutput{
		Days: 30, Until: now, VerdictsRead: &now,
		Rules: []verdict.Stats{
			{RuleID: "1", RuleName: hostile, Alerts: 1200, PerDay: 40, TruePositive: 1, BenignPositive: 1199, Reasons: map[verdict.Class]map[string]int{"BenignPositive": {"SuspiciousButExpected": 7}}, MedianToClose: &seconds},
			{RuleID: "2", Alerts: 3, PerDay: 0.1, Unknown: 3, HeldBack: 2},
		},
		Proposals: []proposalOutput{{RuleName: hostile, LastAlert: "id", Silence: silence.Silence{
			ID: "benign-1", Rules: []string{"1"}, Match: []silence.Matcher{{Entity: "Account", Identifier: "FullName", Exactly: []string{hostile}}}, MaxSeverity: alert.Low, Until: now, Reason: "r", By: hostile,
		}}},
		total: verdict.Stats{Alerts: 1203, PerDay: 40.1},
	}
	var b strings.Builder
	if err := (&alertStats{stdout: &b}).words(out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for _, line := range lines {
		if text.Safe(line) != line {
			t.Errorf("%q is not safe", line)
		}
	}
	for i, want := range map[int]string{
		0: "30 days until 2026-03-17 12:00:00 UTC",
		1: "What analysts decided is known up to 2026-03-17 12:00:00 UTC.",
		3: `RULE                 ALERTS  A DAY  TRUE  FALSE  BENIGN  UNDETERMINED  OPEN  UNKNOWN    TO CLOSE`,
		4: `a b\x1b[31m\u202e      1200   40.0     1      0    1199             0     0        0  1 h 30 min`,
		5: `2                         3    0.1     0      0       0             0     0        3           -`,
		6: `all rules              1203   40.1     0      0       0             0     0        0           -`,
		8: `a b\x1b[31m\u202e: 7 SuspiciousButExpected as BenignPositive`,
		9: `2: 2 held back, which the table does not count`,
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("line %d is %q, want %q", i+1, lines[i], want)
		}
	}
	if read, problems := silence.Parse("silences.yaml", []byte(out.silences()), silence.Words{}); len(problems) > 0 || read[0].Match[0].Exactly[0] != hostile {
		t.Errorf("%v\n%s", problems, out.silences())
	}
	b.Reset()
	if err := (&alertStats{stdout: &b}).words(statsOutput{Days: 1}); err != nil || !strings.Contains(b.String(), "What analysts decided is not known: serve reads it once a day") || !strings.Contains(b.String(), "no alerts") {
		t.Errorf("of nothing: %s", b.String())
	}
}
