package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pushback/detect/ledger/azurite"
)

const (
	standInReceiver = "https://" + standInTickets + "/alerts?code=c2VjcmV0LWNvZGU"
	standInSigning  = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
)

// ticketsStandIn takes what is signed, and answers as the test says.
type ticketsStandIn struct {
	t      *testing.T
	mu     sync.Mutex
	answer http.HandlerFunc // nothing is taken for good while it is set
	posted []ticket
}

type ticket struct {
	ID, Type, Severity, Headline string
	taken                        bool
}

func (s *ticketsStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead && r.URL.RequestURI() == "/" {
		return // a check reaches it
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	hook, err := standardwebhooks.NewWebhook(standInSigning)
	if err == nil {
		err = hook.Verify(body, r.Header)
	}
	var t ticket
	if err == nil {
		err = json.Unmarshal(body, &t)
	}
	if err != nil || t.ID != r.Header.Get("webhook-id") || "https://"+r.Host+r.URL.RequestURI() != standInReceiver {
		s.t.Errorf("%s %s: %v: %.300s", r.Host, r.URL, err, body)
	}
	s.mu.Lock()
	answer := s.answer
	t.taken = answer == nil
	s.posted = append(s.posted, t)
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func (s *ticketsStandIn) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// A day's alerts are posted to a webhook, beside Teams. One whose answer never came
// comes again with its id, also after a restart. A receiver that wants no more is
// left alone, and the other destination hears of it.
func TestProcessReceiver(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	channel, tickets := &channelStandIn{t: t, answer: answering(202, "")}, &ticketsStandIn{t: t}
	c.teams, c.tickets = channel.ServeHTTP, tickets.ServeHTTP
	settings := newLedgerTable(t).settings(azurite.Addr(t))
	for name, value := range map[string]string{"TEAMS_WEBHOOK_URL": standInWebhook, "TEAMS_MAX_CARDS": "100", "WEBHOOK_URL": standInReceiver, "WEBHOOK_SECRET": standInSigning, "CONTEXT": "off"} {
		settings["PUSHBACK_"+name] = value
	}
	h := startHost(t, c, settings)
	for now := at(0, 5); !now.After(at(26, 5)); now = now.Add(time.Hour) {
		switch {
		case now.Equal(at(8, 5)):
			tickets.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		case now.Equal(at(10, 5)):
			h.stop()
			h.start()
			tickets.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
		case now.Equal(at(13, 5)):
			tickets.set(nil)
		}
		c.setNow(now)
		h.post(timerBody(now, 0), nil)
	}
	h.stop()
	posts, taken := map[string]int{}, map[string]int{}
	for _, p := range tickets.posted {
		posts[p.ID]++
		if p.taken {
			taken[p.ID]++
		}
	}
	again, lines := 0, h.logged("alert")
	for _, l := range lines {
		if n := taken[l.ID]; n != 1 && !strings.Contains(l.Title, "destination webhook") {
			t.Errorf("%q was taken %d times", l.Title, n)
		}
		if posts[l.ID] > 1 {
			again++
		}
	}
	if len(lines) < 20 || again == 0 || len(tickets.posted) > len(lines)+20 {
		t.Errorf("%d posts of %d alerts, %d of them again", len(tickets.posted), len(lines), again)
	}
	said := false
	for _, card := range channel.take() {
		said = said || strings.Contains(card, "Pushback health") && strings.Contains(card, "webhook")
	}
	if !said {
		t.Error("nobody hears that the receiver wants no more")
	}
}
