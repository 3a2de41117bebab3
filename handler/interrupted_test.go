package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// cancelling ends a run at the first write that has a text in it.
type cancelling struct {
	bytes.Buffer
	at     string
	cancel context.CancelFunc
}

func (c *cancelling) Write(text []byte) (int, error) {
	if strings.Contains(string(text), c.at) {
		c.cancel()
	}
	return c.Buffer.Write(text)
}

// A run that is interrupted says what it found until then, and not in a form that
// looks whole.
func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		at   string
		want []string
		not  string
	}{
		{[]string{"demo"}, "Demo: ", []string{"\nTotals so far: interrupted", "Reported  0 alerts"}, "--alert N"},
		{[]string{"demo", "--details"}, "rana.shahin@", []string{"MFA rejected by yael.cohen@", "\nTotals so far: interrupted at 2026-03-17 0", "Reported  2 alerts"}, "georgi.dimitrov"},
		{[]string{"demo", "--json"}, "rana.shahin@", []string{"yael.cohen@"}, "georgi.dimitrov"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancelling{at: tc.at, cancel: cancel}
		var stderr bytes.Buffer
		code := run(ctx, tc.args, strings.NewReader(""), out, &stderr)
		cancel()
		if code != exitInterrupted || !strings.Contains(stderr.String(), "handler: interrupted") {
			t.Errorf("%s: code %d, %s", tc.args, code, stderr.String())
		}
		for _, want := range tc.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is missing in\n%s", tc.args, want, out.String())
			}
		}
		if tc.not != "" && strings.Contains(out.String(), tc.not) {
			t.Errorf("%s: %q is in\n%s", tc.args, tc.not, out.String())
		}
	}
}

func TestOutputFlags(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--alert", "0"}, "from 1"},
		{[]string{"--alert", "x"}, "from 1"},
		{[]string{"--alert", "-1"}, "from 1"},
		{[]string{"--json", "--details"}, "--json and --details are both given"},
		{[]string{"--alert", "1", "--details"}, "--alert and --details are both given"},
		{[]string{"--alert", "1", "--summary"}, "--summary and --alert are both given"},
		{[]string{"--details", "--summary"}, "--summary and --details are both given"},
		{[]string{"--alert", "1000"}, "--alert is 1000: the run reports 33 alerts"},
	} {
		if r := handler(t, append([]string{"demo"}, tc.args...)...); r.code != exitUsage || !strings.Contains(r.stderr, tc.want) || r.stdout != "" {
			t.Errorf("%s: code %d: %s%s", tc.args, r.code, r.stdout, r.stderr)
		}
	}
}

// The alert of a number is the one that has it in the table, as text and as JSON.
func TestAlertOfNumber(t *testing.T) {
	t.Parallel()
	table := handler(t, "demo", "--full").stdout
	if !strings.Contains(table, "\n 10   HIGH     01:28  yael.cohen@fabrikam.example") {
		t.Fatal(table)
	}
	one := handler(t, "demo", "--alert", "10")
	if one.code != exitDone || strings.Count(one.stdout, "────") == 0 || !strings.Contains(one.stdout, " HIGH  MFA rejected by yael.cohen@fabrikam.example") || strings.Contains(one.stdout, "Totals") {
		t.Errorf("code %d: %s", one.code, one.stdout)
	}
	if alerts := handler(t, "demo", "--alert", "10", "--json").alerts(t); len(alerts) != 1 || !strings.Contains(alerts[0].Title, "yael.cohen@") {
		t.Errorf("%v", alerts)
	}
}
