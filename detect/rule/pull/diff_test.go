package pull

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/rule"
	"pushback/detect/rule/pull/pulltest"
)

// compare compares a folder with a workspace.
func compare(t *testing.T, dir string, s *pulltest.Server) Comparison {
	t.Helper()
	f, err := ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := contentOf(t, s)
	templates, err := clientOf(t, s).Templates(t.Context(), c.Rules.List)
	if err != nil {
		t.Fatal(err)
	}
	return f.Compare(c, templates)
}

// What was pulled is the same. Each change of a setting is found, and what has no effect
// is none.
func TestDifferences(t *testing.T) {
	t.Parallel()
	base := map[string]any{"alertRuleTemplateName": guidOf(50), "templateVersion": "1.0.2"}
	for _, test := range []struct {
		name   string
		change map[string]any
		want   []string // settings
	}{
		{"nothing", nil, nil},
		{"the severity", map[string]any{"severity": "High"}, []string{"severity: Medium / High"}},
		{"off", map[string]any{"enabled": false}, []string{"enabled:  / false"}},
		{"the frequency", map[string]any{"queryFrequency": "PT5M"}, []string{"queryFrequency: 1h / 5m"}},
		{"the frequency in other words", map[string]any{"queryFrequency": "PT60M"}, nil},
		{"the threshold", map[string]any{"triggerThreshold": 5, "triggerOperator": "LessThan"}, []string{"triggerOperator: gt / lt", "triggerThreshold: 0 / 5"}},
		{"the query", map[string]any{"query": "SigninLogs\n| where ResultType == \"50074\"\n| summarize Failures = count() by UserPrincipalName, IPAddress"}, []string{"query"}},
		{"how the lines of the query end", map[string]any{"query": "SigninLogs  \n| where ResultType == \"50126\"\n| summarize Failures = count() by UserPrincipalName, IPAddress\n\n"}, nil},
		{"the version", map[string]any{"templateVersion": "1.0.3"}, []string{"version: 1.0.2 / 1.0.3"}},
		{"no version", map[string]any{"templateVersion": nil}, nil},
		{"tactics", map[string]any{"tactics": []string{"Persistence", "InitialAccess"}}, []string{"tactics: InitialAccess / InitialAccess, Persistence"}},
		{"sub-techniques in another order", map[string]any{"techniques": []string{"T1078.004"}, "subTechniques": []string{"T1078"}}, nil},
		{"suppression that is off", map[string]any{"suppressionDuration": "PT1H"}, nil},
		{"suppression", map[string]any{"suppressionDuration": "PT1H", "suppressionEnabled": true}, []string{"suppressionEnabled:  / true", "suppressionDuration:  / 1h"}},
		{"entities", map[string]any{"entityMappings": []any{map[string]any{"entityType": "IP", "fieldMappings": []any{map[string]any{"identifier": "Address", "columnName": "IPAddress"}}}}}, []string{"entityMappings"}},
		{"entities by columns", map[string]any{"sentinelEntitiesMappings": []any{map[string]any{"columnName": "Entities"}}}, []string{"sentinelEntitiesMappings:  / - columnName: Entities"}},
		{"custom details", map[string]any{"customDetails": map[string]any{"Failures": "Failures", "Address": "IPAddress"}}, []string{"customDetails.Address:  / IPAddress"}},
		{"incidents", map[string]any{"incidentConfiguration": map[string]any{"createIncident": false}}, []string{"incidentConfiguration.createIncident:  / false"}},
		{"grouping that is off", map[string]any{"incidentConfiguration": map[string]any{"createIncident": true, "groupingConfiguration": map[string]any{"enabled": false, "reopenClosedIncident": true, "lookbackDuration": "PT1H", "matchingMethod": "AnyAlert"}}}, nil},
		{"grouping of events", map[string]any{"eventGroupingSettings": map[string]any{"aggregationKind": "SingleAlert"}}, []string{"eventGroupingSettings.aggregationKind: AlertPerResult / "}},
		{"the name", map[string]any{"displayName": "Renamed"}, []string{"name: Failures / Renamed"}},
		{"when it was changed", map[string]any{"lastModifiedUtc": "2026-04-01T00:00:00Z"}, nil},
		{"alert details", map[string]any{"alertDetailsOverride": map[string]any{"alertDisplayNameFormat": "Failures of {{UserPrincipalName}}"}}, []string{"alertDetailsOverride.alertDisplayNameFormat:  / Failures of {{UserPrincipalName}}"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &pulltest.Server{Lists: map[string][]any{"alertRules": {pulltest.Rule(guidOf(1), "Failures", base)}}}
			write(t, dir, contentOf(t, s))
			changed := map[string]any{}
			for _, m := range []map[string]any{base, test.change} {
				for k, v := range m {
					changed[k] = v
				}
			}
			title := "Failures"
			s.Lists["alertRules"] = []any{pulltest.Rule(guidOf(1), title, mergedDescription(title, changed))}
			found := compare(t, dir, s)
			var got []string
			for _, f := range found.Findings {
				if f.Status != Differs || f.File == "" {
					t.Errorf("%+v", f)
				}
				for _, d := range f.Differences {
					if d.Lines != "" {
						got = append(got, d.Setting)
						continue
					}
					got = append(got, d.Setting+": "+d.Here+" / "+d.There)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(found.Problems) > 0 {
				t.Errorf("settings (-want +got):\n%s\n%v", diff, found.Problems)
			}
			// A pull takes over just that.
			r := write(t, dir, contentOf(t, s))
			if len(r.Changed) != min(len(test.want), 1) {
				t.Errorf("a pull changes %q", r.Changed)
			}
			if found := compare(t, dir, s); len(found.Findings) > 0 {
				t.Errorf("after a pull: %+v", found.Findings)
			}
		})
	}
}

// mergedDescription keeps the description where only the name changes.
func mergedDescription(title string, change map[string]any) map[string]any {
	if _, ok := change["description"]; !ok {
		change["description"] = "What " + title + " is about."
	}
	return change
}

// What is in one place only, what is older than its template, and functions and
// watchlists.
func TestCompare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fromTemplate := func(version string) map[string]any {
		return map[string]any{"alertRuleTemplateName": guidOf(50), "templateVersion": version}
	}
	s := &pulltest.Server{Lists: map[string][]any{
		"alertRules":         {pulltest.Rule(guidOf(1), "Same", fromTemplate("1.9.0")), pulltest.Rule(guidOf(2), "Gone", nil)},
		"alertRuleTemplates": {pulltest.Template(strings.ToUpper(guidOf(50)), "1.10.0")},
		"savedSearches":      {pulltest.Function("Same", "a:int", "T"), pulltest.Function("Gone", "", "T"), pulltest.Function("Changed", "", "T")},
		"watchlists":         {pulltest.Watchlist("same", "U"), pulltest.Watchlist("gone", "U"), pulltest.Watchlist("changed", "U")},
		"watchlists/changed/watchlistItems": {
			pulltest.WatchlistItem("1", map[string]any{"U": "ana"}), pulltest.WatchlistItem("2", map[string]any{"U": "bob"})},
	}}
	write(t, dir, contentOf(t, s))
	s.Lists["alertRules"] = []any{pulltest.Rule(guidOf(1), "Same", fromTemplate("1.9.0")), pulltest.Rule(guidOf(3), "New", fromTemplate("1.10.0")), pulltest.Other("x", "Fusion")}
	s.Lists["savedSearches"] = []any{pulltest.Function("Same", "a: int", "T"), pulltest.Function("New", "", "T"), pulltest.Function("Changed", "", "U\n| take 1")}
	s.Lists["watchlists"] = []any{pulltest.Watchlist("same", "U"), pulltest.Watchlist("new", "U"), pulltest.Watchlist("changed", "U")}
	s.Lists["watchlists/changed/watchlistItems"] = []any{pulltest.WatchlistItem("1", map[string]any{"U": "ana"}), pulltest.WatchlistItem("2", map[string]any{"U": "eve"})}
	found := compare(t, dir, s)
	var got []string
	for _, f := range found.Findings {
		line := f.Kind + " " + f.Status + " " + f.Name
		if f.TemplateVersion != "" {
			line += " " + f.Version + " " + f.TemplateVersion
		}
		for _, d := range f.Differences {
			line += " " + d.Setting
			for change := range strings.Lines(d.Lines) {
				if strings.HasPrefix(change, "+") != strings.HasPrefix(change, "-") && !strings.HasPrefix(change, "+++") && !strings.HasPrefix(change, "---") {
					line += " " + strings.TrimSpace(change)
				}
			}
		}
		got = append(got, line)
	}
	want := []string{
		"rule only here Gone", "rule only there New", "rule older than its template Same 1.9.0 1.10.0",
		"function differs Changed query -T +U +| take 1", "function only here Gone", "function only there New",
		"watchlist differs changed items -bob +eve", "watchlist only here gone", "watchlist only there new",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(found.Problems) > 0 || found.Same != 3 {
		t.Errorf("%d the same, findings (-want +got):\n%s\n%v", found.Same, diff, found.Problems)
	}
}

// A published rule is the one that was made from it as a template.
func TestCompareWithTemplate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &pulltest.Server{Lists: map[string][]any{"alertRules": {pulltest.Rule(guidOf(1), "Failures", map[string]any{"templateVersion": "1.0.0"})}}}
	write(t, dir, contentOf(t, s))
	s.Lists["alertRules"] = []any{
		pulltest.Rule(guidOf(9), "Failures", map[string]any{"alertRuleTemplateName": guidOf(1), "templateVersion": "1.0.0"}),
		pulltest.Rule(guidOf(8), "Failures, again", map[string]any{"alertRuleTemplateName": guidOf(1), "templateVersion": "1.0.0"}),
	}
	found := compare(t, dir, s)
	if len(found.Findings) != 1 || found.Same != 1 || found.Findings[0].Status != OnlyThere || found.Findings[0].ID != guidOf(8) {
		t.Errorf("%+v", found)
	}
}

// A rule of the workspace that is wrong is there all the same, and so is one whose file is
// wrong here.
func TestCompareWrongRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &pulltest.Server{Lists: map[string][]any{"alertRules": {pulltest.Rule(guidOf(1), "One", nil), pulltest.Rule(guidOf(2), "Two", nil)}}}
	write(t, dir, contentOf(t, s))
	s.Lists["alertRules"][0] = pulltest.Rule(guidOf(1), "One", map[string]any{"severity": "Terrible"})
	if err := os.WriteFile(filepath.Join(dir, "two.yaml"), []byte("id: "+guidOf(2)+"\nname: Two\nseverity: Low\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := contentOf(t, s)
	if len(c.Rules.Problems) != 1 || !strings.Contains(c.Rules.Problems[0].Text, "is left out: ") {
		t.Errorf("problems %v", c.Rules.Problems)
	}
	if found := compare(t, dir, s); len(found.Findings) > 0 || found.Same > 0 {
		t.Errorf("%+v", found)
	}
	before := files(t, dir)
	if r := write(t, dir, c); len(r.Gone)+len(r.Written)+len(r.Changed) > 0 || len(r.Problems) != 1 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// Templates of solutions have a list of their own, which is asked where a template is not
// among the others, and may not be there.
func TestTemplates(t *testing.T) {
	t.Parallel()
	rules := func(templates ...string) (list []Rule) {
		for _, name := range templates {
			list = append(list, Rule{Template: name})
		}
		return list
	}
	lists := map[string][]any{
		"alertRuleTemplates": {pulltest.Template("a", "1.0.0")},
		"contentTemplates": {
			map[string]any{"name": "x", "properties": map[string]any{"contentId": "B", "contentKind": "AnalyticsRule", "version": "2.0.0"}},
			map[string]any{"name": "y", "properties": map[string]any{"contentId": "c", "contentKind": "Workbook", "version": "3.0.0"}},
			map[string]any{"name": "z", "properties": map[string]any{"contentId": "A", "contentKind": "AnalyticsRule", "version": "9.0.0"}},
		},
	}
	one, both := map[string]Template{"a": {"a", "1.0.0"}}, map[string]Template{"a": {"a", "1.0.0"}, "b": {"B", "2.0.0"}}
	for _, test := range []struct {
		name  string
		rules []Rule
		fault int // of the list of solutions
		want  map[string]Template
		calls []string
		err   bool
	}{
		{name: "none is asked for", rules: rules("", ""), want: map[string]Template{}},
		{name: "all are among the first", rules: rules("", "A"), want: one, calls: []string{"alertRuleTemplates"}},
		{name: "one is of a solution", rules: rules("a", "b"), want: both, calls: []string{"alertRuleTemplates", "contentTemplates"}},
		{name: "no list of solutions", rules: rules("b"), fault: http.StatusNotFound, want: one, calls: []string{"alertRuleTemplates", "contentTemplates"}},
		{name: "a list that is refused", rules: rules("b"), fault: http.StatusForbidden, calls: []string{"alertRuleTemplates", "contentTemplates"}, err: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &pulltest.Server{Lists: lists, Fault: func(list string, _ int) int {
				if list == "contentTemplates" {
					return test.fault
				}
				return 0
			}}
			got, err := clientOf(t, s).Templates(t.Context(), test.rules)
			if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.err {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if calls := s.Calls(); !slices.Equal(calls, test.calls) || len(s.Problems()) > 0 {
				t.Errorf("calls %q, problems %q", calls, s.Problems())
			}
		})
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, than string
		want          bool
	}{{"1.0.2", "1.0.10", true}, {"1.0.10", "1.0.2", false}, {"1.0", "1.0.0", false}, {"1.0", "1.0.1", true}, {"", "1.0", false}, {"1.0", "", false}, {"1.x", "2.0", false}, {"2", "10", true}} {
		if got := older(test.version, test.than); got != test.want {
			t.Errorf("%s is older than %s: %t", test.version, test.than, got)
		}
	}
}

// Rules that are switched on in both places are found by what makes them the same.
func TestTwice(t *testing.T) {
	t.Parallel()
	read := func(file, id, name, query string, disabled bool) *rule.Rule {
		return &rule.Rule{File: file, ID: id, Name: name, Query: rule.Query{Text: query}, Disabled: disabled}
	}
	there := []Rule{
		{Rule: read("", "AAAA", "One", "T1", false)}, {Rule: read("", "b", "Two", "T2", false), Template: "CCCC"},
		{Rule: read("", "d", "Three", "T3\r\n| take 1 \r\n", false)}, {Rule: read("", "e", "Four  rules", "T4", false)}, {Rule: read("", "f", "Five", "T5", true)},
	}
	for _, test := range []struct {
		here *rule.Rule
		want []string
	}{
		{read("x", "aaaa", "Other", "X", false), []string{"One: the same id"}},
		{read("x", "cccc", "Other", "X", false), []string{"Two: made from the template with this id"}},
		{read("x", "x", "Other", "T3\n| take 1", false), []string{"Three: the same query"}},
		{read("x", "x", "four rules", "X", false), []string{"Four  rules: the same name"}},
		{read("x", "f", "Five", "T5", false), nil},
		{read("x", "aaaa", "One", "T1", true), nil},
		{read("x", "aaaa", "Two", "T3\n| take 1", false), []string{"One: the same id", "Three: the same query", "Two: the same name"}},
		{read("x", "x", "Other", "X", false), nil},
	} {
		var got []string
		for _, r := range Twice([]*rule.Rule{test.here}, there) {
			got = append(got, r.There.Name+": "+r.Why)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.here, diff)
		}
	}
}

// A folder without functions and watchlists is not compared with those of the workspace.
func TestFolderHas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := ReadFolder(dir)
	if err != nil || f.HasFunctions() || f.HasWatchlists() {
		t.Fatal(err, f)
	}
	if err := os.Mkdir(filepath.Join(dir, "functions"), 0o755); err != nil {
		t.Fatal(err)
	}
	if !f.HasFunctions() || f.HasWatchlists() {
		t.Errorf("functions %t, watchlists %t", f.HasFunctions(), f.HasWatchlists())
	}
	if found := f.Compare(Content{Functions: []Function{}}, nil); len(found.Findings)+len(found.Problems) > 0 {
		t.Errorf("%+v", found)
	}
	if _, err := ReadFolder(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
}
