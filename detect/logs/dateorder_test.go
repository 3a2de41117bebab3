package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

// signInsAt is a portal's CSV of sign-ins with those two times.
func signInsAt(times ...[2]string) string {
	var b strings.Builder
	b.WriteString("TimeGenerated [UTC],CreatedDateTime [UTC],UserId\n")
	for i, at := range times {
		fmt.Fprintf(&b, "%q,%q,u%d\n", at[0], at[1], i)
	}
	return b.String()
}

// The order of a column is one for the whole file, wherever its proof stands.
func TestDateOrder(t *testing.T) {
	t.Parallel()
	ambiguous := [2]string{"04/03/2026 20:26:12.030", "03/04/2026 20:26:12"}
	tests := []struct {
		name    string
		file    string
		text    string
		order   DateOrder
		columns map[string][]string
		wrong   string
	}{
		{"proofs later in the file", "SigninLogs.csv", signInsAt(ambiguous, [2]string{"16/03/2026 20:26:12.030", "03/16/2026 20:26:12"}), 0, map[string][]string{
			"TimeGenerated":   {"2026-03-04T20:26:12.03Z", "2026-03-16T20:26:12.03Z"},
			"CreatedDateTime": {"2026-03-04T20:26:12Z", "2026-03-16T20:26:12Z"},
		}, ""},
		{"proofs before", "SigninLogs.csv", signInsAt([2]string{"16/03/2026 20:26", "03/16/2026 20:26"}, ambiguous), 0, map[string][]string{
			"TimeGenerated":   {"2026-03-16T20:26:00Z", "2026-03-04T20:26:12.03Z"},
			"CreatedDateTime": {"2026-03-16T20:26:00Z", "2026-03-04T20:26:12Z"},
		}, ""},
		{"no proof", "SigninLogs.csv", signInsAt([2]string{"03/03/2026 20:26", "2026-03-03"}, ambiguous), 0, nil,
			`logs: SigninLogs.csv:3: TimeGenerated: "04/03/2026 20:26:12.030" may be day-first or month-first, and no other date of the column in this file tells which; ` +
				`say it with --date-order dmy (day first) or mdy (month first), or set the portal's regional format`},
		{"a proof in another column does not count", "SigninLogs.csv", signInsAt([2]string{"16/03/2026 20:26", "04/03/2026 20:26"}), 0, nil,
			`logs: SigninLogs.csv:2: CreatedDateTime: "04/03/2026 20:26" may be day-first or month-first`},
		{"day first by the option", "SigninLogs.csv", signInsAt([2]string{"04/03/2026 20:26", "04/03/2026 20:26"}), DayFirst, map[string][]string{
			"TimeGenerated": {"2026-03-04T20:26:00Z"}, "CreatedDateTime": {"2026-03-04T20:26:00Z"},
		}, ""},
		{"month first by the option", "SigninLogs.csv", signInsAt([2]string{"04/03/2026 20:26", "04/03/2026 20:26"}), MonthFirst, map[string][]string{
			"TimeGenerated": {"2026-04-03T20:26:00Z"}, "CreatedDateTime": {"2026-04-03T20:26:00Z"},
		}, ""},
		{"the option against a proof", "SigninLogs.csv", signInsAt([2]string{"04/03/2026 20:26", ""}, [2]string{"16/03/2026 20:26", ""}), MonthFirst, nil,
			`logs: SigninLogs.csv:3: TimeGenerated: "16/03/2026 20:26" is day-first, and --date-order is mdy; leave the option out, or read this file by itself`},
		{"the option against the other proof", "SigninLogs.csv", signInsAt([2]string{"2026-03-16", "03/16/2026"}), DayFirst, nil,
			`logs: SigninLogs.csv:2: CreatedDateTime: "03/16/2026" is month-first, and --date-order is dmy`},
		{"two orders", "SigninLogs.csv", signInsAt([2]string{"13/03/2026", ""}, [2]string{"05/03/2026", ""}, [2]string{"03/13/2026", ""}), 0, nil,
			`logs: SigninLogs.csv:4: TimeGenerated: "03/13/2026" is month-first, but "13/03/2026" in line 2 is not`},
		{"two orders after a date that needs one", "SigninLogs.csv", signInsAt([2]string{"05/03/2026", ""}, [2]string{"03/13/2026", ""}, [2]string{"13/03/2026", ""}), 0, nil,
			`logs: SigninLogs.csv:4: TimeGenerated: "13/03/2026" is day-first, but "03/13/2026" in line 3 is not`},
		{"two orders in spite of the option", "SigninLogs.csv", signInsAt([2]string{"2026-03-13", "13/03/2026"}, [2]string{"2026-03-13", "03/13/2026"}), DayFirst, nil,
			`CreatedDateTime: "03/13/2026" is month-first, but "13/03/2026" in line 2 is not`},
		{"the day is the month", "SigninLogs.csv", signInsAt([2]string{"03/03/2026 10:00", "12/12/2025 10:00"}), 0, map[string][]string{
			"TimeGenerated": {"2026-03-03T10:00:00Z"}, "CreatedDateTime": {"2025-12-12T10:00:00Z"},
		}, ""},
		{"headers in other letters", "SigninLogs.csv", "TimeGenerated [utc],CreatedDateTime [(UTC) Coordinated Universal Time]\n\"17.3.2026, 09:28:06,123\",\"3/17/2026, 9:28:06\u202fAM\"\n", 0, map[string][]string{
			"TimeGenerated": {"2026-03-17T09:28:06.123Z"}, "CreatedDateTime": {"2026-03-17T09:28:06Z"},
		}, ""},
		{"NDJSON", "SigninLogs.ndjson", `{"TimeGenerated":"04/03/2026 20:26"}` + "\n" + `{"TimeGenerated":"16\/03\/2026 20:26","CreatedDateTime":"03/31/2026"}`, 0, map[string][]string{
			"TimeGenerated": {"2026-03-04T20:26:00Z", "2026-03-16T20:26:00Z"}, "CreatedDateTime": {"", "2026-03-31T00:00:00Z"},
		}, ""},
		{"marks before a date", "SigninLogs.ndjson", `{"TimeGenerated":"04/03/2026 20:26"}` + "\n{\"TimeGenerated\":\"\u200e16/03/2026\u200e 20:26\"}\n", 0, map[string][]string{
			"TimeGenerated": {"2026-03-04T20:26:00Z", "2026-03-16T20:26:00Z"},
		}, ""},
		{"a table's order is not another's", "x.ndjson", `{"Type":"AuditLogs","TimeGenerated":"16/03/2026 20:26"}` + "\n" + `{"Type":"SigninLogs","TimeGenerated":"04/03/2026 20:26"}`, 0, nil,
			`logs: x.ndjson:2: TimeGenerated: "04/03/2026 20:26" may be day-first or month-first`},
		{"a JSON array", "SigninLogs.json", `[{"TimeGenerated":"04/03/2026 20:26"},` + "\n" + `{"TimeGenerated":"03/16/2026 20:26"}]`, 0, map[string][]string{
			"TimeGenerated": {"2026-04-03T20:26:00Z", "2026-03-16T20:26:00Z"},
		}, ""},
		{"the diagnostic export", "x.json", `{"time":"04/03/2026 20:26","category":"SignInLogs","properties":{"createdDateTime":"04/03/2026 20:26"}}` + "\n" +
			`{"time":"16/03/2026 20:26","category":"SignInLogs","properties":{"createdDateTime":"16/03/2026 20:26"}}`, 0, map[string][]string{
			"TimeGenerated": {"2026-03-04T20:26:00Z", "2026-03-16T20:26:00Z"}, "CreatedDateTime": {"2026-03-04T20:26:00Z", "2026-03-16T20:26:00Z"},
		}, ""},
		{"a column that the file declares", "My_CL.csv", "TimeGenerated [UTC],When_t [UTC]\n2026-03-04,04/03/2026\n2026-03-04,16/03/2026\n", 0, map[string][]string{
			"When_t": {"2026-03-04T00:00:00Z", "2026-03-16T00:00:00Z"},
		}, ""},
		{"a column that nothing declares", "My_CL.csv", "TimeGenerated,When\n2026-03-04,04/03/2026 10:00\n2026-03-04,16/03/2026 10:00\n", 0, map[string][]string{
			"When": {"2026-03-04T10:00:00Z", "2026-03-16T10:00:00Z"},
		}, ""},
		{"text beside columns that are declared", "My_CL.csv", "TimeGenerated [UTC],When\n2026-03-04,04/03/2026 10:00\n2026-03-04,16/03/2026 10:00\n", 0, map[string][]string{
			"When": {"04/03/2026 10:00", "16/03/2026 10:00"},
		}, ""},
		{"text that proves nothing", "My_CL.csv", "TimeGenerated,When\n2026-03-04,04/03/2026 10:00\n", 0, map[string][]string{"When": {"04/03/2026 10:00"}}, ""},
		{"text with the option", "My_CL.csv", "TimeGenerated,When\n2026-03-04,04/03/2026 10:00\n", DayFirst, map[string][]string{"When": {"2026-03-04T10:00:00Z"}}, ""},
		{"text that contradicts itself", "My_CL.csv", "TimeGenerated,When\n2026-03-04,13/03/2026 10:00\n2026-03-04,03/13/2026 10:00\n", 0, map[string][]string{
			"When": {"13/03/2026 10:00", "03/13/2026 10:00"},
		}, ""},
		{"text that is sometimes a time", "My_CL.csv", "TimeGenerated,When\n2026-03-04,13/03/2026 10:00\n2026-03-04,soon\n", 0, map[string][]string{
			"When": {"13/03/2026 10:00", "soon"},
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := read(Options{DateOrder: tt.order}, tt.file, tt.text)
			if tt.wrong != "" {
				var order *DateOrderError
				if !errors.As(err, &order) || !strings.Contains(err.Error(), tt.wrong) {
					t.Fatalf("got %v\nwant %s", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range tt.columns {
				_, got := columnOf(t, l.Tables[0], name)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if len(l.Report.Problems)+len(l.Report.Conversions) > 0 {
				t.Errorf("problems: %v %v", l.Report.Problems, l.Report.Conversions)
			}
		})
	}
}

// Dates that are none are counted at their place, and never another date.
func TestDatesThatAreNone(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{}, "SigninLogs.csv", signInsAt(
		[2]string{"17.3.2026 10:00", "31.02.2026"}, [2]string{"31.02.2026 10:00", ""}, [2]string{"17/03/2026 25:00", ""}, [2]string{"17/03/2026 24:00", ""}))
	var got []string
	for _, p := range l.Report.Problems {
		got = append(got, p.String())
	}
	for _, c := range l.Report.Conversions {
		got = append(got, c.First.String())
	}
	const expected = " is not a time; expected ISO 8601, such as 2026-03-17T09:58:03Z"
	if diff := cmp.Diff([]string{
		`SigninLogs.csv:3:1: TimeGenerated: "31.02.2026 10:00"` + expected,
		`SigninLogs.csv:4:1: TimeGenerated: "17/03/2026 25:00"` + expected,
		`SigninLogs.csv:5:1: TimeGenerated: "17/03/2026 24:00"` + expected,
		`SigninLogs.csv:2: CreatedDateTime: "31.02.2026" is not of type datetime`,
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Of two files that cannot be read, both are named; each has an order of its own.
func TestDateOrderOfFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	late := signInsAt(append(sameTimes(20_000, "04/03/2026 20:26"), [2]string{"16/03/2026 20:26", ""})...)
	if err := os.Mkdir(filepath.Join(dir, "SigninLogs"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("SigninLogs.csv", late)
	write("SigninLogs/b.csv.gz", zipped(t, strings.NewReplacer("16/03", "03/16").Replace(late)))
	var done, total int64
	l, err := Read(context.Background(), dir, Options{Progress: func(d, all int64) { done, total = d, all }})
	if err != nil {
		t.Fatal(err)
	}
	if done != total {
		t.Errorf("progress ends at %d of %d", done, total)
	}
	_, times := columnOf(t, l.Table("SigninLogs"), "TimeGenerated")
	got := make(map[string]int)
	for _, at := range times {
		got[at]++
	}
	if diff := cmp.Diff(map[string]int{"2026-03-04T20:26:00Z": 20_000, "2026-04-03T20:26:00Z": 20_000, "2026-03-16T20:26:00Z": 2}, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}

	write("SigninLogs/c.csv", signInsAt([2]string{"04/03/2026", ""}))
	write("SigninLogs/d.csv", signInsAt([2]string{"05/03/2026", ""}))
	_, err = Read(context.Background(), dir, Options{})
	for _, name := range []string{"c.csv:2: TimeGenerated", "d.csv:2: TimeGenerated"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error names no %s: %v", name, err)
		}
	}
}

func sameTimes(n int, at string) [][2]string {
	list := make([][2]string, n)
	for i := range list {
		list[i][0] = at
	}
	return list
}

// A stream cannot be read twice: what came before has to do.
func TestDateOrderOfStream(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		signInsAt([2]string{"16/03/2026", ""}, [2]string{"04/03/2026", ""}): true,
		signInsAt([2]string{"04/03/2026", ""}, [2]string{"16/03/2026", ""}): false,
	} {
		r := NewReader(Options{})
		err := r.File(context.Background(), "SigninLogs.csv", io.MultiReader(strings.NewReader(text)))
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Columns that no query reads need no order.
func TestDateOrderOfUnreadColumns(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{Columns: func(string) []string { return []string{"UserId"} }}, "SigninLogs.csv", signInsAt([2]string{"16/03/2026", "04/03/2026"}))
	if got := l.Report.Records; got != 1 {
		t.Errorf("%d records, want 1", got)
	}
}

func BenchmarkCSV(b *testing.B) {
	for _, bench := range []struct{ name, first, other string }{
		{"ISO 8601", "2026-03-04T20:26:12.030Z", "2026-03-16T20:26:12.030Z"},
		{"month first", "3/16/2026, 8:26:12.030 PM", "3/4/2026, 8:26:12.030 PM"},
		{"day first, the proof in the last record", "04/03/2026 20:26:12.030", "16/03/2026 20:26:12.030"},
	} {
		text := signInsAt(append(sameTimes(100_000, bench.first), [2]string{bench.other, ""})...)
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if l := mustRead(b, Options{}, "SigninLogs.csv", text); l.Table("SigninLogs").Schema()[0].Type == kql.Bool {
					b.Fatal("no table")
				}
			}
		})
	}
}
