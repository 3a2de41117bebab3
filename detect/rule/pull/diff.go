package pull

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pushback/detect/input"
	"pushback/detect/logs"
	"pushback/detect/rule"
)

// What a finding is about, and what was found.
const (
	KindRule      = "rule"
	KindFunction  = "function"
	KindWatchlist = "watchlist"

	OnlyHere    = "only here"
	OnlyThere   = "only there"
	Differs     = "differs"
	OldTemplate = "older than its template"
)

// Finding is something that is not the same in the folder and in the workspace, or a
// rule of the workspace whose template is newer.
type Finding struct {
	Kind   string `json:"kind"`
	Status string `json:"status"`
	Name   string `json:"name"`
	// ID is that of a rule.
	ID string `json:"id,omitempty"`
	// File is where it is in the folder.
	File        string       `json:"file,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Version is what a rule has of its template, and TemplateVersion what there is.
	Version         string `json:"version,omitempty"`
	TemplateVersion string `json:"templateVersion,omitempty"`
}

// Comparison is what a folder and a workspace differ in.
type Comparison struct {
	Findings []Finding
	// Same counts what is the same in both.
	Same int
	// Problems are about what could not be compared.
	Problems []Problem
}

// HasFunctions and HasWatchlists report whether the folder holds any, or a place for
// them: else they are not compared.
func (f *Folder) HasFunctions() bool  { return f.has(functionsFolder) }
func (f *Folder) HasWatchlists() bool { return f.has(watchlistsFolder) }

func (f *Folder) has(name string) bool {
	info, err := os.Stat(filepath.Join(f.Path, name))
	return err == nil && info.IsDir()
}

// Pair is a rule of the folder with the one of the workspace that it is.
type Pair struct {
	Here  *rule.Rule
	There Rule
}

// Pairs finds the rules that are in both places: those of one id, and of the others
// those that were made from a template that has the id of the one in the folder.
func Pairs(here []*rule.Rule, there []Rule) (pairs []Pair, onlyHere []*rule.Rule, onlyThere []Rule) {
	taken := make([]bool, len(there))
	byID, byTemplate := map[string]int{}, map[string][]int{}
	for i, r := range there {
		byID[strings.ToLower(r.ID)] = i
		if r.Template != "" {
			byTemplate[strings.ToLower(r.Template)] = append(byTemplate[strings.ToLower(r.Template)], i)
		}
	}
	found := make([]int, len(here))
	for n, r := range here {
		found[n] = -1
		if i, ok := byID[strings.ToLower(r.ID)]; ok && !taken[i] {
			found[n], taken[i] = i, true
		}
	}
	for n, r := range here {
		for _, i := range byTemplate[strings.ToLower(r.ID)] {
			if found[n] < 0 && !taken[i] {
				found[n], taken[i] = i, true
			}
		}
	}
	for n, r := range here {
		if found[n] < 0 {
			onlyHere = append(onlyHere, r)
			continue
		}
		pairs = append(pairs, Pair{r, there[found[n]]})
	}
	for i, r := range there {
		if !taken[i] {
			onlyThere = append(onlyThere, r)
		}
	}
	return pairs, onlyHere, onlyThere
}

// Compare compares the folder with what the workspace holds. Templates may be nil.
func (f *Folder) Compare(c Content, templates map[string]Template) Comparison {
	var out Comparison
	if c.Rules != nil {
		f.compareRules(*c.Rules, templates, &out)
	}
	if c.Functions != nil && f.HasFunctions() {
		f.compareFunctions(c.Functions, &out)
	}
	if c.Watchlists != nil && f.HasWatchlists() {
		f.compareWatchlists(c.Watchlists, &out)
	}
	kinds, statuses := []string{KindRule, KindFunction, KindWatchlist}, []string{Differs, OnlyHere, OnlyThere, OldTemplate}
	slices.SortStableFunc(out.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(slices.Index(statuses, a.Status), slices.Index(statuses, b.Status)),
			cmp.Compare(a.File, b.File), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (f *Folder) compareRules(there Rules, templates map[string]Template, out *Comparison) {
	pairs, onlyHere, onlyThere := Pairs(f.Rules, there.List)
	old := func(r Rule, file string) {
		t, ok := templates[strings.ToLower(r.Template)]
		if r.Template != "" && ok && older(r.TemplateVersion, t.Version) {
			out.Findings = append(out.Findings, Finding{Kind: KindRule, Status: OldTemplate, Name: r.Name, ID: r.ID, File: file, Version: r.TemplateVersion, TemplateVersion: t.Version})
		}
	}
	for _, p := range pairs {
		differences, err := Differences(p.Here, p.There.Rule)
		switch {
		case err != nil:
			out.Problems = append(out.Problems, Problem{Text: p.Here.File + ": " + err.Error()})
		case len(differences) > 0:
			out.Findings = append(out.Findings, Finding{Kind: KindRule, Status: Differs, Name: p.There.Name, ID: p.There.ID, File: p.Here.File, Differences: differences})
		default:
			out.Same++
		}
		old(p.There, p.Here.File)
	}
	for _, r := range onlyHere {
		if there.leftOut[strings.ToLower(r.ID)] {
			continue // which its problem says
		}
		out.Findings = append(out.Findings, Finding{Kind: KindRule, Status: OnlyHere, Name: r.Name, ID: r.ID, File: r.File})
	}
	for _, r := range onlyThere {
		if file := f.broken[strings.ToLower(r.ID)]; file != "" {
			continue // which its problem says
		}
		out.Findings = append(out.Findings, Finding{Kind: KindRule, Status: OnlyThere, Name: r.Name, ID: r.ID})
		old(r, "")
	}
}

// older reports whether a version such as 1.0.2 is before another. What is no such
// version is before none.
func older(version, than string) bool {
	numbers := func(text string) (list []int) {
		for part := range strings.SplitSeq(strings.TrimSpace(text), ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			list = append(list, n)
		}
		for len(list) > 1 && list[len(list)-1] == 0 { // 1.0 is 1.0.0
			list = list[:len(list)-1]
		}
		return list
	}
	a, b := numbers(version), numbers(than)
	return a != nil && b != nil && slices.Compare(a, b) < 0
}

func (f *Folder) compareFunctions(there []Function, out *Comparison) {
	here, problems := rule.LoadFunctions(filepath.Join(f.Path, functionsFolder))
	if len(here) > 0 || len(there) > 0 {
		for _, p := range problems {
			if !p.Warning && p.Line > 0 {
				out.Problems = append(out.Problems, Problem{Text: p.String()})
			}
		}
	}
	met := map[string]bool{}
	for _, t := range there {
		at := slices.IndexFunc(here, func(h rule.Function) bool { return slices.Contains(h.Names, t.Alias) })
		if at < 0 {
			out.Findings = append(out.Findings, Finding{Kind: KindFunction, Status: OnlyThere, Name: t.Alias})
			continue
		}
		h := here[at]
		met[h.Names[0]] = true
		if sameFunction(h, t) {
			out.Same++
			continue
		}
		finding := Finding{Kind: KindFunction, Status: Differs, Name: t.Alias, File: h.File}
		add := func(setting, here, there string) {
			if here, there = plainText(here), plainText(there); here != there {
				finding.Differences = append(finding.Differences, Difference{Setting: setting, Here: here, There: there, Lines: lineDiff(here, there)})
			}
		}
		add("parameters", h.Parameters, t.Parameters)
		add("query", h.Body.Text, t.Query)
		out.Findings = append(out.Findings, finding)
	}
	for _, h := range here {
		if !met[h.Names[0]] {
			out.Findings = append(out.Findings, Finding{Kind: KindFunction, Status: OnlyHere, Name: h.Names[0], File: h.File})
		}
	}
}

func (f *Folder) compareWatchlists(there []Watchlist, out *Comparison) {
	dir := filepath.Join(f.Path, watchlistsFolder)
	files, err := logs.WatchlistFiles(dir)
	if err != nil {
		out.Problems = append(out.Problems, Problem{Text: err.Error()})
		return
	}
	met := map[string]bool{}
	for _, w := range there {
		file, ok := files[w.Alias]
		met[w.Alias] = true
		if w.err != nil {
			out.Problems = append(out.Problems, Problem{Text: w.err.Error()})
			continue
		}
		if !ok {
			out.Findings = append(out.Findings, Finding{Kind: KindWatchlist, Status: OnlyThere, Name: w.Alias})
			continue
		}
		want, err := w.CSV()
		if err != nil {
			out.Problems = append(out.Problems, Problem{Text: err.Error()})
			continue
		}
		got, err := os.ReadFile(file)
		switch {
		case err != nil:
			out.Problems = append(out.Problems, Problem{Text: file + ": " + input.Reason(err)})
		case sameItems(got, want):
			out.Same++
		default:
			out.Findings = append(out.Findings, Finding{Kind: KindWatchlist, Status: Differs, Name: w.Alias, File: file, Differences: []Difference{
				{Setting: "items", Lines: lineDiff(strings.TrimSuffix(orderedText(got), "\n"), strings.TrimSuffix(orderedText(want), "\n"))},
			}})
		}
	}
	for alias, file := range files {
		if !met[alias] {
			out.Findings = append(out.Findings, Finding{Kind: KindWatchlist, Status: OnlyHere, Name: alias, File: file})
		}
	}
}
