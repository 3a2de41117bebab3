package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

// laneQueries are what the rows are read for. Between them they keep columns of
// every type, and have filters of every kind.
var laneQueries = []string{
	"", // everything
	`SigninLogs | where ResultType == "500121" and Status.additionalDetails has "fraud" | project UserId, IPAddress, IsInteractive, DurationMs`,
	`SigninLogs | where UserAgent has "kim" or AppDisplayName =~ "Office 365" | project CreatedDateTime, LocationDetails, MfaDetail`,
	`SigninLogs | where ResultType in ("50126", "500121") and isnotempty(UserId) | project AuthenticationDetails, Type`,
	`SigninLogs | where UserPrincipalName startswith "ana" or AlternateSignInName contains "ſam" | count`,
	`SigninLogs | where ResultType !in ("0", "50140") and Status has_any ("declined", "fraud") | project UserDisplayName`,
	`SigninLogs | where not(ResultType == "0") and parse_json(AuthenticationDetails)[0].method has "fido" | count`,
	`SigninLogs | where isempty(UserId) or tostring(DeviceDetail.trustType) == "" | count`,
	`SigninLogs | where Status.errorCode == 500121 or ResultType endswith "6" or Location in~ ("pt", "de") | count`,
}

// laneLines are what a lane is learned of.
var laneLines = []string{
	`{"TimeGenerated":"2026-03-17T10:00:00.1234567Z","_TimeReceived":"2026-03-17T10:02:00Z","Type":"SigninLogs","ResultType":"0","UserId":"u1","UserPrincipalName":"ana@contoso.example","UserAgent":"Mozilla/5.0 (Kim)","AppDisplayName":"Office 365","IsInteractive":true,"DurationMs":12,"CreatedDateTime":"2026-03-17T09:59:59Z","Status":{"errorCode":0,"additionalDetails":"MFA completed"},"LocationDetails":{"city":"Lisboa","geo":[1,-2.5e3]},"Location":"PT"}`,
	`{"TimeGenerated":"2026-03-17T10:00:01Z","Type":"SigninLogs","ResultType":"500121","UserId":"u2","IPAddress":"192.0.2.1","Status":{"errorCode":500121,"additionalDetails":"MFA denied; Phone App Reported Fraud"},"MfaDetail":null,"Unknown":"x","AuthenticationDetails":"[{\"method\":\"FIDO2\"}]"}`,
	`{"TimeGenerated":"2026-03-17T10:00:02Z","Type":"SigninLogs","ResultType":50126,"DeviceDetail":{"trustType":""},"UserDisplayName":"Ana \"A\" \u00e9","Status":{"errorCode":50126}}`,
}

// laneNeeds says what a query needs of the logs.
func laneNeeds(query string) (columns func(string) []string, rows func(string) *kql.RowFilter) {
	if query == "" {
		return nil, nil
	}
	n := laneNeeded()[query]
	return func(table string) []string { return append([]string{}, n.reads[table]...) },
		func(table string) *kql.RowFilter { return n.filters[table] }
}

type laneNeed struct {
	reads   map[string][]string
	filters map[string]*kql.RowFilter
}

var laneNeeded = sync.OnceValue(func() map[string]laneNeed {
	needed := make(map[string]laneNeed)
	for _, query := range laneQueries {
		if query == "" {
			continue
		}
		s, err := kql.Check(query, kql.KnownTables())
		if err != nil {
			panic(err)
		}
		needed[query] = laneNeed{s.Reads, kql.Catalog{Tables: kql.KnownTables()}.RowFilters(query)}
	}
	return needed
})

// laneOutcome reads lines that a lane is learned of, and then others.
func laneOutcome(t testing.TB, alone bool, query, typed string, data []byte) (outcome, []string) {
	t.Helper()
	var received []string
	opts := Options{MaxLine: 1 << 12, MaxRows: 1 << 20, Received: func(table string, generated, received_ time.Time) {
		received = append(received, fmt.Sprint(table, generated, received_))
	}}
	opts.Columns, opts.Rows = laneNeeds(query)
	r := NewReader(opts)
	r.alone = alone
	learned := strings.Join(laneLines, "\n") + "\n"
	if typed == "" { // the lane is of the file alone, and begins after its first lines
		learned = strings.ReplaceAll(learned, `"Type":"SigninLogs",`, "")
		data = append([]byte(strings.Repeat(learned, firstBlock/len(learned)+1)), data...)
	} else if err := r.File(context.Background(), "SigninLogs.ndjson", strings.NewReader(learned)); err != nil {
		t.Fatal(err)
	}
	if err := r.File(context.Background(), "a/SigninLogs.ndjson", bytes.NewReader(data)); err != nil {
		var unusable *FileError
		var order *DateOrderError
		if !errors.As(err, &unusable) && !errors.As(err, &order) {
			t.Fatalf("unexpected: %v", err)
		}
		return outcome{Error: err.Error()}, nil
	}
	l, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{Report: l.Report, Rows: rows(l)}
	if query != "" { // what a filter keeps of the rows that do not pass is its own affair
		o.Rows = nil
		for _, table := range l.Tables {
			if table.Name() != "SigninLogs" {
				continue
			}
			answer, err := kql.Run(context.Background(), query, kql.NewDatabase(table), kql.Options{Now: time.Date(2026, 3, 18, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				o.Rows = []string{err.Error()}
				continue
			}
			for row := range answer.Rows() {
				var cells []string
				for i := range answer.Schema() {
					cells = append(cells, answer.Value(row, i).String())
				}
				o.Rows = append(o.Rows, strings.Join(cells, "|"))
			}
			o.Rows = append(o.Rows, fmt.Sprint(table.RowsPerHour()))
		}
	}
	return o, received
}

// laneOddities are lines that a lane must read as they are read without one.
var laneOddities = []string{
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","ResultType":"50\u0030121","Status":{"additionalDetails":"fr\u0061ud"}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","ResultType":500121,"Status":{"additionalDetails":"FRAUD"}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","ResultType":5.00121e5}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","ResultType":"500121.0"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","UserAgent":"x \u212Aim y"}`,
	"{\"TimeGenerated\":\"2026-03-17T11:00:00Z\",\"Type\":\"SigninLogs\",\"UserAgent\":\"x \u212aIM y\",\"AlternateSignInName\":\"SAM\"}",
	"{\"TimeGenerated\":\"2026-03-17T11:00:00Z\",\"Type\":\"SigninLogs\",\"UserAgent\":\"x\xff\"}",
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","Status":"{\"errorCode\":500121,\"additionalDetails\":\"fraud\"}","ResultType":"500121"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","ResultType":"0","ResultType":"500121","Status":{"additionalDetails":"fraud"}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","resultType":"500121","Status":{"additionalDetails":"fraud"}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","TimeGenerated":"2026-03-17T12:00:00Z"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00+01:00","Type":"SigninLogs"}`,
	`{"TimeGenerated":"3/17/2026, 9:58:03.123 AM","Type":"SigninLogs"}`,
	`{"TimeGenerated":"1900-03-17T11:00:00Z","Type":"SigninLogs"}`,
	`{"TimeGenerated":"2026-02-30T11:00:00Z","Type":"SigninLogs"}`,
	`{"TimeGenerated":1773738133123,"Type":"SigninLogs"}`,
	`{"TimeGenerated":null,"Type":"SigninLogs"}`,
	`{"Type":"SigninLogs","UserId":"u"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"AuditLogs","OperationName":"x"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"signinlogs","UserId":"u"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":null,"UserId":"u"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","UserId":"u"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","category":"AuditLogs","UserId":"u"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","UserId":"u"`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","UserId":"u"}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","UserId":"u",}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","UserId":NaN}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","DurationMs":01}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","DurationMs":"12","IsInteractive":"true"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","DurationMs":99999999999999999999,"IsInteractive":1}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","Unknown":"bad \x escape"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","Unknown":"\ud83d\ude00 \ud83d"}`,
	"{\"TimeGenerated\":\"2026-03-17T11:00:00Z\",\"Type\":\"SigninLogs\",\"Unknown\":\"a\tb\"}",
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","Status":{"a":"\/Date(1710000000000)\/"}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","Status":{"ErrorCode":1},"DeviceDetail":"@{x=1}"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","properties":{"userId":"x"}}`,
	` { "TimeGenerated" : "2026-03-17T11:00:00Z" , "Type" : "SigninLogs" , "Status" : { "errorCode" : 500121 , "x" : [ ] } , "UserId" : { "a" : 1 } } `,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","UserDisplayName":"Zo\u00eb","UserId":"","Status":{}}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","TableName":"PrimaryResult","UserId":"None"}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","_TimeReceived":"0001-01-01T00:00:00Z","Type":"SigninLogs","CreatedDateTime":"04/03/2026"}`,
	`[{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs"},{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs"}]`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs"} {"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs"}`,
	`<13>host: {"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs"}`,
	`{"time":"2026-03-17T11:00:00Z","category":"SignInLogs","resourceId":"/tenants/t/providers/p","properties":{"userId":"u","status":{"errorCode":500121}}}`,
	`{}`, `{"a":1}`, ``, `   `, `"x"`, `null`, `{"TimeGenerated"`, `{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
	`{"TimeGenerated":"2026-03-17T11:00:00Z","Type":"SigninLogs","x":"` + strings.Repeat("y", 5000) + `"}`,
}

// Lines on a lane are read as they are without one: the rows, the report and what
// is said of when records were received are the same.
func checkLane(t testing.TB, query string, data []byte, ways ...string) {
	t.Helper()
	for _, typed := range ways {
		text := data
		if typed == "" {
			text = bytes.ReplaceAll(data, []byte(`"Type":"SigninLogs",`), nil)
		}
		want, wantReceived := laneOutcome(t, true, query, typed, text)
		got, gotReceived := laneOutcome(t, false, query, typed, text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, for %q (-alone +on a lane):\n%.3000s", typed, query, diff)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(wantReceived)), slices.Sorted(slices.Values(gotReceived))); diff != "" {
			t.Errorf("%s, for %q: received (-alone +on a lane):\n%.3000s", typed, query, diff)
		}
	}
}

func TestLane(t *testing.T) {
	t.Parallel()
	for i, query := range laneQueries {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			all := strings.Join(append(append([]string{}, laneLines...), laneOddities...), "\n")
			checkLane(t, query, []byte(all+"\n"+laneLines[1]), "typed", "")
			if i > 1 {
				return // the rest is as above
			}
			for _, line := range laneOddities {
				checkLane(t, query, []byte(laneLines[0]+"\n"+line+"\r\n"+laneLines[1]+"\n"), "typed")
			}
		})
	}
}

func FuzzLane(f *testing.F) {
	for i, line := range append(append([]string{}, laneLines...), laneOddities...) {
		f.Add(uint8(i), []byte(line+"\n"+laneLines[1]))
	}
	f.Fuzz(func(t *testing.T, query uint8, data []byte) {
		if len(data) < 1<<14 {
			checkLane(t, laneQueries[int(query)%len(laneQueries)], data, []string{"typed", "typed", "typed", ""}[query>>6])
		}
	})
}
