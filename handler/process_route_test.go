package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pushback/detect/ledger/azurite"
)

const routesYAML = `routes:
  - name: engineers
    match: {entity: {tag: Engineering}}
    to: PUSHBACK_TEAMS_WEBHOOK_URL_VIP
    mention: {id: amy@contoso.example, name: Amy}
    continue: true
  - name: evening
    match: {rule: mfa-*, severity: Medium, hours: "daily 18:00-02:00 Europe/Berlin"}
    to: [PUSHBACK_TEAMS_WEBHOOK_URL_NIGHT, PUSHBACK_TEAMS_WEBHOOK_URL_SAME]
    mention: bob@contoso.example
`

// TestProcessRoutes runs a day with routes, while one of the webhooks takes nothing for
// hours and the app restarts. Each alert is posted once to each address that handler
// route names, and mentions who is to hear of it there.
func TestProcessRoutes(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	channel := &channelStandIn{t: t, answer: answering(202, "")}
	tickets := &ticketsStandIn{t: t}
	c.teams, c.tickets = channel.ServeHTTP, tickets.ServeHTTP
	file := filepath.Join(t.TempDir(), "routes.yaml")
	const paging = "  - {name: page, match: {severity: High}, to: [PUSHBACK_WEBHOOK_URL, PUSHBACK_TEAMS_WEBHOOK_URL]}\n"
	if err := os.WriteFile(file, []byte(routesYAML+paging), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := func(name string) string {
		return "https://" + standInTeams + "/workflows/" + name + "?sig=c2VjcmV0LXNpZ25hdHVyZQ"
	}
	paths := map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "/workflows/alerts", "PUSHBACK_TEAMS_WEBHOOK_URL_VIP": "/workflows/vip", "PUSHBACK_TEAMS_WEBHOOK_URL_NIGHT": "/workflows/night"}
	settings := oneRule(newLedgerTable(t).settings(azurite.Addr(t)), map[string]string{
		"PUSHBACK_ROUTES": file, "PUSHBACK_TEAMS_WEBHOOK_URL": hook("alerts"), "PUSHBACK_TEAMS_WEBHOOK_URL_VIP": hook("vip"), "PUSHBACK_TEAMS_WEBHOOK_URL_NIGHT": hook("night"),
		"PUSHBACK_TEAMS_WEBHOOK_URL_SAME": hook("night"), "PUSHBACK_TEAMS_MAX_CARDS": "50",
		"PUSHBACK_WEBHOOK_URL": standInReceiver, "PUSHBACK_WEBHOOK_SECRET": standInSigning,
	})
	h := startHost(t, c, settings)
	for hour := 10; hour < 25; hour++ {
		switch hour {
		case 12:
			channel.set(func(w http.ResponseWriter, r *http.Request, _ string) {
				w.WriteHeader(map[bool]int{true: 503, false: 202}[r.URL.Path == paths["PUSHBACK_TEAMS_WEBHOOK_URL_VIP"]])
			})
		case 16: // what waits stays where it was to go
			h.stop()
			h.start()
		case 20:
			channel.set(answering(202, ""))
		}
		c.setNow(at(hour, 5))
		h.post(timerBody(at(hour, 5), 0), nil)
	}
	h.stop()

	// What was posted, as far as it was taken: the answer 503 is one in vain.
	listed := command(t, settings, "alerts", "list", "--since", "", "--json")
	var ids []string
	posted := map[string]int{}
	for _, card := range channel.take() {
		path, body, _ := strings.Cut(card, " ")
		posted[path+" "+body]++
	}
	paged := map[string]int{}
	for _, p := range tickets.posted {
		paged[p.ID]++
	}
	deliveries, mentions, pages := 0, 0, 0
	list := filepath.Join(t.TempDir(), "alerts.json")
	if err := os.WriteFile(list, []byte(listed.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	decided := slices.Collect(strings.Lines(command(t, settings, "route", list, "--json").stdout))
	for i, line := range slices.Collect(strings.Lines(listed.stdout)) {
		var a struct {
			ID, RuleName string
			Deliveries   []struct{ Destination, Address, State string }
		}
		var d struct {
			ID, Address string
			To          []struct {
				Destination, Setting string
				Mention              []struct{ ID, Name string }
			}
		}
		if err := errors.Join(json.Unmarshal([]byte(line), &a), json.Unmarshal([]byte(decided[i]), &d)); err != nil || d.ID != a.ID {
			t.Fatal(err, line, decided[i])
		}
		if d.Address != "" { // a copy, for another address than the usual one
			continue
		}
		ids = append(ids, a.ID)
		var want, got []string
		page := 0
		for _, to := range d.To {
			if to.Destination == "webhook" {
				page = 1
			}
			if to.Destination != "teams" {
				continue
			}
			want = append(want, to.Setting)
			found := 0
			for key := range posted {
				if strings.HasPrefix(key, paths[to.Setting]+" ") && strings.Contains(key, a.ID) {
					found++
					for _, m := range to.Mention {
						mentions++
						if !strings.Contains(key, `"mentioned":{"id":"`+m.ID+`","name":"`+m.Name+`"}`) {
							t.Errorf("%s at %s does not mention %s", a.ID, to.Setting, m.ID)
						}
					}
					if len(to.Mention) == 0 && strings.Contains(key, "<at>") {
						t.Errorf("%s at %s mentions somebody", a.ID, to.Setting)
					}
				}
			}
			if found == 0 {
				t.Errorf("%s was not posted to %s", a.ID, to.Setting)
			}
		}
		if pages += page; paged[a.ID] != page {
			t.Errorf("%s was posted %d times to the webhook, and routes say %d", a.ID, paged[a.ID], page)
		}
		for _, to := range a.Deliveries {
			if to.State != "sent" {
				t.Errorf("%s is %s at %s", a.ID, to.State, to.Address)
			}
			if to.Destination == "teams" {
				deliveries++
				if to.Address == "" {
					to.Address = "PUSHBACK_TEAMS_WEBHOOK_URL"
				}
				got = append(got, to.Address)
			}
		}
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s went to %v, and routes say %v", a.ID, got, want)
		}
	}
	if len(ids) < 8 || deliveries <= len(ids) || mentions == 0 || pages == 0 || pages >= len(ids) {
		t.Errorf("%d alerts, %d deliveries, %d mentions, %d pages", len(ids), deliveries, mentions, pages)
	}
	for _, id := range ids {
		for _, path := range paths {
			n := 0
			for key, times := range posted {
				if strings.HasPrefix(key, path+" ") && strings.Contains(key, id) {
					n += times
				}
			}
			if n > 1 && path != paths["PUSHBACK_TEAMS_WEBHOOK_URL_VIP"] {
				t.Errorf("%s was posted %d times to %s", id, n, path)
			}
		}
	}
	if out := h.stdout.String() + h.stderr.String(); strings.Contains(out, "c2VjcmV0") {
		t.Error("the log holds a secret")
	}
	if r := command(t, settings, "check"); !strings.Contains(r.stdout, "engineers ("+file+":2) sends alerts about an entity with tag Engineering to PUSHBACK_TEAMS_WEBHOOK_URL_VIP") || strings.Contains(r.stdout, "c2VjcmV0") {
		t.Errorf("check: %s", r.stdout)
	}
}

// TestProcessWrongRoutes expects a file that is wrong to count for nothing: every tick
// fails and says why, and alerts go where they would without it.
func TestProcessWrongRoutes(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	channel := &channelStandIn{t: t, answer: answering(202, "")}
	c.teams = channel.ServeHTTP
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, []byte(routesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	h := startHost(t, c, oneRule(map[string]string{"PUSHBACK_ROUTES": file, "PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook, "PUSHBACK_CONTEXT": "off"}))
	for hour := range 4 {
		c.setNow(at(hour, 5))
		if got := h.post(timerBody(at(hour, 5), 0), nil); got.status == http.StatusOK {
			t.Errorf("the tick at %d succeeds", hour)
		}
	}
	h.stop()
	cards := channel.take()
	if len(cards) == 0 || slices.ContainsFunc(cards, func(card string) bool { return !strings.HasPrefix(card, "/workflows/alerts ") }) {
		t.Errorf("%d cards", len(cards))
	}
	if out := h.stdout.String() + h.stderr.String(); !strings.Contains(out, "the file of routes counts for nothing") || !strings.Contains(out, file+":4:9: the setting PUSHBACK_TEAMS_WEBHOOK_URL_VIP is not set") {
		t.Error("the log does not say what is wrong")
	}
}
