package pull

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/logs"
	"pushback/detect/notify/sentinel"
	"pushback/detect/rule"
	"pushback/detect/rule/pull/pulltest"
)

const workspaceID = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/logs"

// inProcess sends requests to a handler.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Host = r.URL.Host
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	return response, nil
}

type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func clientOf(t *testing.T, s *pulltest.Server) *Client {
	t.Helper()
	s.Workspace = workspaceID
	w, err := sentinel.ParseWorkspace(workspaceID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(w, token{}, azcore.ClientOptions{Transport: &http.Client{Transport: inProcess{s}},
		Retry: policy.RetryOptions{MaxRetries: 3, RetryDelay: time.Millisecond, MaxRetryDelay: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// contentOf reads everything.
func contentOf(t *testing.T, s *pulltest.Server) Content {
	t.Helper()
	c := clientOf(t, s)
	rules, err := c.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	functions, err := c.Functions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	watchlists, err := c.Watchlists(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Problems(); len(p) > 0 {
		t.Errorf("calls were wrong: %q", p)
	}
	return Content{Rules: &rules, Functions: functions, Watchlists: watchlists}
}

// write pulls into a folder.
func write(t *testing.T, dir string, c Content) Result {
	t.Helper()
	f, err := ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Write(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// files are those of a folder by their paths.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		relative, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(relative)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func guidOf(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761%(1<<32), n) }

// Five hundred rules take a request for each of their pages and two more. What is
// written is what lint takes, and a second pull, whatever the order, changes nothing.
func TestPull(t *testing.T) {
	t.Parallel()
	s := &pulltest.Server{Page: 100, Lists: map[string][]any{}}
	for i := range 512 {
		change := map[string]any{"enabled": i%7 > 0, "query": fmt.Sprintf("SigninLogs\r\n| where ResultType == \"%d\"  \r\n| take 1", i)}
		s.Lists["alertRules"] = append(s.Lists["alertRules"], pulltest.Rule(guidOf(i), fmt.Sprintf("Rule %d", i/2), change))
	}
	dir := filepath.Join(t.TempDir(), "new", "rules")
	c := contentOf(t, s)
	if calls := s.Calls(); len(calls) != 6+2 {
		t.Errorf("%d calls: %q", len(calls), calls)
	}
	r := write(t, dir, c)
	if len(r.Written) != 512 || len(r.Problems) > 0 {
		t.Fatalf("%d files, problems %v", len(r.Written), r.Problems)
	}
	before := files(t, dir)
	slices.Reverse(s.Lists["alertRules"])
	r = write(t, dir, contentOf(t, s))
	if r.Same != 512 || len(r.Written)+len(r.Changed)+len(r.Problems)+len(r.Gone) > 0 {
		t.Errorf("a second pull: %+v", r)
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("a second pull changes (-before +after):\n%s", diff)
	}
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, contentOf(t, s))
	if diff := cmp.Diff(before, files(t, other)); diff != "" {
		t.Errorf("another folder differs:\n%s", diff)
	}
	rules, problems := rule.Load(dir)
	if len(rules) != 512 || len(problems) > 0 {
		t.Errorf("%d rules, problems %v", len(rules), problems)
	}
}

// Whatever a rule is called, its file is in the folder, and is one of its own on every
// system.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	names := []string{
		"../../../etc/passwd", `..\..\windows\system32`, "/etc/shadow", "C:\\x", "con", "NUL", "aux.yaml", "COM1", "lpt9", "", " ", ".", "..", "...", "a/b", "A B", "a  b", "a-b",
		"\x00", "new\nline", "\x1b[31mred", "名前", "Regel für Größe", strings.Repeat("long ", 60), "x.test", ".hidden", "trailing.", "q?*<>|\"", "$(reboot)", "{{x}}", "yes", "- x", "# x", "'",
	}
	s := &pulltest.Server{Lists: map[string][]any{}}
	for i, name := range names {
		s.Lists["alertRules"] = append(s.Lists["alertRules"], pulltest.Rule(guidOf(i), name, nil))
	}
	for i, id := range []string{"..", "a b", "rule:#1", "x-" + guidOf(900), "y-" + guidOf(900), guidOf(900), strings.ToUpper(guidOf(901)), "%2e%2e", "<b>", "üñí"} {
		s.Lists["alertRules"] = append(s.Lists["alertRules"], pulltest.Rule(id, fmt.Sprintf("odd id %d", i), nil))
	}
	s.Lists["alertRules"] = append(s.Lists["alertRules"], pulltest.Other("BuiltInFusion", "Fusion"))
	outer := t.TempDir()
	dir := filepath.Join(outer, "rules")
	c := contentOf(t, s)
	r := write(t, dir, c)
	if got := c.Rules.Others(); got != "1 Fusion" {
		t.Errorf("others %q", got)
	}
	if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder there is %v", entries)
	}
	seen := map[string]bool{}
	for path := range files(t, dir) {
		base := strings.TrimSuffix(path, ".yaml")
		if strings.Trim(base, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || rule.IsDeviceName(path) || seen[strings.ToLower(path)] {
			t.Errorf("a file is called %q", path)
		}
		seen[strings.ToLower(path)] = true
	}
	var wrong []string // rules without a name are none
	for _, p := range append(c.Rules.Problems, r.Problems...) {
		if !p.Warning {
			wrong = append(wrong, p.Text)
		}
	}
	rules, problems := rule.Load(dir)
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("%v", p)
		}
	}
	if want := len(names) + 10; len(rules)+len(wrong) != want || len(wrong) > 3 {
		t.Errorf("%d rules of %d, wrong: %q", len(rules), want, wrong)
	}
	if again := write(t, dir, contentOf(t, s)); len(again.Written)+len(again.Changed) > 0 {
		t.Errorf("a second pull writes %q %q", again.Written, again.Changed)
	}
}

// Whatever a rule's texts hold, it is written once and is the same afterwards.
func TestPullOddTexts(t *testing.T) {
	t.Parallel()
	texts := []string{
		"'quoted'", "\"quoted\"", " spaces around ", "two\r\nlines\r\n", "\n\nfirst an empty line", "a tab\tand\x01a control", "# no comment", "- no list", "{{no}} column", "yes", "null", "1.0", "a: b",
		"trailing  \nspaces  \n", "名前\u2028line", "---\n...\n", "\u0085", "%", "|", ">-", "x\x00y", "\ufeff", "\\", "[[x", "[parameters('x')]",
	}
	s := &pulltest.Server{Lists: map[string][]any{}}
	for i, text := range texts {
		s.Lists["alertRules"] = append(s.Lists["alertRules"], pulltest.Rule(guidOf(i), fmt.Sprintf("Rule %d %s", i, text), map[string]any{
			"description": text, "query": "T | where a == 'b' " + text, "customDetails": map[string]any{"A": text},
			"alertDetailsOverride": map[string]any{"alertDisplayNameFormat": text, "alertDescriptionFormat": text}}))
	}
	dir := t.TempDir()
	c := contentOf(t, s)
	r := write(t, dir, c)
	if len(r.Problems) > 0 || len(r.Written) != len(c.Rules.List) || len(c.Rules.List) < len(texts)-2 {
		t.Errorf("%d of %d rules, %d files, problems %v %v", len(c.Rules.List), len(texts), len(r.Written), c.Rules.Problems, r.Problems)
	}
	if again := write(t, dir, contentOf(t, s)); len(again.Changed)+len(again.Written)+len(again.Problems) > 0 {
		t.Errorf("a second pull: %+v", again)
	}
	if found := compare(t, dir, s); len(found.Findings) > 0 {
		t.Errorf("a comparison: %+v", found.Findings)
	}
}

// A near-real-time rule has no schedule of its own.
func TestPullNRT(t *testing.T) {
	t.Parallel()
	nrt := pulltest.Rule(guidOf(1), "At once", nil)
	nrt["kind"] = "NRT"
	for _, key := range []string{"queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold"} {
		delete(nrt["properties"].(map[string]any), key)
	}
	s := &pulltest.Server{Lists: map[string][]any{"alertRules": {nrt}}}
	dir := t.TempDir()
	if r := write(t, dir, contentOf(t, s)); len(r.Written) != 1 || len(r.Problems) > 0 {
		t.Fatalf("%+v", r)
	}
	if rules, problems := rule.Load(dir); len(rules) != 1 || rules[0].Kind != rule.NRT || len(problems) > 0 {
		t.Errorf("%v", problems)
	}
	if found := compare(t, dir, s); len(found.Findings) > 0 || found.Same != 1 {
		t.Errorf("%+v", found)
	}
}

// A rule stays in its file, with what the workspace does not know of it.
func TestPullKeepsWhatIsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &pulltest.Server{Lists: map[string][]any{"alertRules": {pulltest.Rule(guidOf(1), "Failures", nil), pulltest.Rule(guidOf(2), "Other", nil)}}}
	write(t, dir, contentOf(t, s))
	own := "pushback:\n  # by account alone\n  identity: [UserPrincipalName]\n  remediation: |\n    Call the user.\n\n    Then wait.\n"
	text := files(t, dir)["failures.yaml"]
	for name, content := range map[string]string{
		"mine/called-otherwise.yaml":      strings.Replace(text, "kind: Scheduled\n", own+"kind: Scheduled\nstatus: Available\nrequiredDataConnectors:\n  - connectorId: AzureActiveDirectory\n    dataTypes: [SigninLogs]\n", 1),
		"mine/called-otherwise.test.yaml": "- name: none\n  logs: {SigninLogs: []}\n  expect: nothing\n",
		"own.yaml":                        strings.NewReplacer(guidOf(1), guidOf(77), "Failures", "Own").Replace(text),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "failures.yaml")); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	r := write(t, dir, contentOf(t, s))
	if diff := cmp.Diff(before, files(t, dir)); diff != "" || r.Same != 2 || len(r.Gone) != 1 || r.Gone[0].Name != "Own" {
		t.Errorf("%+v\n%s", r, diff)
	}
	s.Lists["alertRules"][0] = pulltest.Rule(guidOf(1), "Failures, renamed", map[string]any{"severity": "High"})
	r = write(t, dir, contentOf(t, s))
	after := files(t, dir)
	if len(r.Changed) != 1 || !strings.HasSuffix(r.Changed[0], "called-otherwise.yaml") || len(r.Written)+len(r.Problems) > 0 {
		t.Errorf("%+v", r)
	}
	got := after["mine/called-otherwise.yaml"]
	for _, want := range []string{own, "severity: High", "status: Available", "connectorId: AzureActiveDirectory", "name: Failures, renamed"} {
		if !strings.Contains(got, want) {
			t.Errorf("the file lacks %q:\n%s", want, got)
		}
	}
	delete(after, "mine/called-otherwise.yaml")
	delete(before, "mine/called-otherwise.yaml")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("other files changed:\n%s", diff)
	}
}

// What is not the rule's is never written over, and no link leads out of the folder.
func TestPullWritesOverNothing(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for _, test := range []struct {
		name  string
		files map[string]string
		links map[string]string
		want  string // a problem
	}{
		{name: "a broken file with the rule", files: map[string]string{"x.yaml": "id: " + guidOf(1) + "\nname: Failures\nseverity: [\n"}},
		{name: "a file of another rule's name", files: map[string]string{"failures.yaml": "nothing of the kind\n"}},
		{name: "a draft with the rule", files: map[string]string{"x.yaml": "id: " + guidOf(1) + "\nname: Failures\nseverity: Low\n"}, want: "x.yaml has the rule “Failures” and stays as it is, since it is wrong"},
		{name: "rules of an export", files: map[string]string{"all.json": exportOf(guidOf(1), guidOf(2))}, want: "in a form that is not written"},
		{name: "a link to a file outside", links: map[string]string{"failures.yaml": filepath.Join(outside, "none")}},
		{name: "a folder of functions outside", links: map[string]string{"functions": outside}, want: "functions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for name, to := range test.links {
				if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
					t.Skip(err)
				}
			}
			s := &pulltest.Server{Lists: map[string][]any{"alertRules": {pulltest.Rule(guidOf(1), "Failures", nil)}, "savedSearches": {pulltest.Function("F", "", "T")}}}
			r := write(t, dir, contentOf(t, s))
			after := files(t, dir)
			for name, text := range test.files {
				if after[name] != text {
					t.Errorf("%s became %q", name, after[name])
				}
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
				t.Errorf("outside there is %v", entries)
			}
			if test.want != "" && !slices.ContainsFunc(r.Problems, func(p Problem) bool { return strings.Contains(p.Text, test.want) }) {
				t.Errorf("problems %v lack %q", r.Problems, test.want)
			}
		})
	}
}

// exportOf is a file of two rules as the API lists them, of which nothing is as in the
// workspace.
func exportOf(ids ...string) string {
	var list []string
	for _, id := range ids {
		list = append(list, `{"name":"`+id+`","kind":"Scheduled","type":"Microsoft.SecurityInsights/alertRules","properties":{"displayName":"E","severity":"Low","query":"T","queryFrequency":"PT1H","queryPeriod":"PT1H","triggerOperator":"GreaterThan","triggerThreshold":0}}`)
	}
	return `{"value":[` + strings.Join(list, ",") + `]}`
}

// Saved functions and watchlists are read by --functions and --watchlists as they are.
func TestFunctionsAndWatchlists(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"Plain":      "SigninLogs\r\n| take 1",
		"Lets":       "let f = (x:int) { x + 1 };\nlet y = 2;\nT | extend z = f(y)",
		"Braces":     "T | where a == \"}\" and b != '{' // } comment\n| extend c = @\"\\\"",
		"Multi":      "T | where a == ```x } {``` ",
		"Unbalanced": "T | where a == (",
		"con":        "T",
		"case":       "T",
		"Case":       "U",
		"comment":    "T // the end",
	}
	s := &pulltest.Server{Page: 2, Lists: map[string][]any{}}
	for _, alias := range slices.Sorted(maps.Keys(bodies)) {
		s.Lists["savedSearches"] = append(s.Lists["savedSearches"], pulltest.Function(alias, "since:datetime=datetime(null), T:(*)", bodies[alias]))
	}
	s.Lists["savedSearches"] = append(s.Lists["savedSearches"], pulltest.Function("", "", "a saved query"), pulltest.Function("../evil", "", "T"), pulltest.Function("Empty", "", " "))
	lists := map[string][]map[string]any{
		"VIP":        {{"User": "ana", "Note": "a,\"b\"\r\nc", "N": 5.0}, {"User": "bob", "Note": nil, "N": true}, {"User": "bob", "Extra": map[string]any{"a": 1.0}}},
		"vip":        {{"User": "other"}},
		"aux":        {{"User": "device"}},
		"with space": {{"User": ""}, {"User": "x"}},
		"..":         {{"User": "up"}},
		"../../up":   {{"User": "up"}},
		".hidden":    {{"User": "dot"}},
		"a.b":        {{"User": "inside"}},
		"none":       {},
	}
	for _, alias := range slices.Sorted(maps.Keys(lists)) {
		s.Lists["watchlists"] = append(s.Lists["watchlists"], pulltest.Watchlist(alias, "User"))
		for i, item := range lists[alias] {
			path := "watchlists/" + alias + "/watchlistItems"
			s.Lists[path] = append(s.Lists[path], pulltest.WatchlistItem(fmt.Sprint(i), item))
		}
	}
	outer := t.TempDir()
	dir := filepath.Join(outer, "x")
	r := write(t, dir, contentOf(t, s))
	before := files(t, dir)
	if len(r.Problems) != 3 { // ../evil, Empty, and the items of ..
		t.Errorf("problems %v", r.Problems)
	}
	functions, problems := rule.LoadFunctions(filepath.Join(dir, "functions"))
	got := map[string]string{}
	for _, f := range functions {
		if f.Parameters != "since:datetime=datetime(null), T:(*)" {
			t.Errorf("%s has the parameters %q", f.Names[0], f.Parameters)
		}
		got[f.Names[0]] = strings.TrimSpace(f.Body.Text)
	}
	want := map[string]string{}
	for alias, body := range bodies {
		want[alias] = strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))
	}
	if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
		t.Errorf("functions (-want +got):\n%s\nproblems %v", diff, problems)
	}
	find := logs.Watchlists(filepath.Join(dir, "watchlists"), logs.DateOrder(0))
	for alias, items := range lists {
		if alias == ".." {
			continue
		}
		table, err := find(alias)
		if err != nil {
			t.Errorf("%q: %v", alias, err)
			continue
		}
		if table.Rows() != len(items) {
			t.Errorf("%q has %d items, want %d", alias, table.Rows(), len(items))
		}
	}
	if want := "User,Extra,N,Note\nana,,5,\"a,\"\"b\"\"\nc\"\nbob,,true,\nbob,\"{\"\"a\"\":1}\",,\n"; before["watchlists/VIP.csv"] != want {
		t.Errorf("VIP.csv is\n%s", before["watchlists/VIP.csv"])
	}
	seen := map[string]bool{}
	for path := range before {
		if seen[strings.ToLower(path)] || rule.IsDeviceName(filepath.Base(path)) || strings.Contains(path, "..") {
			t.Errorf("a file is called %q", path)
		}
		seen[strings.ToLower(path)] = true
	}
	for _, list := range s.Lists {
		slices.Reverse(list)
	}
	if r := write(t, dir, contentOf(t, s)); len(r.Written)+len(r.Changed) > 0 {
		t.Errorf("a second pull: %+v", r)
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("a second pull changes:\n%s", diff)
	}
	if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder there is %v", entries)
	}
}

// A service that is busy is asked again; what it refuses, and where another host is to be
// asked, is an error that says what to do.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		server *pulltest.Server
		want   string // of the error, or nothing
		calls  int
	}{
		{name: "429 twice", server: &pulltest.Server{RetryAfter: 2, Fault: func(_ string, n int) int {
			if n == 1 || n == 2 {
				return http.StatusTooManyRequests
			}
			return 0
		}}, calls: 5},
		{name: "429 for longer than anybody waits", server: &pulltest.Server{RetryAfter: 3_000_000, Fault: func(_ string, n int) int {
			if n == 1 {
				return http.StatusTooManyRequests
			}
			return 0
		}}, want: "answered 429 TooManyRequests: The request is being throttled: the service is busy, try again later", calls: 2},
		{name: "403 in the middle", server: &pulltest.Server{Fault: func(_ string, n int) int {
			if n == 1 {
				return http.StatusForbidden
			}
			return 0
		}}, want: "reading the analytics rules: Azure Resource Manager answered 403 AuthorizationFailed: The client does not have authorization to perform the action: give the identity the role Microsoft Sentinel Reader on " + workspaceID, calls: 2},
		{name: "another host", server: &pulltest.Server{NextHost: "evil.example"}, want: "the next page is at another host", calls: 1},
		{name: "another port", server: &pulltest.Server{NextHost: "management.azure.com:8443"}, want: "the next page is at another host", calls: 1},
		{name: "somebody before the host", server: &pulltest.Server{NextHost: "management.azure.com@evil.example"}, want: "the next page is at another host", calls: 1},
		{name: "the same host, written otherwise", server: &pulltest.Server{NextHost: "MANAGEMENT.azure.com:443"}, calls: 3},
		{name: "an older version", server: &pulltest.Server{Version: pulltest.Older}, calls: 4},
		{name: "500 all the time", server: &pulltest.Server{Fault: func(string, int) int { return 500 }}, want: "answered 500 InternalServerError: Something went wrong", calls: 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := test.server
			s.Page = 2
			s.Lists = map[string][]any{"alertRules": {pulltest.Rule(guidOf(1), "A", nil), pulltest.Rule(guidOf(2), "B", nil), pulltest.Rule(guidOf(3), "C", nil), pulltest.Rule(guidOf(4), "D", nil), pulltest.Rule(guidOf(5), "E", nil)}}
			rules, err := clientOf(t, s).Rules(t.Context())
			switch {
			case test.want == "" && (err != nil || len(rules.List) != 5):
				t.Errorf("%d rules, %v", len(rules.List), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %s", err, test.want)
			}
			if len(s.Calls()) != test.calls || len(s.Problems()) > 0 {
				t.Errorf("%d calls, problems %q", len(s.Calls()), s.Problems())
			}
		})
	}
}

// Pages that lead to each other end.
func TestPagesThatDoNotEnd(t *testing.T) {
	t.Parallel()
	c := clientOf(t, &pulltest.Server{})
	n := 0
	c2, err := New(c.workspace, token{}, azcore.ClientOptions{Transport: &http.Client{Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		fmt.Fprintf(w, `{"value":[],"nextLink":"https://management.azure.com%s?page=%d"}`, r.URL.EscapedPath(), n%2)
	})}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c2.Rules(t.Context()); err == nil || !strings.Contains(err.Error(), "the pages do not end") || n > 4 {
		t.Errorf("%v after %d pages", err, n)
	}
}
