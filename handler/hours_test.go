package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// hourlyRule is a rule of the test's own over a query.
func hourlyRule(t *testing.T, query string) *rule.Rule {
	t.Helper()
	r, problems := rule.Parse("rule.yaml", []byte(`id: 7d5f4f6e-6a0e-4c2e-9a43-2f3a35a1f001
name: Hourly
description: A rule of the test.
severity: Low
kind: Scheduled
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: '`+query+`'
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// TestHours counts the records, rejections and alerts of logs for rules that read
// sign-ins as they read them, for those that leave most of them out, and for those
// that read none.
func TestHours(t *testing.T) {
	t.Parallel()
	signIns := strings.Join([]string{
		`{"TimeGenerated":"2026-03-17T09:05:00Z","ResultType":"0","UserPrincipalName":"a@contoso.example"}`,
		`{"TimeGenerated":"2026-03-17T09:59:59.9999999Z","ResultType":"500121","Status":{"additionalDetails":"MFA denied; user declined the authentication"}}`,
		`{"TimeGenerated":"2026-03-17T11:00:00Z","ResultType":"500121","Status":{"additionalDetails":"MFA denied; user did not respond to mobile app notification"}}`,
		`{"TimeGenerated":"2026-03-17T11:10:00Z","ResultType":"0","AuthenticationDetails":[{"authenticationStepResultDetail":"MFA denied; user declined the authentication"},{"authenticationStepResultDetail":"MFA completed in Azure AD"}]}`,
		`{"TimeGenerated":"2026-03-17T11:20:00Z","ResultType":"1003033"}`,
		`{"TimeGenerated":"2026-03-17T11:30:00Z","ResultType":"500121","Status":{"additionalDetails":"MFA denied; Phone App Reported Fraud"}}`,
	}, "\n")
	clients := `{"TimeGenerated":"2026-03-17T10:30:00Z","ResultType":"0"}` + "\n" + `{"TimeGenerated":"2026-03-17T10:31:00Z","ResultType":"500121","Status":"{\"additionalDetails\":\"MFA denied; user declined the authentication\"}"}`
	audits := `{"TimeGenerated":"2026-03-17T10:30:00Z","OperationName":"Update user"}`
	at := func(clock, records, rejections, alerts int) hour {
		return hour{time.Date(2026, 3, 17, clock, 0, 0, 0, time.UTC), records, rejections, alerts}
	}
	for _, test := range []struct {
		name, query string
		signIns     bool
		want        []hour
	}{
		{"all sign-ins", `SigninLogs | count`, true, []hour{at(9, 2, 1, 0), at(10, 0, 0, 1), at(11, 4, 3, 0)}},
		{"few of them", `SigninLogs | where ResultType == "1" | count`, true, []hour{at(9, 2, 1, 0), at(10, 0, 0, 1), at(11, 4, 3, 0)}},
		{"two tables", `union SigninLogs, AADNonInteractiveUserSignInLogs | where ResultType == "1" | count`, true, []hour{at(9, 2, 1, 0), at(10, 2, 1, 1), at(11, 4, 3, 0)}},
		{"sign-ins and others", `union SigninLogs, AuditLogs | count`, true, []hour{at(9, 2, 1, 0), at(10, 0, 0, 1), at(11, 4, 3, 0)}},
		{"no sign-ins", `AuditLogs | count`, false, []hour{at(10, 1, 0, 1)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := &offline{config: settings.Settings{}, perHour: true, read: func(ctx context.Context, opts logs.Options) (*logs.Logs, error) {
				r := logs.NewReader(opts)
				for name, text := range map[string]string{"SigninLogs.ndjson": signIns, "AADNonInteractiveUserSignInLogs.ndjson": clients, "AuditLogs.ndjson": audits} {
					if err := r.File(ctx, name, strings.NewReader(text)); err != nil {
						return nil, err
					}
				}
				return r.Finish()
			}}
			ready, err := o.prepare(t.Context(), []*rule.Rule{hourlyRule(t, test.query)}, new(lateRecords))
			if err != nil {
				t.Fatal(err)
			}
			h, err := o.hours(t.Context(), ready)
			if err != nil {
				t.Fatal(err)
			}
			for _, start := range []int{-100, 10, 100} { // two of them are of no hour of the run
				h.add(alert.Alert{Span: alert.Between(at(start, 0, 0, 0).Start.Add(time.Minute), at(start, 0, 0, 0).Start.Add(time.Hour))})
			}
			got, step := h.atMost(100)
			if diff := cmp.Diff(test.want, got); diff != "" || step != 1 {
				t.Errorf("steps of %d h (-want +got):\n%s", step, diff)
			}
			if h.signIns != test.signIns {
				t.Errorf("signIns = %t", h.signIns)
			}
		})
	}
}

// TestHourSteps puts hours together until there are few enough, whatever lies
// between the first and the last.
func TestHourSteps(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		first, last time.Time
		most        int
		steps       int
		length      int64
	}{
		{day, day.Add(24 * time.Hour), 24, 24, 1},
		{day, day.Add(24*time.Hour + alert.Resolution), 24, 13, 2},
		{day.Add(30 * time.Minute), day.Add(90 * time.Minute), 24, 2, 1},
		{day, day, 24, 1, 1},
		{day, day.AddDate(0, 0, 7), 60, 56, 3},
		{day, day.AddDate(0, 0, 7), 10, 7, 24},
		{day, day.AddDate(1, 0, 0), 100, 53, 7 * 24},
		{day, day.AddDate(1, 0, 0), 0, 1, 16 * 28 * 24},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), 100, 64, 0},
	} {
		h := newHours(test.first, test.last)
		for _, at := range []time.Time{test.first, test.first.Add(test.last.Sub(test.first) / 2), test.last.Add(-alert.Resolution)} {
			if c := h.at(at); c != nil {
				c.Records++
				c.Rejections++
				c.Alerts++
			}
		}
		want := hour{}
		for _, c := range h.counts {
			want.Records += c.Records
		}
		list, length := h.atMost(test.most)
		got := hour{}
		for _, s := range list {
			got.Records += s.Records
			if s.Records != s.Rejections || s.Records != s.Alerts {
				t.Errorf("%v: %+v", test.first, s)
			}
		}
		if len(list) > max(test.most, 1) || got.Records != want.Records || test.length != 0 && (len(list) != test.steps || length != test.length) {
			t.Errorf("%v – %v in %d: %d steps of %d h with %d records, want %d of %d h with %d", test.first, test.last, test.most, len(list), length, got.Records, test.steps, test.length, want.Records)
		}
	}
}
