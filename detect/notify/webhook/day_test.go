package webhook

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// In a day of faults, with restarts and three hours in which nothing is answered or taken, each alert
// arrives. What arrives twice has the same id, so that a receiver drops it, and
// nothing is parked.
func TestDayOfFaults(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 30))
	faults := []struct {
		answer http.HandlerFunc
		taken  bool
	}{
		{cut, false}, {cut, true}, {answer(500, ""), false}, {answer(502, ""), true}, {answer(503, "", "Retry-After", "60"), false}, {answer(503, "", "Retry-After", "soon"), true},
		{answer(429, "", "Retry-After", "120"), false}, {answer(408, ""), true}, {answer(401, ""), false}, {answer(404, ""), false}, {answer(410, ""), false}, {answer(302, "", "Location", "/"), false},
		{cutAnswer(202), true}, {answer(200, "no"), true},
	}
	r := newReceiver(t)
	from := newClock().Now()
	r.fault = func() (http.HandlerFunc, bool) {
		switch passed := r.clock.Now().Sub(from); {
		case passed > 24*time.Hour:
			return nil, false
		case passed > 9*time.Hour && passed < 10*time.Hour:
			return cut, random.IntN(2) == 0
		case passed > 15*time.Hour && passed < 16*time.Hour:
			return answer(401, ""), false
		case passed > 20*time.Hour && passed < 21*time.Hour:
			return answer(410, ""), false
		case random.IntN(100) < 80:
			return nil, false
		}
		f := faults[random.IntN(len(faults))]
		return f.answer, f.taken
	}
	memory := ledger.NewMemory()
	var d *detect.Detector
	made := map[string]bool{}
	for now := from; now.Before(from.Add(36 * time.Hour)); now = now.Add(5 * time.Minute) {
		r.clock.set(now)
		if n := random.IntN(4); now.Before(from.Add(24*time.Hour)) && n < 3 {
			var list []alert.Alert
			for range n {
				a := sampleAlert()
				a.ID, a.Updates = alert.NewGUID("day", fmt.Sprint(len(made))), nil
				made[a.ID] = true
				list = append(list, a)
			}
			if len(list) > 0 {
				record(t, memory, now, list...)
			}
		}
		if d == nil || random.IntN(50) == 0 { // a restart
			var err error
			if d, err = detect.New(detect.DefaultConfig(), nil, nil, memory, r.webhook(vectorSecret, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		report, err := d.Tick(t.Context(), now)
		if n := report.Deliveries[0].Parked; n > 0 || err != nil && now.After(from.Add(26*time.Hour)) {
			t.Fatalf("%d are parked at %s: %v", n, now, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	twice := 0
	for id, n := range r.taken {
		if n > 1 {
			twice++
		}
		if !made[id] {
			t.Errorf("alert %s came, and is none", id)
		}
	}
	missing := slices.DeleteFunc(slices.Collect(maps.Keys(made)), func(id string) bool { return r.taken[id] > 0 })
	if len(missing) > 0 || len(made) < 150 || twice < 5 {
		t.Errorf("%d of %d alerts are missing, %d arrived twice, in %d requests", len(missing), len(made), twice, len(r.ids))
	}
}
