package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/notify/text"
)

// drawn is what a query draws at a width, or why it does not.
func drawn(t *testing.T, query string) string {
	t.Helper()
	table, err := kql.Run(t.Context(), query, kql.NewDatabase(), kql.Options{Now: at(12, 0)})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var out strings.Builder
	if err := writeChart(&out, table); err != nil {
		return "not drawn: " + err.Error()
	}
	return out.String()
}

// Times beside a chart are as exact as they have to be.
func TestTimesBesideCharts(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		second time.Time
		want   string
	}{
		{day.AddDate(0, 0, 1), "2026-03-17"},
		{day.Add(90 * time.Minute), "2026-03-17 00:00"},
		{day.Add(time.Second), "2026-03-17 00:00:00"},
		{day.Add(100 * time.Nanosecond), "2026-03-17 00:00:00.0000000"},
	} {
		if got := day.Format(wholeLayout([]time.Time{day, tt.second})); got != tt.want {
			t.Errorf("beside %s: %s, want %s", tt.second, got, tt.want)
		}
	}
}

func TestCharts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ query, want string }{
		{`datatable(c:string,n:long)["US",5,"日本",10,"x",0] | render barchart`, `
US    █████████████████████████████████████████████  5
日本  ██████████████████████████████████████████████████████████████████████████████████████████  10
x       0
3 rows
`},
		{`datatable(s:string,k:string,n:real)["a","x",-1.5,"a","y",3] | render barchart with (title="A title")`, `
A title
a
  x  ████████████████████████████████████████████▌  -1.5
  y  █████████████████████████████████████████████████████████████████████████████████████████  3
2 rows
`},
		{`datatable(c:string,n:long,m:long)["US",5,1,"DE",15,2] | render piechart`, `
US   25.0%  █████████████████████  5
DE   75.0%  ███████████████████████████████████████████████████████████████  15
2 rows
`},
		{`datatable(t:datetime,n:long)[datetime(2026-03-17 03:00),4, datetime(2026-03-17 00:00),8, datetime(2026-03-17 01:00),1, datetime(null),9] | render timechart`, `
8 │██████
  │██████
  │██████
  │██████
  │██████            ██████
  │██████            ██████
  │██████            ██████
0 │████████████      ██████
  └────────────────────────
   00:00             03:00
4 rows
`},
		{`datatable(c:string,n:long)["one",1,"two",2] | render columnchart with (ycolumns=n)`, `
2 │                        ███████████████████████
  │                        ███████████████████████
  │                        ███████████████████████
  │                        ███████████████████████
  │███████████████████████ ███████████████████████
  │███████████████████████ ███████████████████████
  │███████████████████████ ███████████████████████
0 │███████████████████████ ███████████████████████
  └────────────────────────────────────────────────
   one                     two
2 rows
`},
		{`datatable(t:datetime,n:long)[datetime(2026-03-17 03:00),4, datetime(2026-03-17 00:00),8] | render piechart`, `
2026-03-17 00:00   66.7%  ███████████████████████████████████████████████▍  8
2026-03-17 03:00   33.3%  ███████████████████████▋  4
2 rows
`},
		{`print x = "a" | render timechart`, "not drawn: no column of theirs has times"},
		{`print t = now() | render timechart`, "not drawn: no column of theirs has numbers to draw"},
		{`print c = "a", n = real(null) | render barchart`, "not drawn: they have no number to draw"},
		{`print c = "a", n = real(+inf) | render piechart`, "not drawn: they have no number to draw"},
		{`print c = "a", n = 1 | where n > 1 | render columnchart`, "not drawn: there are none"},
		{`print c = "a", n = 1 | render treemap`, "not drawn: a terminal does not show such a chart"},
	} {
		if diff := cmp.Diff(strings.TrimPrefix(tc.want, "\n"), drawn(t, tc.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.query, diff)
		}
	}
}

// Whatever is drawn, it is no wider than the terminal, and nothing in it acts.
func TestChartsFit(t *testing.T) {
	t.Parallel()
	const hostile = `datatable(c:string,k:string,n:real)["a\u001b[2Jb","\u202ex",1, "\r\nrow","k",1e300, "` +
		`長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長長","` + `z\u0301\u0301",-1e-300, "","",real(null), "a\u001b[2Jb","\u202ex",real(nan)]`
	for _, source := range []string{
		hostile,
		"range n from -500 to 5000 step 1 | extend c = tostring(n)",
		"range n from 1 to 40 step 1 | extend c = 'one', k = tostring(n)",
		"range n from 1 to 40 step 1 | extend c = datetime(2020-01-01) + n * n * 1d | project c, n",
		"range n from 1 to 3 step 1 | extend c = datetime(2020-01-01), k = strrep('y', 300)",
		"print c = datetime(2020-01-01), n = 9223372036854775807",
		"range n from 1 to 2 step 1 | project n",
	} {
		for _, chart := range []string{"timechart", "barchart", "columnchart", "piechart", "linechart", "areachart"} {
			out := drawn(t, source+" | render "+chart+" with (title='a\x1b[2J"+strings.Repeat("w", 200)+"')")
			if strings.HasPrefix(out, "not drawn") && (chart != "timechart" || strings.Contains(source, "datetime")) {
				t.Errorf("%s as %s: %s", source, chart, out)
			}
			for line := range strings.Lines(out) {
				if w := text.Width(strings.TrimSuffix(line, "\n")); w > 100 {
					t.Errorf("%s as %s: %d columns: %s", source, chart, w, line)
				}
				for _, r := range strings.TrimSuffix(line, "\n") {
					if !text.Harmless(r) {
						t.Fatalf("%s as %s: %U in %q", source, chart, r, line)
					}
				}
			}
			if n := strings.Count(out, "\n"); chart != "barchart" && chart != "piechart" && n > 13*10 {
				t.Errorf("%s as %s: %d lines", source, chart, n)
			}
		}
	}
}

// What cannot be drawn, and every other form, has the rows and says why.
func TestQueryRenders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args           []string
		stdout, stderr string
	}{
		{[]string{`datatable(c:string,n:long)["US",5] | render barchart`}, "US  ███", ""},
		{[]string{"--output", "csv", `datatable(c:string,n:long)["US",5] | render barchart`}, "c,n\nUS,5\n", "render barchart: these are its rows, and the portal would draw them"},
		{[]string{`print c = "US" | render barchart`}, "c\n──\nUS\n", "render barchart: these are its rows, and no column of theirs has numbers to draw"},
		{[]string{`print c = "US" | render table`}, "c\n──\nUS\n", ""},
	} {
		r := handler(t, append([]string{"query"}, tc.args...)...)
		if r.code != exitDone || !strings.Contains(r.stdout, tc.stdout) || !strings.Contains(r.stderr, tc.stderr) || tc.stderr == "" && r.stderr != "" {
			t.Errorf("%s: code %d\n%s%s", tc.args, r.code, r.stdout, r.stderr)
		}
	}
}

// A value that is too long for the terminal is cut, and with --full it is not.
func TestQueryFull(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("w", 300)
	wide := "print " + strings.Repeat("x = '"+long+"', y = '"+long+"', ", 1) + strings.Repeat("z = 'short', ", 1) + "n = 1"
	var many []string
	for _, c := range "abcdefghijklmnopqrstuvw" {
		many = append(many, string(c)+"name = '"+long+"'")
	}
	for _, query := range []string{wide, "print " + strings.Join(many, ", ")} {
		cut := handler(t, "query", query).stdout
		for line := range strings.Lines(cut) {
			if w := text.Width(strings.TrimSuffix(line, "\n")); w > 100 {
				t.Errorf("%d columns: %s", w, line)
			}
		}
		if !strings.Contains(cut, "…") || strings.Contains(cut, long) {
			t.Errorf("nothing is cut: %s", cut)
		}
		if full := handler(t, "query", "--full", query).stdout; strings.Contains(full, "…") || strings.Count(full, long) != strings.Count(query, long) {
			t.Errorf("something is cut: %s", full)
		}
	}
}
