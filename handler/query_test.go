package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/notify/console"
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
		{"another output", []string{"--output", "xml", "print 1"}, exitUsage, "expected table, csv, json or ndjson"},
		{"no such file", []string{"--file", "nowhere.kql"}, exitFailed, "nowhere.kql"},
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
		if w := console.Width(strings.TrimSuffix(line, "\n")); w > 100 {
			t.Errorf("the line takes %d columns: %s", w, line)
		}
	}
}
