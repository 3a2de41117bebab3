package enrich

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

// TestOnlyWhether follows alerts up with queries that leave out what need not be told,
// and with whole ones: the news is the same.
func TestOnlyWhether(t *testing.T) {
	t.Parallel()
	withNews := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 11))
		pick := func(from ...any) any { return from[r.IntN(len(from))] }
		at := func() string {
			return moment("10:00:00").Add(time.Duration(r.IntN(60*60)-10*60) * time.Minute).Format(time.RFC3339)
		}
		more := func() record {
			return record{"IPAddress": pick(badIP, "198.51.100.1", "198.51.100.2", "::ffff:203.0.113.9"), "AutonomousSystemNumber": pick(1, 2, 65550), "Id": fmt.Sprint(r.IntN(1000)),
				"DeviceDetail": record{"deviceId": pick("laptop", "", "other")}, "Location": pick("NL", "BG"), "SessionId": pick("", "", "s1", "s2"), "CorrelationId": fmt.Sprint(r.IntN(40)),
				"AuthenticationDetails": pick("", []record{{"authenticationMethod": "Password", "succeeded": true}},
					[]record{{"authenticationMethod": "Mobile app notification", "authenticationStepResultDetail": "MFA denied; user declined the authentication", "succeeded": false}})}
		}
		records := []record{rejected("10:00:00", record{"SessionId": pick("", "s1"), "Id": "first"})}
		if r.IntN(2) == 0 {
			records = append(records, usually(record{"IPAddress": "198.51.100.1", "AutonomousSystemNumber": 1, "DeviceDetail": record{"deviceId": "laptop"}})...)
		}
		if r.IntN(4) == 0 {
			records = append(records, unanswered(at()))
		}
		for range r.IntN(r.IntN(12) + 1) {
			m := more()
			if r.IntN(4) == 0 {
				m["UserId"], m["UserPrincipalName"] = "other", "bob@contoso.example"
			}
			if r.IntN(5) == 0 {
				m["CreatedDateTime"] = at()
			}
			records = append(records, success(at(), m))
		}
		if r.IntN(3) == 0 {
			records = append(records, signIn(at(), "53003", "MFA completed in Azure AD", more()))
		}
		var sessions []record
		for range r.IntN(3) {
			sessions = append(sessions, success(at(), more()))
		}
		earlier := pushback()
		earlier.Created = moment("10:05:00")
		if r.IntN(2) == 0 {
			earlier.Context = &alert.Context{RuleSeverity: alert.Medium, Usual: []alert.Usual{{Account: aliceID, Addresses: []string{"198.51.100.1"}, Networks: []string{"1"}, Devices: []string{"laptop"}}}}
		}
		client := clientOf(t, allTables(t, tableOf(t, "SigninLogs", records...), tableOf(t, nonInteractive, plain(sessions)...))...)
		var got [2][]alert.Alert
		for i, whole := range []bool{false, true} {
			e := New(DefaultConfig(), client)
			e.whole = whole
			var warnings []string
			if got[i], warnings = e.Aftermath(t.Context(), []alert.Alert{earlier}, moment("2026-03-18T10:05:00Z")); len(warnings) > 0 {
				t.Fatalf("seed %d: %q", seed, warnings)
			}
		}
		withNews += len(got[1])
		if diff := cmp.Diff(got[1], got[0]); diff != "" {
			t.Errorf("seed %d (-whole +only whether):\n%s", seed, diff)
		}
	}
	if withNews < 15 || withNews > 55 {
		t.Errorf("there is news of %d of 60: the test tests little", withNews)
	}
}

// plain has what is an object in the one table of sign-ins as text, as the other has it.
func plain(records []record) []record {
	for _, r := range records {
		for name, v := range r {
			switch v.(type) {
			case record, []record:
				text, err := json.Marshal(v)
				if err != nil {
					panic(err)
				}
				r[name] = string(text)
			}
		}
	}
	return records
}

// sized notes how many rows the answers have.
type sized struct {
	Querier
	rows []int
}

func (s *sized) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	table, err := s.Querier.Query(ctx, q)
	if err == nil {
		s.rows = append(s.rows, len(table.Rows))
	}
	return table, err
}

// TestOnlyWhetherIsShort follows up an account that signs in all the time: the answer does not
// grow with it.
func TestOnlyWhetherIsShort(t *testing.T) {
	t.Parallel()
	records := []record{rejected("10:00:00", nil)}
	for i := range 5000 {
		records = append(records, success(moment("10:00:00").Add(time.Duration(i)*time.Second).Format(time.RFC3339), record{"IPAddress": fmt.Sprintf("198.51.100.%d", i%3), "Id": fmt.Sprint(i), "CorrelationId": fmt.Sprint(i)}))
	}
	asked := &sized{Querier: clientOf(t, allTables(t, tableOf(t, "SigninLogs", records...))...)}
	earlier := pushback()
	earlier.Context = &alert.Context{RuleSeverity: alert.Medium, Usual: []alert.Usual{{Account: aliceID, Addresses: []string{"198.51.100.0", "198.51.100.1", "198.51.100.2"}, Networks: []string{"65550"}}}}
	if updates, warnings := New(DefaultConfig(), asked).Aftermath(t.Context(), []alert.Alert{earlier}, moment("12:05:00")); len(warnings) > 0 {
		t.Errorf("%q, %d updates", warnings, len(updates))
	}
	if asked.rows[0] > 10 {
		t.Errorf("%d rows for 5000 sign-ins from 3 addresses", asked.rows[0])
	}
}
