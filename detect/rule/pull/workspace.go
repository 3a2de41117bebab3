package pull

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// Rule is an analytics rule of a workspace that runs a query.
type Rule struct {
	*rule.Rule
	// Resource is the name of its resource.
	Resource string
	// Template is the name of the template that the rule was made from, or nothing.
	Template string
	// TemplateVersion is that of the template when the rule was made from it.
	TemplateVersion string
}

// Rules are the analytics rules of a workspace, in the order of their resources' names.
type Rules struct {
	List []Rule
	// Other counts the rules of kinds that run no query of theirs.
	Other map[string]int
	// Problems are about rules that are wrong, which are not in the list, and what
	// was noticed of those that are.
	Problems []Problem
	leftOut  map[string]bool // the resources of those that are wrong, in small letters
}

// Problem is what is wrong with something in the workspace or in the folder.
type Problem struct {
	// Warning says that what it is about is taken all the same.
	Warning bool
	Text    string
}

// guid is the form of a rule's id.
var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Rules reads the analytics rules. One that is wrong does not keep the others from
// being read.
func (c *Client) Rules(ctx context.Context) (Rules, error) {
	found := Rules{Other: map[string]int{}, leftOut: map[string]bool{}}
	list, err := c.security(ctx, "the analytics rules", "alertRules")
	if err != nil {
		return found, err
	}
	seen := map[string]bool{}
	for _, raw := range list {
		var head struct {
			Name, Kind string
			Properties struct{ AlertRuleTemplateName, TemplateVersion string }
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			found.Problems = append(found.Problems, Problem{Text: fmt.Sprintf("a rule is left out, its JSON is not what the API describes: %v", err)})
			continue
		}
		if seen[strings.ToLower(head.Name)] {
			continue // a list that changes while it is read repeats some
		}
		seen[strings.ToLower(head.Name)] = true
		if !strings.EqualFold(head.Kind, rule.Scheduled.String()) && !strings.EqualFold(head.Kind, rule.NRT.String()) {
			found.Other[text.Cut(text.Safe(head.Kind), 60)]++
			continue
		}
		rules, problems := rule.ParseAll("alertRules/"+text.Cut(text.Safe(head.Name), 100)+".json", raw)
		for _, p := range problems {
			left := " is left out"
			if p.Warning {
				left = ""
			}
			found.Problems = append(found.Problems, Problem{Warning: p.Warning, Text: fmt.Sprintf("the rule %s of the workspace%s: %s", quoted(head.Name), left, p.Message)})
		}
		if len(rules) == 0 {
			found.leftOut[strings.ToLower(head.Name)] = true
		}
		for _, r := range rules {
			found.List = append(found.List, Rule{Rule: r, Resource: head.Name, Template: head.Properties.AlertRuleTemplateName, TemplateVersion: head.Properties.TemplateVersion})
		}
	}
	slices.SortStableFunc(found.List, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Resource), strings.ToLower(b.Resource)), cmp.Compare(a.Resource, b.Resource))
	})
	found.distinguish()
	return found, nil
}

// distinguish gives each rule an id of its own. The names of two resources may hold the
// same GUID, and then only the resource that it is the name of has it for its id.
func (r *Rules) distinguish() {
	byID := map[string]int{}
	for _, one := range r.List {
		byID[strings.ToLower(one.ID)]++
	}
	for i, one := range r.List {
		if byID[strings.ToLower(one.ID)] > 1 && !guid.MatchString(one.Resource) {
			r.List[i].ID = alert.NewGUID("rule resource", strings.ToLower(one.Resource))
		}
	}
}

// Others says how many rules of other kinds there are, or nothing.
func (r Rules) Others() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Other)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.Other[kind], cmp.Or(kind, "without a kind")))
	}
	return strings.Join(parts, ", ")
}

// Template is what a rule is made from.
type Template struct{ Name, Version string }

// templatesOfRules is what errors call them.
const templatesOfRules = "the templates of rules"

// Templates reads the templates that rules were made from, by their names in small
// letters. Without rules that were made from one nothing is asked.
func (c *Client) Templates(ctx context.Context, rules []Rule) (map[string]Template, error) {
	found := map[string]Template{}
	missing := func() bool {
		return slices.ContainsFunc(rules, func(r Rule) bool { return r.Template != "" && found[strings.ToLower(r.Template)].Name == "" })
	}
	if !missing() {
		return found, nil
	}
	list, err := c.security(ctx, templatesOfRules, "alertRuleTemplates")
	if err != nil {
		return nil, err
	}
	for _, raw := range list {
		var t struct {
			Name       string
			Properties struct{ Version string }
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, c.failed(templatesOfRules, err)
		}
		found[strings.ToLower(t.Name)] = Template{t.Name, t.Properties.Version}
	}
	if !missing() {
		return found, nil
	}
	// Those of solutions that are installed have a list of their own, which older
	// versions of the API do not know.
	list, err = c.filtered(ctx, templatesOfRules, "properties/contentKind eq 'AnalyticsRule'", "contentTemplates")
	if e, ok := errors.AsType[*Error](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusBadRequest) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, raw := range list {
		var t struct {
			Properties struct{ ContentID, ContentKind, Version string }
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, c.failed(templatesOfRules, err)
		}
		if p := t.Properties; strings.EqualFold(p.ContentKind, "AnalyticsRule") && found[strings.ToLower(p.ContentID)].Name == "" {
			found[strings.ToLower(p.ContentID)] = Template{p.ContentID, p.Version}
		}
	}
	return found, nil
}

// Function is a saved function of a workspace.
type Function struct {
	Alias      string
	Parameters string
	Query      string
	resource   string
}

// Functions reads the saved functions. Saved queries that are none are left out.
func (c *Client) Functions(ctx context.Context) ([]Function, error) {
	list, err := c.list(ctx, "the saved functions", url.Values{"api-version": {savedSearches}}, "savedSearches")
	if err != nil {
		return nil, err
	}
	found := []Function{}
	for _, raw := range list {
		var s struct {
			ID, Name   string
			Properties struct{ FunctionAlias, FunctionParameters, Query string }
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, c.failed("the saved functions", err)
		}
		alias := strings.TrimSpace(s.Properties.FunctionAlias)
		if alias == "" {
			continue
		}
		found = append(found, Function{Alias: alias, Parameters: s.Properties.FunctionParameters, Query: s.Properties.Query, resource: cmp.Or(s.Name, s.ID)})
	}
	slices.SortStableFunc(found, func(a, b Function) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Alias), strings.ToLower(b.Alias)), cmp.Compare(a.Alias, b.Alias), cmp.Compare(a.resource, b.resource))
	})
	return found, nil
}

// Watchlist is a watchlist of a workspace with its items.
type Watchlist struct {
	Alias string
	// Columns are those of the items, the search key first.
	Columns []string
	Rows    [][]string
	err     error // why its items could not be read
}

// Watchlists reads the watchlists and their items. Those whose items cannot be read
// have an error in the place of them.
func (c *Client) Watchlists(ctx context.Context) ([]Watchlist, error) {
	list, err := c.security(ctx, "the watchlists", "watchlists")
	if err != nil {
		return nil, err
	}
	found := []Watchlist{}
	for _, raw := range list {
		var w struct {
			Name       string
			Properties struct {
				WatchlistAlias, ItemsSearchKey string
				IsDeleted                      bool
			}
		}
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, c.failed("the watchlists", err)
		}
		if w.Properties.IsDeleted {
			continue
		}
		alias := cmp.Or(w.Properties.WatchlistAlias, w.Name)
		one := Watchlist{Alias: alias}
		var items []map[string]any
		if items, one.err = c.items(ctx, cmp.Or(w.Name, alias)); one.err == nil {
			one.Columns, one.Rows = table(w.Properties.ItemsSearchKey, items)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found = append(found, one)
	}
	slices.SortStableFunc(found, func(a, b Watchlist) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Alias), strings.ToLower(b.Alias)), cmp.Compare(a.Alias, b.Alias))
	})
	return found, nil
}

// items reads the items of a watchlist.
func (c *Client) items(ctx context.Context, name string) ([]map[string]any, error) {
	what := "the items of the watchlist " + quoted(name)
	if strings.Trim(name, ".") == "" {
		return nil, c.failed(what, errors.New("its alias is no part of an address"))
	}
	list, err := c.security(ctx, what, "watchlists", name, "watchlistItems")
	if err != nil {
		return nil, err
	}
	var found []map[string]any
	for _, raw := range list {
		var item struct {
			Properties struct {
				ItemsKeyValue map[string]any
				IsDeleted     bool
			}
		}
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		decoder.UseNumber()
		if err := decoder.Decode(&item); err != nil {
			return nil, c.failed(what, err)
		}
		if !item.Properties.IsDeleted {
			found = append(found, item.Properties.ItemsKeyValue)
		}
	}
	return found, nil
}

// quoted is a name of the workspace in a message.
func quoted(name string) string { return "“" + text.Cut(text.Safe(name), 100) + "”" }
