package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/ledger/azurite"
)

// channelStandIn is a channel behind webhooks: it keeps what it was posted, and
// answers as the test says.
type channelStandIn struct {
	t      *testing.T
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request, text string) // says false if nothing was accepted
	cards  []string                                                  // that were posted, as one text each
}

func (c *channelStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var message struct {
		Attachments []struct{ Content json.RawMessage }
	}
	if err != nil || json.Unmarshal(body, &message) != nil || len(message.Attachments) != 1 {
		c.t.Errorf("%v: %.300s", err, body)
		return
	}
	c.mu.Lock()
	answer := c.answer
	c.cards = append(c.cards, r.URL.Path+" "+string(message.Attachments[0].Content))
	c.mu.Unlock()
	answer(w, r, string(body))
}

func (c *channelStandIn) set(answer func(w http.ResponseWriter, r *http.Request, text string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// take returns what was posted since it was called last.
func (c *channelStandIn) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	cards := c.cards
	c.cards = nil
	return cards
}

func answering(status int, body string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const standInWebhook = "https://" + standInTeams + "/workflows/alerts?sig=c2VjcmV0LXNpZ25hdHVyZQ"

// A success is one whatever its body says: each card is posted once, in a whole
// day of ticks.
func TestProcessWebhookAnswers(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		status int
		body   string
	}{
		{200, "OK"}, {200, `"1"`}, {200, "2"}, {200, "null"}, {200, `{"statusCode":200,"isSuccessStatusCode":true}`}, {201, `{"id":"17"}`},
		{200, "1"}, {202, ""}, {204, ""}, {200, "<html>Thank you</html>"}, {200, `{"error":null,"id":1}`},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			channel := &channelStandIn{t: t, answer: answering(test.status, test.body)}
			c.teams = channel.ServeHTTP
			h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook, "PUSHBACK_CONTEXT": "off"})
			for now := at(0, 5); !now.After(at(26, 5)); now = now.Add(time.Hour) {
				h.tick(c, now, http.StatusOK)
			}
			h.stop()
			alerts := len(h.logged("alert"))
			if cards := channel.take(); alerts < 20 || len(cards) != alerts || len(slices.Compact(slices.Sorted(slices.Values(cards)))) != alerts {
				t.Errorf("%d cards for %d alerts", len(cards), alerts)
			}
		})
	}
}

// A workflow that is switched off for hours loses nothing. Nothing is parked,
// every tick fails, and when it is on again all is sent, late ones as such. A
// restart in between changes nothing.
func TestProcessWebhookOff(t *testing.T) {
	t.Parallel()
	off := map[string]func(http.ResponseWriter, *http.Request, string){
		"off":     answering(400, `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow: trigger is not enabled."}}`),
		"deleted": answering(404, `{"error":{"code":"WorkflowNotFound","message":"not found"}}`),
		"refused": answering(401, `{"error":{"code":"DirectApiAuthorizationRequired","message":"no"}}`),
		"broken":  answering(500, ``),
	}
	for name, answer := range off {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			channel := &channelStandIn{t: t, answer: answering(202, "")}
			c.teams = channel.ServeHTTP
			settings := newLedgerTable(t).settings(azurite.Addr(t))
			settings["PUSHBACK_TEAMS_WEBHOOK_URL"], settings["PUSHBACK_CONTEXT"], settings["PUSHBACK_TEAMS_MAX_CARDS"] = standInWebhook, "off", "20"
			h := startHost(t, c, settings)
			h.tick(c, at(0, 5), http.StatusOK)
			h.tick(c, at(1, 5), http.StatusOK)
			taken := channel.take()
			channel.set(answer)
			posted := 0
			for now := at(1, 10); !now.After(at(8, 0)); now = now.Add(5 * time.Minute) {
				c.setNow(now)
				got := h.post(timerBody(now, 0), nil)
				posted += len(channel.take())
				if posted > 0 && got.status == http.StatusOK {
					t.Fatalf("the tick at %s succeeds while the webhook takes nothing", now)
				}
				if now.Equal(at(6, 0)) {
					h.stop()
					if r := command(t, settings, "outbox", "list"); r.code != exitDone || strings.Contains(r.stdout, "parked") || !strings.Contains(r.stdout, "teams teams.example/…") || !strings.Contains(r.stdout, " has taken nothing since ") {
						t.Errorf("outbox list: %+v", r)
					}
					h.start()
				}
			}
			if posted == 0 || posted > 25 {
				t.Errorf("it was tried %d times in vain", posted)
			}
			channel.set(answering(202, ""))
			if name == "off" { // somebody who switched it on need not wait
				r := command(t, settings, "outbox", "list", "--json")
				id, _, _ := strings.Cut(strings.TrimPrefix(r.stdout, `{"id":"`), `"`)
				if r := command(t, settings, "outbox", "retry", id); r.code != exitDone {
					t.Errorf("outbox retry: %+v", r)
				}
				h.tick(c, at(8, 5), http.StatusOK)
			}
			for now := at(8, 10); !now.After(at(26, 5)); now = now.Add(5 * time.Minute) {
				c.setNow(now)
				h.post(timerBody(now, 0), nil)
			}
			h.stop()
			after := channel.take()
			sent := 0
			for _, card := range append(taken, after...) {
				switch {
				case strings.Contains(card, "Pushback health"):
				case strings.Contains(card, " alerts at once"):
					t.Errorf("a digest of no more than twenty alerts: %.500s", card)
				default:
					sent++
				}
			}
			want := 0
			for _, l := range h.logged("alert") {
				if !strings.Contains(l.Title, "does not take alerts") {
					want++
				}
			}
			if sent != want || want < 20 {
				t.Errorf("%d cards for %d alerts", sent, want)
			}
			if !slices.ContainsFunc(after, func(card string) bool { return strings.Contains(card, " late: Pushback found it at 2026-03-17 ") }) {
				t.Error("no card says that it is late")
			}
			if slices.ContainsFunc(taken, func(card string) bool { return strings.Contains(card, " late: ") }) {
				t.Error("a card says that it is late that is not")
			}
		})
	}
}

// A route that was deleted does not stop the others, and what is wrong is said
// through them.
func TestProcessWebhookRoute(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	channel := &channelStandIn{t: t}
	channel.answer = func(w http.ResponseWriter, r *http.Request, _ string) {
		w.WriteHeader(map[string]int{"/workflows/high": 404}[r.URL.Path] + map[string]int{"/workflows/alerts": 202}[r.URL.Path])
	}
	c.teams = channel.ServeHTTP
	h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook,
		"PUSHBACK_TEAMS_ROUTES": "High=https://" + standInTeams + "/workflows/high?sig=YW5vdGhlci1zZWNyZXQ"})
	for now := at(0, 5); !now.After(at(26, 5)); now = now.Add(20 * time.Minute) {
		c.setNow(now)
		h.post(timerBody(now, 0), nil)
	}
	h.stop()
	cards := channel.take()
	medium, high, health := 0, 0, 0
	for _, card := range cards {
		switch {
		case strings.Contains(card, "Pushback health"):
			health++
		case strings.HasPrefix(card, "/workflows/high"):
			high++
		default:
			medium++
		}
	}
	if medium < 15 || high < 3 || health != 1 {
		t.Errorf("%d cards, %d tries of the route that is gone, %d health alerts", medium, high, health)
	}
	if out := h.stdout.String() + h.stderr.String(); strings.Contains(out, "c2VjcmV0") || strings.Contains(out, "YW5vdGhl") {
		t.Error("the log holds a secret")
	}
}

// A webhook that nothing is posted to is sent a heartbeat once a month; the tick
// says so.
func TestProcessHeartbeat(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	channel := &channelStandIn{t: t, answer: answering(202, "")}
	c.teams = channel.ServeHTTP
	h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook, "PUSHBACK_TEAMS_HEARTBEAT": "40d"})
	quiet := at(24*60, 5) // long after the generated day
	var beats []int
	for day := range 90 {
		h.tick(c, quiet.AddDate(0, 0, day), http.StatusOK)
		for _, card := range channel.take() {
			if strings.Contains(card, `"HEARTBEAT"`) {
				beats = append(beats, day)
				if !strings.Contains(card, "2 rules: MFA Rejected by User, MFA Fatigue") || !strings.Contains(card, "Nothing since") {
					t.Errorf("the heartbeat: %s", card)
				}
			}
		}
	}
	if !slices.Equal(beats, []int{40, 80}) {
		t.Errorf("heartbeats on the days %v", beats)
	}
}
