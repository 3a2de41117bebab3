package main

import (
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/notify/text"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"SigninLogs.ndjson": workspaceRecord + "\n",
		"q.kql":             "SigninLogs\n| project UserPrincipalName",
	})
	file := filepath.Join(dir, "q.kql")
	const wide = `range x from 1 to 2 step 1 | extend s = strcat("row ", x), d = dynamic({"a":[1,2.5,null]}), t = datetime(2026-03-17), r = real(nan)`
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"a table", []string{"datatable(Name:string, n:long)[\"Ana\", 1, \"陳怡君\", 20]"}, `Name    n
──────  ──
Ana     1
陳怡君  20
2 rows
`},
		{"an empty table", []string{"print x = 1 | where x == 2"}, "x\n─\n0 rows\n"},
		{"CSV", []string{"--output", "csv", wide}, `x,s,d,t,r
1,row 1,"{""a"":[1,2.5,null]}",2026-03-17T00:00:00.0000000Z,NaN
2,row 2,"{""a"":[1,2.5,null]}",2026-03-17T00:00:00.0000000Z,NaN
`},
		{"NDJSON", []string{"--output", "ndjson", wide}, `{"x":1,"s":"row 1","d":{"a":[1,2.5,null]},"t":"2026-03-17T00:00:00.0000000Z","r":"NaN"}
{"x":2,"s":"row 2","d":{"a":[1,2.5,null]},"t":"2026-03-17T00:00:00.0000000Z","r":"NaN"}
`},
		{"JSON", []string{"--output", "json", "print x = 9007199254740993, y = long(null)"}, "[\n  {\"x\":9007199254740993,\"y\":null}\n]\n"},
		{"JSON of no rows", []string{"--output", "json", "print x = 1 | where x == 2"}, "[\n]\n"},
		{"over logs", []string{"--logs", dir, "--output", "csv", "SigninLogs | project IPAddress, Status.additionalDetails"},
			"IPAddress,Status_additionalDetails\n203.0.113.7,MFA denied; user declined the authentication\n"},
		{"before the logs", []string{"--logs", dir, "--output", "csv", "--to", "2026-03-17", "SigninLogs | count"}, "Count\n0\n"},
		{"of their day", []string{"--logs", dir, "--output", "csv", "--from", "2026-03-17", "--to", "2026-03-18", "SigninLogs | count"}, "Count\n1\n"},
		{"a file", []string{"--logs", dir, "--output", "csv", "--file", file}, "UserPrincipalName\nAna@fabrikam.example\n"},
		{"standard input", []string{"--output", "csv", "-"}, "from_stdin\n1\n"},
		{"the plan", []string{"--explain", "--logs", dir, "SigninLogs | where IPAddress has '203' | summarize count() by UserId"}, planOfTest},
		{"hostile text", []string{"--output", "ndjson", `print x = "\u202e\u009b2J"`}, `{"x":"\u202e\u009b2J"}` + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := handler(t, append([]string{"query"}, tc.args...)...)
			if r.code != exitDone || strings.Contains(r.stderr, "handler:") {
				t.Fatalf("code %d: %s", r.code, r.stderr)
			}
			if diff := cmp.Diff(tc.want, r.stdout); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// planOfTest names the columns that are read and no others.
const planOfTest = `project ..., count_ = $1
  -> UserId:string, count_:long
  summarize $1 = count() by UserId
    -> UserId:string, $1:long
    where IPAddress has "203"
      -> UserId:string
      scan SigninLogs
        -> IPAddress:string, UserId:string
        kept while logs are read: IPAddress has "203"
        looked for before a record is decoded: IPAddress for "203" in any case
`

func TestQueryErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(folder(t, map[string]string{"q.kql": "print x = 1\n|\twhere 'é' == y"}), "q.kql")
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no query", nil, exitUsage, "query needs a query"},
		{"two", []string{"print 1", "print 2"}, exitUsage, "put it in quotes"},
		{"twice", []string{"--file", file, "print 1"}, exitUsage, "given twice"},
		{"another output", []string{"--output", "xml", "print 1"}, exitUsage, "expected table, csv, csv-safe, json or ndjson"},
		{"no such file", []string{"--file", "nowhere.kql"}, exitUsage, "nowhere.kql"},
		{"a mistake", []string{"print x = 1 | wher x == 1"}, exitFailed, "1:15: unknown operator 'wher'; did you mean 'where'?\n    print x = 1 | wher x == 1\n                  ^"},
		{"a mistake in a file", []string{"--file", file}, exitFailed, "q.kql:2:16: Failed to resolve column or scalar expression named 'y'; did you mean 'x'?\n    | where 'é' == y\n                   ^"},
		{"a table without logs", []string{"SigninLogs"}, exitFailed, "named 'SigninLogs'"},
		{"a limit", []string{"range x from 1 to 100000000 step 1 | sort by x asc"}, exitFailed, "rows"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := handler(t, append([]string{"query"}, tc.args...)...)
			if r.code != tc.code || !strings.Contains(r.stderr, tc.want) {
				t.Errorf("code %d: %s", r.code, r.stderr)
			}
			if r.stdout != "" {
				t.Errorf("output beside an error: %s", r.stdout)
			}
		})
	}
}

// TestFit narrows columns until they fit, or says that they do not.
func TestFit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		widths []int
		width  int
		want   []int // nil: they do not fit
	}{
		{[]int{3, 4}, 80, []int{3, 4}},
		{[]int{50, 5}, 40, []int{33, 5}},
		{[]int{50, 50}, 40, []int{19, 19}},
		{[]int{20, 20, 20, 20, 20}, 40, nil},
		{nil, 40, []int{}},
	} {
		got := append([]int{}, tc.widths...)
		if ok := fit(got, tc.width); ok != (tc.want != nil) || ok && !cmp.Equal(tc.want, got) {
			t.Errorf("fit(%v, %d) = %v, %v, want %v", tc.widths, tc.width, got, ok, tc.want)
		}
	}
}

// TestWideTableIsListed shows each row as a list where the columns do not fit.
func TestWideTableIsListed(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	out := handler(t, "query", "--logs", dir, "SigninLogs").stdout
	if !strings.HasPrefix(out, "row 1\n") || !strings.Contains(out, "  IPAddress ") || !strings.HasSuffix(out, "\n1 row\n") {
		t.Error(out)
	}
	for line := range strings.Lines(handler(t, "query", "--logs", dir, "SigninLogs | project TimeGenerated, UserPrincipalName, UserId, AADTenantId, Status").stdout) {
		if w := text.Width(strings.TrimSuffix(line, "\n")); w > 100 {
			t.Errorf("the line takes %d columns: %s", w, line)
		}
	}
}

// TestCSVIsHarmless writes cells that a terminal would obey and cells that a
// spreadsheet would run.
func TestCSVIsHarmless(t *testing.T) {
	t.Parallel()
	const query = "datatable(['=h\\x1b[2J']: string) ['=1+1', '+1', '-1', '@x', '\\tx', '\\rx', ' =1', 'a=1', '', '\\x1b]52;c;cm0=\\x07', '\\u009b2J', '\\u202e', 'a,\"b\"\\nc']"
	result, err := kql.Run(t.Context(), query, kql.NewDatabase(), kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		terminal, apostrophes bool
		want                  string
	}{
		{false, false, "=h\x1b[2J\n=1+1\n+1\n-1\n@x\n\"\tx\"\n\"\rx\"\n\" =1\"\na=1\n\n\x1b]52;c;cm0=\a\n\u009b2J\n\u202e\n\"a,\"\"b\"\"\nc\"\n"},
		{false, true, "'=h\x1b[2J\n'=1+1\n'+1\n'-1\n'@x\n'\tx\n\"'\rx\"\n' =1\na=1\n\n\x1b]52;c;cm0=\a\n\u009b2J\n\u202e\n\"a,\"\"b\"\"\nc\"\n"},
		{true, false, `=h\x1b[2J` + "\n=1+1\n+1\n-1\n@x\n" + `\tx` + "\n" + `\rx` + "\n\" =1\"\na=1\n\n" + `\x1b]52;c;cm0=\x07` + "\n" + `\u009b2J` + "\n" + `\u202e` + "\n" + `"a,""b""\nc"` + "\n"},
		{true, true, `'=h\x1b[2J` + "\n'=1+1\n'+1\n'-1\n'@x\n" + `'\tx` + "\n" + `'\rx` + "\n' =1\na=1\n\n" + `\x1b]52;c;cm0=\x07` + "\n" + `\u009b2J` + "\n" + `\u202e` + "\n" + `"a,""b""\nc"` + "\n"},
	} {
		var out strings.Builder
		if err := writeCSV(&out, result, tt.terminal, tt.apostrophes); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("to a terminal %t, with apostrophes %t (-want +got):\n%s", tt.terminal, tt.apostrophes, diff)
		}
	}
	for _, format := range []string{"table", "json", "ndjson"} {
		var out strings.Builder
		if err := queryFormats[format](&out, result); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\x07\u009b\u202e\r") {
			t.Errorf("%s: %q", format, out.String())
		}
	}
	if r := handler(t, "query", "--explain", query); strings.ContainsAny(r.stdout, "\x1b\x07\u009b\u202e\r") || r.code != exitDone {
		t.Errorf("explain: %q %s", r.stdout, r.stderr)
	}
}

// FuzzCSV reads back what is written to a file.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"=1", "a,\"b\"\nc", "\x1b[2J", "\r", "'", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if cell == "" || strings.Contains(cell, "\r\n") || !utf8.ValidString(cell) { // which the reader changes
			return
		}
		b := kql.NewTableBuilder("T", kql.Schema{{Name: "C", Type: kql.String}})
		b.SetString(0, []byte(cell))
		b.Commit()
		for _, apostrophes := range []bool{false, true} {
			var out, shown strings.Builder
			if err := errors.Join(writeCSV(&out, b.Build(), false, apostrophes), writeCSV(&shown, b.Build(), true, apostrophes)); err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
			if err != nil || len(rows) != 2 {
				t.Fatalf("%q: %v, %v", out.String(), rows, err)
			}
			if got := rows[1][0]; got != cell && !(apostrophes && got == "'"+cell) || apostrophes && strings.ContainsAny(got[:1], "=+-@\t\r") {
				t.Fatalf("%q becomes %q", cell, got)
			}
			for _, r := range shown.String() {
				if r != '\n' && !text.Harmless(r) {
					t.Fatalf("%q is shown as %q", cell, shown.String())
				}
			}
		}
	})
}

// TestErrorInALongLine shows what is around the place and no more.
func TestErrorInALongLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a + ", 100_000)
	for name, query := range map[string]string{
		"at the end":        "print " + long + "(",
		"in the middle":     "print " + long + "1 ? 2 + " + long + "1",
		"at the beginning":  "print 1 ? 2 + " + long + "1",
		"a long name":       strings.Repeat("x", 400_000),
		"a long text":       "print nothing('" + strings.Repeat("x", 400_000) + "')",
		"a text not closed": "print '" + strings.Repeat("x", 400_000),
		"controls":          "print '" + strings.Repeat("\x1b[2J", 100_000) + "' | nothing",
		"many lines":        strings.Repeat("print 1;\n", 30_000) + "nothing",
	} {
		r := handler(t, "query", query)
		if r.code != exitFailed || len(r.stderr) > 2000 || strings.Contains(r.stderr, "\x1b") {
			t.Errorf("%s: code %d, %d bytes: %.300s", name, r.code, len(r.stderr), r.stderr)
		}
	}
	r := handler(t, "query", "print "+long+"1 ? 2 + "+long+"1")
	lines := strings.Split(r.stderr, "\n")
	if len(lines) < 3 || !strings.Contains(lines[1], "…") || strings.Index(lines[1], "?")-len("…")+1 != strings.Index(lines[2], "^") {
		t.Errorf("the place is not marked:\n%s", r.stderr)
	}
}

// TestLogsFlags refuses what --logs and --table cannot mean, and names the tables
// that there are.
func TestLogsFlags(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"query_data.json": `{"TimeGenerated":"2026-03-17T10:00:00Z","Mine":1}`})
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"nothing", []string{"query", "--logs", "", "print 1"}, "--logs is empty: expected a folder, a file, or - for standard input"},
		{"standard input twice", []string{"replay", "--logs", "-", "--logs", "-"}, "--logs - is given twice: standard input is read once"},
		{"standard input for two things", []string{"query", "--logs", "-", "-"}, "the query and --logs are both -: standard input is read once"},
		{"an address", []string{"query", "--logs", "https://logs.example/a?sig=secret", "print 1"},
			"logs: an address (https://...) is not read; download the file and give its path"},
		{"no table", []string{"query", "--logs", dir, "--table", "a b", "print 1"},
			`--table "a b": expected NAME or FILE=NAME, where NAME is that of a table, such as SigninLogs`},
		{"two tables for all files", []string{"query", "--logs", dir, "--table", "A", "--table", "B", "print 1"},
			"--table A and --table B: one of them has to name its file, as FILE=B"},
		{"a table without logs", []string{"query", "--table", "A", "print 1"}, "--table is about the files of --logs, which is not given"},
		{"a table of a file that is not there", []string{"query", "--logs", dir, "--table", "My_CL", "--table", "other.json=A", "print 1"},
			"--table other.json=A: --logs holds no file other.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := newQuery()
			if tt.args[0] == "replay" {
				cmd = newReplay()
			}
			cmd.SetArgs(tt.args[1:])
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			if err := cmd.ExecuteContext(t.Context()); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
