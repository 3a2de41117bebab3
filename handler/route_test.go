package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// routeSettings are a file of routes with two webhooks beside the usual one.
func routeSettings(file string) map[string]string {
	return map[string]string{
		"PUSHBACK_ROUTES": file, "PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook,
		"PUSHBACK_TEAMS_WEBHOOK_URL_VIP": standInWebhook + "1", "PUSHBACK_TEAMS_WEBHOOK_URL_NIGHT": standInWebhook + "2", "PUSHBACK_TEAMS_WEBHOOK_URL_SAME": standInWebhook + "2",
	}
}

// TestRoute pins what the command says of routes and of alerts, those of demo --json and
// that of alerts show --json, and that it shows no address.
func TestRoute(t *testing.T) {
	t.Parallel()
	const one = `{"id":"i1","ruleId":"d99cf5c3-d660-436c-895b-8a8f8448da23","ruleName":"MFA Rejected by User","title":"Evening\u001b[2J","severity":"Medium","created":"2026-03-16T20:00:00Z",
		"entities":[{"type":"Account","fields":[{"identifier":"Name","value":"amy"}]}],
		"context":{"sections":[{"title":"Identity","subject":"amy","facts":[{"name":"Groups","values":["All Employees","Engineering"]}]}]}}`
	dir := folder(t, map[string]string{
		"routes.yaml": routesYAML, "one.json": one, "shown.json": `{"id": "i1", "rule": "x", "ruleName": "x", "title": "x", "alert": ` + one + `}`,
		"held.json": strings.Replace(one, `"id"`, `"heldBack":{"by":"silence","silence":"pentest","reason":"a test"},"id"`, 1), "none.json": `{"a": 1}`,
		"wrong.yaml": strings.Replace(routesYAML, "Europe/Berlin", "Europe/Nowhere", 1),
	})
	settings := routeSettings("routes.yaml")
	expect := func(r result, code int, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(r.stdout+r.stderr, w) {
				t.Errorf("there is no %q\nstdout: %s\nstderr: %s", w, r.stdout, r.stderr)
			}
		}
		if r.code != code || strings.Contains(r.stdout+r.stderr, "c2VjcmV0") || strings.Contains(r.stdout, "\x1b") {
			t.Errorf("code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
		}
	}
	route := func(args ...string) result { return commandIn(t, dir, settings, append([]string{"route"}, args...)...) }
	expect(route(), exitDone, "engineers (routes.yaml:2)\n  alerts about an entity with tag Engineering\n  to PUSHBACK_TEAMS_WEBHOOK_URL_VIP, mentions Amy (amy@contoso.example), and goes on\n",
		"What no route takes goes to log, teams at PUSHBACK_TEAMS_WEBHOOK_URL\n")
	for _, file := range []string{"one.json", "shown.json"} {
		expect(route(file), exitDone, `i1  Medium  Evening\x1b[2J`, "engineers (routes.yaml:2) matches, and goes on", "evening (routes.yaml:7) matches, and ends here", "it goes to log\n",
			"it goes to teams at PUSHBACK_TEAMS_WEBHOOK_URL_VIP, and mentions Amy (amy@contoso.example)\n", "it goes to teams at PUSHBACK_TEAMS_WEBHOOK_URL_NIGHT, and mentions bob (bob@contoso.example)\n")
	}
	expect(route("one.json", "--at", "2026-03-17T11:00:00Z"), exitDone, "evening (routes.yaml:7) does not match: hours: 2026-03-17T11:00:00Z is not in daily 18:00-02:00 Europe/Berlin")
	expect(route("held.json"), exitDone, "it goes nowhere: held back by silence pentest, a test")
	expect(route("none.json"), exitFailed, "alert 1 has neither title nor ruleName")
	expect(route("one.json", "--routes", "wrong.yaml"), exitFailed, `wrong.yaml:8:51: hours: "daily 18:00-02:00 Europe/Nowhere"`)
	expect(commandIn(t, dir, nil, "route"), exitDone, "There are no routes (PUSHBACK_ROUTES): alerts go to log")
	expect(commandIn(t, dir, nil, "route", "one.json"), exitDone, "it goes to log\n")

	var d decision
	r := route("one.json", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil || len(d.Routes) != 2 || !*d.Routes[0].Matches || len(d.To) != 3 || d.To[2].Setting != "PUSHBACK_TEAMS_WEBHOOK_URL_NIGHT" {
		t.Errorf("%v: %s", err, r.stdout)
	}
	// The webhook has one address, and no alert but those that routes send there.
	if err := os.WriteFile(filepath.Join(dir, "page.yaml"), []byte("routes:\n  - {name: page, match: {severity: High}, to: PUSHBACK_WEBHOOK_URL, continue: true}\n  - {to: PUSHBACK_TEAMS_WEBHOOK_URL}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings["PUSHBACK_WEBHOOK_URL"], settings["PUSHBACK_WEBHOOK_SECRET"] = standInReceiver, standInSigning
	r = route("one.json", "--routes", "page.yaml")
	if expect(r, exitDone, "page (page.yaml:2) does not match: severity: Medium", "it goes to teams at PUSHBACK_TEAMS_WEBHOOK_URL\n"); strings.Contains(r.stdout, "goes to webhook") {
		t.Errorf("it goes to the webhook: %s", r.stdout)
	}
	expect(route("--routes", "page.yaml"), exitDone, "to PUSHBACK_WEBHOOK_URL, and goes on\n")

	settings["PUSHBACK_TEAMS_ROUTES"] = "High=" + standInWebhook
	expect(route(), exitFailed, "PUSHBACK_ROUTES and PUSHBACK_TEAMS_ROUTES are both set")
}

// TestLintRoutes pins that routes beside the rules are linted with them, and by
// themselves: with an address in the environment a setting that is not set is an error.
func TestLintRoutes(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../detect/rule/mfa-fatigue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string]string{"mine/rule.yaml": string(shipped), "mine/routes.yaml": "routes:\n  - {match: {rule: nobody}, to: PUSHBACK_TEAMS_WEBHOOK_URL_VIP}\n  - {to: PUSHBACK_TEAMS_WEBHOOK_URL}\n  - {match: {rule: mfa-*}, to: PUSHBACK_TEAMS_WEBHOOK_URL}\n"})
	const unknown, unset = `routes.yaml:2:20: no rule is called "nobody", so that the route is never taken`, "routes.yaml:2:33: %sthe setting PUSHBACK_TEAMS_WEBHOOK_URL_VIP is not set"
	for _, path := range []string{"mine", "mine/routes.yaml"} {
		r := commandIn(t, dir, nil, "lint", path)
		if r.code != exitFailed || !strings.Contains(r.stdout, unknown) || !strings.Contains(r.stdout, strings.Replace(unset, "%s", "warning: ", 1)) {
			t.Errorf("%s: %+v", path, r)
		}
		r = commandIn(t, dir, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook}, "lint", path)
		if r.code != exitFailed || !strings.Contains(r.stdout, strings.Replace(unset, "%s", "", 1)) {
			t.Errorf("%s with settings: %+v", path, r)
		}
	}
}
