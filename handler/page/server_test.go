package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
)

// get asks the handler for a path under a host.
func get(h http.Handler, host, path string, header ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

// TestHosts asks under names: the page answers to addresses, localhost and its own
// name alone, for whatever is asked.
func TestHosts(t *testing.T) {
	t.Parallel()
	h := New(Options{}).Handler("laptop.example")
	for host, want := range map[string]int{"127.0.0.1:80": 200, "localhost": 200, "LOCALHOST:8080": 200, "[::1]:80": 200, "laptop.example:80": 200,
		"evil.example:80": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "": 421} {
		for _, path := range []string{"/", "/run.json", "/static/page.js", "/adaptivecards/adaptivecards.min.js"} {
			if w := get(h, host, path); w.Code != want {
				t.Errorf("host %q, %s: %d, want %d", host, path, w.Code, want)
			}
		}
	}
	if w := get(New(Options{}).Handler(""), "", "/"); w.Code != 421 {
		t.Errorf("without a name of its own: %d", w.Code)
	}
}

// TestHeaders has every answer, also one that refuses, with the policy.
func TestHeaders(t *testing.T) {
	t.Parallel()
	h := New(Options{}).Handler("")
	for path, want := range map[string]struct {
		code        int
		contentType string
	}{
		"/": {200, "text/html; charset=utf-8"}, "/static/page.css": {200, "text/css; charset=utf-8"}, "/static/page.js": {200, "text/javascript; charset=utf-8"},
		"/adaptivecards/adaptivecards.min.js": {200, "text/javascript; charset=utf-8"}, "/adaptivecards/LICENSE": {200, "text/plain; charset=utf-8"},
		"/run.json": {200, "application/json"}, "/run.json?after=-9": {200, "application/json"}, "/run.json?after=9": {200, "application/json"},
		"/run.json?after=x": {400, "text/plain; charset=utf-8"}, "/alert.json?n=0": {404, "text/plain; charset=utf-8"}, "/alert.json?n=-1": {404, "text/plain; charset=utf-8"},
		"/digest.json?n=0": {404, "text/plain; charset=utf-8"}, "/alert.json?n=x": {400, "text/plain; charset=utf-8"}, "/static/..%2f..%2fpage.go": {404, "text/plain; charset=utf-8"}, "/static/": {404, "text/plain; charset=utf-8"},
		"/adaptivecards/adaptivecards.min.js.gz": {404, "text/plain; charset=utf-8"}, "/static/other.js": {404, "text/plain; charset=utf-8"}, "/other": {404, "text/plain; charset=utf-8"},
	} {
		w := get(h, "127.0.0.1", path)
		if w.Code != want.code || w.Header().Get("Content-Type") != want.contentType {
			t.Errorf("%s: %d %s, want %d %s", path, w.Code, w.Header().Get("Content-Type"), want.code, want.contentType)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
	if w := httptest.NewRecorder(); true {
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://127.0.0.1/run.json", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", w.Code)
		}
	}
}

// TestCompressed has the renderer as it is in the binary for who takes that, and
// otherwise unpacked.
func TestCompressed(t *testing.T) {
	t.Parallel()
	h := New(Options{}).Handler("")
	plain := get(h, "localhost", "/adaptivecards/adaptivecards.min.js")
	packed := get(h, "localhost", "/adaptivecards/adaptivecards.min.js", "Accept-Encoding", "gzip, br")
	if packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" || packed.Body.Len() >= plain.Body.Len() {
		t.Errorf("%v %d, %v %d", packed.Header(), packed.Body.Len(), plain.Header(), plain.Body.Len())
	}
	if content, err := unpacked(packed.Body.Bytes()); err != nil || string(content) != plain.Body.String() {
		t.Errorf("unpacked it is another: %v", err)
	}
}

// ask reads an answer.
func ask[T any](t *testing.T, h http.Handler, path string) (answer T) {
	t.Helper()
	w := get(h, "127.0.0.1", path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestRun follows a run from before its logs are read to its end.
func TestRun(t *testing.T) {
	t.Parallel()
	p := New(Options{Title: "A\x1brun", Most: 2})
	h := p.Handler("")
	if l := ask[list](t, h, "/run.json"); l.Stage != reading || l.Total != 0 || l.Title != `A\x1brun` || l.Entries == nil {
		t.Errorf("at first: %+v", l)
	}
	p.At(noon) // says nothing yet
	p.Start(Run{First: noon, Last: noon.Add(4 * time.Hour), Rules: 3, Steps: []Step{{noon, 5, 1}}, StepHours: 4, One: "sign-in", Many: "sign-ins"})
	p.At(noon.Add(time.Hour))
	for i := range 5 {
		p.Add(alert.Alert{ID: fmt.Sprint("id", i), RuleID: fmt.Sprint("rule", i/4), RuleName: "R", Title: "T", Created: noon})
	}
	l := ask[list](t, h, "/run.json?after=3")
	if l.Stage != running || l.Done != 0.25 || l.Total != 5 || len(l.Entries) != 2 || l.Entries[0].ID != "id3" || l.Entries[1].N != 4 || l.Rules != 3 || len(l.Steps) != 1 || l.StepHours != 4 {
		t.Errorf("while it runs: %+v", l)
	}
	p.At(noon.Add(9 * time.Hour)) // late passes
	p.End()
	if l := ask[list](t, h, "/run.json?after=5"); l.Stage != ended || l.Done != 1 || len(l.Entries) != 0 || l.Total != 5 {
		t.Errorf("at its end: %+v", l)
	}
	// Four of one rule in one tick are one card in Teams, the fifth is its own.
	if d := ask[detail](t, h, "/alert.json?n=1"); d.Together != 4 || !strings.Contains(string(d.Card), "AdaptiveCard") {
		t.Errorf("of a digest: %d %.80s", d.Together, d.Card)
	}
	if card := ask[json.RawMessage](t, h, "/digest.json?n=1"); !strings.Contains(string(card), "4 alerts at once") {
		t.Errorf("the digest: %.300s", card)
	}
	if d := ask[detail](t, h, "/alert.json?n=4"); d.Together != 0 {
		t.Errorf("of none: %d", d.Together)
	}
	if w := get(h, "127.0.0.1", "/digest.json?n=4"); w.Code != http.StatusNotFound {
		t.Errorf("of none: %d", w.Code)
	}
}

// TestManyEntries gives a browser all of many alerts in turns.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	for i := range mostEntries + 10 {
		p.Add(alert.Alert{ID: fmt.Sprint(i)})
	}
	h := p.Handler("")
	first, second := ask[list](t, h, "/run.json"), ask[list](t, h, fmt.Sprint("/run.json?after=", mostEntries))
	if len(first.Entries) != mostEntries || len(second.Entries) != 10 || second.Entries[9].ID != fmt.Sprint(mostEntries+9) || second.Total != mostEntries+10 {
		t.Errorf("%d and %d of %d", len(first.Entries), len(second.Entries), second.Total)
	}
}

// TestRows shows rows as they are, as text and no more than a browser can take.
func TestRows(t *testing.T) {
	t.Parallel()
	row := alert.Row{{Column: "Number", Value: json.RawMessage(`9007199254740993`)}, {Column: "N\u202eame", Value: json.RawMessage(`"<b>\u202e\u0000"`)},
		{Column: "Bag", Value: json.RawMessage(`{"a":[1]}`)}, {Column: "Null", Value: json.RawMessage(`null`)}, {Column: "Long", Value: json.RawMessage(`"` + strings.Repeat("x", mostValue+1) + `"`)}}
	p := New(Options{})
	p.Add(alert.Alert{Title: "T"})
	p.Add(alert.Alert{Title: "T", Rows: []alert.Row{row}})
	many := alert.Alert{Title: "T"}
	for range mostRows + 7 {
		many.Rows = append(many.Rows, row)
	}
	p.Add(many)
	h := p.Handler("")
	if d := ask[detail](t, h, "/alert.json?n=0"); len(d.Rows) != 0 || d.Rows == nil {
		t.Errorf("without rows: %v", d.Rows)
	}
	d := ask[detail](t, h, "/alert.json?n=1")
	want := []cell{{"Number", "9007199254740993"}, {`N\u202eame`, `<b>\u202e\x00`}, {"Bag", `{"a":[1]}`}, {"Null", ""}, {"Long", strings.Repeat("x", mostValue) + "…"}}
	if len(d.Rows) != 1 || fmt.Sprint(d.Rows[0]) != fmt.Sprint(want) {
		t.Errorf("rows %.300v, want %.300v", d.Rows, want)
	}
	if d := ask[detail](t, h, "/alert.json?n=2"); len(d.Rows) != mostRows || d.MoreRows != 7 {
		t.Errorf("%d rows and %d more", len(d.Rows), d.MoreRows)
	}
}
