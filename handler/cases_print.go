package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/secret"
)

// shownText is a text without secrets and without what a terminal would obey.
func shownText(s string) string { return text.SafeLines(secret.Hide(s)) }

// textTests prints results as go test does.
type textTests struct {
	w     io.Writer
	style console.Style
}

func (p *textTests) result(r caseResult) error {
	word := "PASS"
	switch {
	case r.mistake != "":
		word = "MISTAKE"
	case !r.passed():
		word = "FAIL"
	}
	var sb strings.Builder
	fmt.Fprintf(&sb, "--- %s: %s/%s (%.2fs)\n", word, shownText(r.rule.Name), shownText(r.test.Name), r.took.Seconds())
	sb.WriteString(indented(strings.Join(r.lines(), "\n"), "    "))
	_, err := io.WriteString(p.w, sb.String())
	return err
}

// lines says why a case did not pass, and if so what was noted.
func (r caseResult) lines() []string {
	var warned []string
	for _, w := range r.warnings {
		warned = append(warned, "warning: "+shownText(w))
	}
	if r.passed() {
		return warned
	}
	at := placeIn(r.test.File, r.test.Line, r.test.Column)
	var lines []string
	switch {
	case r.mistake != "":
		lines = append(lines, at+": there is a mistake in the case:", indentedLines(shownText(r.mistake)))
	case r.failure != "":
		lines = append(lines, at+": the rule did not run:", indentedLines(shownText(r.failure)))
	}
	for _, d := range r.differences {
		head := shownText(d.What)
		if d.Line > 0 {
			head = placeIn(r.test.File, d.Line, d.Column) + ": " + head
		}
		lines = append(lines, head)
		if d.Want != "" {
			lines = append(lines, indented("want  "+shownText(d.Want), "  "))
		}
		if d.Got != "" {
			lines = append(lines, indented("got   "+shownText(d.Got), "  "))
		}
	}
	lines = append(lines, warned...)
	var noted once
	for _, n := range r.notes {
		if noted.first(n) {
			lines = append(lines, "note: "+shownText(n))
		}
	}
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\n")
	}
	return lines
}

func indentedLines(s string) string { return indented(s, "  ") }

// indented indents each line of a text and ends the last.
func indented(s, by string) string {
	if s == "" {
		return ""
	}
	return by + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+by) + "\n"
}

func (p *textTests) suite(s testSuite) error {
	word, cases := "ok", count(int64(len(s.results)), "case")
	bad := 0
	for _, r := range s.results {
		if !r.passed() {
			bad++
		}
	}
	switch {
	case bad > 0:
		word, cases = "FAIL", fmt.Sprintf("%d of %s", bad, cases)
	case len(s.problems) > 0:
		word, cases = "FAIL", count(int64(len(s.problems)), "mistake")+" in its cases"
	case len(s.results) == 0:
		word, cases = "?", "no cases"
		if found, _ := s.rule.Cases(); len(found) > 0 {
			cases = "no cases to run"
		}
	}
	_, err := fmt.Fprintf(p.w, "%-4s  %s  %s  %.2fs\n", word, shownFile(s.rule.File), cases, s.took.Seconds())
	return err
}

func (p *textTests) totals(r *testReport, took time.Duration) error {
	ran, failed, mistaken := r.counts()
	word := "PASS"
	if failed+mistaken+len(r.broken) > 0 {
		word = "FAIL"
	}
	var said []string
	if failed > 0 {
		said = append(said, fmt.Sprintf("%d failed", failed))
	}
	if mistaken > 0 {
		said = append(said, count(int64(mistaken), "mistake"))
	}
	if n := len(r.broken); n > 0 {
		said = append(said, count(int64(n), "error")+" in rules that were not tested")
	}
	if r.left > 0 {
		said = append(said, fmt.Sprintf("%d left out by --run", r.left))
	}
	line := fmt.Sprintf("%s: %s of %s", word, count(int64(ran), "case"), count(int64(len(r.suites)), "rule"))
	if len(said) > 0 {
		line += ", " + strings.Join(said, ", ")
	}
	if unmatched := r.unmatched(); unmatched != "" {
		line = "FAIL" + strings.TrimPrefix(line, word) + ", and " + unmatched
	} else if ran == 0 && word == "PASS" {
		line = "PASS: there are no cases to run"
	}
	_, err := fmt.Fprintf(p.w, "%s, in %.2fs\n", line, took.Seconds())
	return err
}

// jsonTests prints an object per case.
type jsonTests struct{ w io.Writer }

// jsonResult is what it prints.
type jsonResult struct {
	Rule        string            `json:"rule"`
	RuleID      string            `json:"ruleId"`
	RuleFile    string            `json:"ruleFile"`
	Case        string            `json:"case"`
	File        string            `json:"file"`
	Line        int               `json:"line,omitempty"`
	Column      int               `json:"column,omitempty"`
	Result      string            `json:"result"` // pass, fail or mistake
	Seconds     float64           `json:"seconds"`
	Alerts      int               `json:"alerts"`
	Silenced    map[string]int    `json:"silenced,omitempty"`
	Differences []rule.Difference `json:"differences,omitempty"`
	Error       string            `json:"error,omitempty"`
	Warnings    []string          `json:"warnings,omitempty"`
	Notes       []string          `json:"notes,omitempty"`
}

func (p *jsonTests) result(r caseResult) error {
	out := jsonResult{
		Rule: r.rule.Name, RuleID: r.rule.ID, RuleFile: r.rule.File, Case: r.test.Name, File: r.test.File, Line: r.test.Line, Column: r.test.Column,
		Result: "pass", Seconds: r.took.Seconds(), Alerts: r.alerts, Silenced: r.silenced, Differences: r.differences, Warnings: r.warnings, Notes: r.notes,
	}
	switch {
	case r.mistake != "":
		out.Result, out.Error = "mistake", r.mistake
	case !r.passed():
		out.Result, out.Error = "fail", r.failure
	}
	return p.write(out)
}

func (p *jsonTests) write(value any) error {
	written, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = p.w.Write(append(escaped(hiddenJSON(written)), '\n'))
	return err
}

// suite prints the mistakes for which there is no case.
func (p *jsonTests) suite(s testSuite) error {
	for _, m := range s.problems {
		err := p.write(jsonResult{Rule: s.rule.Name, RuleID: s.rule.ID, RuleFile: s.rule.File, File: m.File, Line: m.Line, Column: m.Column, Result: "mistake", Error: m.Message})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *jsonTests) totals(*testReport, time.Duration) error { return nil }

// The elements of a JUnit file, as CI systems read them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		File     string      `xml:"file,attr,omitempty"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Error   *junitMessage `xml:"error,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the results into a file.
func (r *testReport) writeJUnit(path string) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	all := junitSuites{Time: seconds(time.Since(r.begin))}
	for _, s := range r.suites {
		suite := junitSuite{Name: shownText(s.rule.Name), File: shownFile(s.rule.File), Time: seconds(s.took)}
		add := func(c junitCase) {
			suite.Tests++
			if c.Failure != nil {
				suite.Failures++
			}
			if c.Error != nil {
				suite.Errors++
			}
			suite.Cases = append(suite.Cases, c)
		}
		for _, result := range s.results {
			c := junitCase{Class: suite.Name, Name: shownText(result.test.Name), File: shownFile(result.test.File), Line: result.test.Line, Time: seconds(result.took)}
			lines := result.lines()
			message := func(first string) *junitMessage {
				return &junitMessage{Message: first, Text: strings.Join(lines, "\n")}
			}
			switch {
			case result.mistake != "":
				c.Error = message("mistake in the case")
			case result.failure != "":
				c.Failure = message("the rule did not run")
			case len(result.differences) > 0:
				d := result.differences[0]
				c.Failure = message(shownText(fmt.Sprintf("%s: want %s, got %s", d.What, d.Want, d.Got)))
			}
			add(c)
		}
		for _, p := range s.problems {
			add(junitCase{Class: suite.Name, Name: "cases", File: shownFile(p.File), Line: p.Line, Time: "0.000", Error: &junitMessage{Message: "mistake in a case", Text: shownText(p.String())}})
		}
		all.Tests, all.Failures, all.Errors = all.Tests+suite.Tests, all.Failures+suite.Failures, all.Errors+suite.Errors
		all.Suites = append(all.Suites, suite)
	}
	if len(r.broken) > 0 {
		suite := junitSuite{Name: "rules that were not tested", Tests: len(r.broken), Errors: len(r.broken), Time: "0.000"}
		for _, text := range r.broken {
			first, _, _ := strings.Cut(shownText(text), "\n")
			suite.Cases = append(suite.Cases, junitCase{Class: suite.Name, Name: first, Time: "0.000", Error: &junitMessage{Message: first, Text: shownText(text)}})
		}
		all.Tests, all.Errors, all.Suites = all.Tests+suite.Tests, all.Errors+suite.Errors, append(all.Suites, suite)
	}
	written, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("--junit: %w", err)
	}
	if err := os.WriteFile(path, append([]byte(xml.Header), append(written, '\n')...), 0o644); err != nil {
		return fmt.Errorf("--junit %s: %w", path, withoutPath(err))
	}
	return nil
}
