package main

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestProcessTeams posts a day's alerts to a webhook that is down at first, and
// asks to be left alone then.
func TestProcessTeams(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0LXNpZ25hdHVyZQ"
	c := newCloud(t)
	var mu sync.Mutex
	var titles []string
	posts := 0
	c.teams = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/workflows/alerts" || r.URL.Query().Get("sig") != secret || len(body) > 28<<10 {
			t.Errorf("%s %s of %d bytes: %v", r.Method, r.URL.Path, len(body), err)
		}
		switch posts++; posts {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 2:
			w.Header().Set("Retry-After", "300")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "slow down, https://"+standInTeams+r.URL.RequestURI())
			return
		}
		var message struct {
			Type        string
			Attachments []struct {
				ContentType string
				Content     struct{ FallbackText string }
			}
		}
		if err := json.Unmarshal(body, &message); err != nil || message.Type != "message" || len(message.Attachments) != 1 ||
			message.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
			t.Errorf("%v: %.300s", err, body)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		titles = append(titles, message.Attachments[0].Content.FallbackText)
		w.WriteHeader(http.StatusAccepted)
	}
	h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/workflows/alerts?api-version=1&sig=" + secret})
	failed := 0
	for now := at(0, 5); !now.After(at(26, 10)); now = now.Add(5 * time.Minute) {
		c.setNow(now)
		if got := h.post(timerBody(now, 0), nil); got.status != http.StatusOK {
			failed++
		}
	}
	h.stop()
	var want []string
	for _, a := range demoJSON().alerts(t) {
		want = append(want, a.Severity.String())
	}
	if len(titles) != len(want) {
		t.Errorf("%d cards for %d alerts", len(titles), len(want))
	}
	var severities []string
	for _, title := range titles {
		severity, _, _ := strings.Cut(title, ":")
		severities = append(severities, severity)
	}
	slices.Sort(want)
	slices.Sort(severities)
	if !slices.Equal(want, severities) {
		t.Errorf("cards of %q, want %q", severities, want)
	}
	if failed != 3 {
		t.Errorf("%d ticks failed, want the two of which the webhook took nothing and the one in which it was left alone", failed)
	}
	if out := h.stdout.String() + h.stderr.String(); strings.Contains(out, secret) || !strings.Contains(out, "teams.example/…") {
		t.Error("the log holds the secret, or does not name the webhook")
	}
}
