package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"pushback/detect/alert"
)

var screenshots = flag.String("screenshots", "", "write pictures of the page into this folder")

// pageAlerts has one card of each kind.
func pageAlerts(t *testing.T) []alert.Alert {
	t.Helper()
	demo := demoJSON().alerts(t)
	update := demo[slices.IndexFunc(demo, func(a alert.Alert) bool { return a.Updates != nil })]
	with := func(i int, change func(*alert.Alert)) alert.Alert {
		a := demo[0]
		a.ID, a.Created = fmt.Sprint(i), a.Created.Add(time.Duration(i)*time.Hour)
		change(&a)
		return a
	}
	const hostile = "<img src=x onerror=document.title='owned'> **bold** [link](https://evil.example) https://evil.example \u202egnp.exe\n# head ${title} {{DATE(2026-01-01T00:00:00Z)}}"
	list := []alert.Alert{demo[0], update,
		with(1, func(a *alert.Alert) { a.Context, a.Severity = nil, alert.Medium }),
		with(2, func(a *alert.Alert) { // too large
			a.Severity = alert.Low
			for i := range 100 {
				a.CustomDetails = append(slices.Clip(a.CustomDetails), alert.Detail{Name: fmt.Sprint("Detail", i), Values: []string{strings.Repeat("陳", 200)}})
			}
		}),
		with(3, func(a *alert.Alert) {
			a.Title, a.RuleName, a.Description, a.Severity = hostile, hostile, hostile, alert.Informational
			a.CustomDetails = []alert.Detail{{Name: hostile, Values: []string{hostile}}}
			a.Entities = []alert.Entity{{Type: hostile, Fields: []alert.Field{{Identifier: hostile, Value: hostile}}}}
			a.Context = &alert.Context{Findings: []alert.Finding{{Kind: hostile, Text: hostile}}, Sections: []alert.Section{{Title: hostile, Subject: hostile, Facts: a.CustomDetails}}}
		}),
	}
	for i := range 500 {
		list = append(list, with(4, func(a *alert.Alert) {
			a.ID, a.Title = fmt.Sprint("many", i), fmt.Sprintf("MFA rejected by user%d@fabrikam.example from 203.0.113.66", i)
			a.Entities = []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: fmt.Sprint("user", i)}}}, a.Entities[1]}
			if i%100 != 0 {
				a.Severity, a.Context = alert.Medium, nil
			}
		}))
	}
	return list
}

// browser starts Chromium for the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("Chromium is not installed: apt-get install chromium")
	}
	profile := t.TempDir() // nobody may use it any more when it is removed
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.WSURLReadTimeout(2*time.Minute))...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // events newer than the module
	started, end := ctx, cancel
	t.Cleanup(func() {
		end()
		chromedp.FromContext(started).Allocator.Wait()
	})
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute) // it hangs rather than fails
	t.Cleanup(cancel)
	return ctx
}

// TestPage shows one card of each kind in a real browser.
func TestPage(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(rendererFile))); err != nil {
		t.Skip("the official renderer is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	p := &page{title: "Demo", totals: "many alerts", most: 5, alerts: pageAlerts(t)}
	h, err := p.handler("..", "")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	ctx := browser(t)

	var mu sync.Mutex
	var complaints []string
	if err := chromedp.Run(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *cdpruntime.EventConsoleAPICalled:
			for _, a := range e.Args {
				complaints = append(complaints, string(e.Type)+": "+string(a.Value))
			}
		case *cdpruntime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			complaints = append(complaints, e.Entry.Text)
		}
	})
	run := func(actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	eval := func(script string, into any) {
		t.Helper()
		run(chromedp.Evaluate(script, into))
	}
	run(log.Enable(), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}),
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL), chromedp.WaitReady("body[data-ready]"))

	var kinds, events []string
	eval(`[...document.querySelectorAll('article')].map(a => a.dataset.kind + ' ' + a.dataset.severity)`, &kinds)
	if want := []string{"alert High", "update High", "alert Medium", "alert Low", "alert Informational", "digest High"}; !slices.Equal(kinds, want) {
		t.Errorf("cards %q, want %q", kinds, want)
	}
	eval(`[...document.querySelectorAll('.card')].map(c => c.dataset.events)`, &events)
	if want := slices.Repeat([]string{"0"}, 6); !slices.Equal(events, want) {
		t.Errorf("the renderer complains: %q", events)
	}
	var texts []string
	eval(`[...document.querySelectorAll('.card')].map(c => c.innerText)`, &texts)
	for i, want := range []string{"28 prompts within an hour", "First reported 2026-03-17", "2 MFA prompts rejected: yael.cohen", "Left out, as Teams takes no larger card", "<img src=x onerror=", "500 alerts at once, about 500 accounts and 1 address"} {
		if !strings.Contains(texts[i], want) {
			t.Errorf("card %d does not say %q:\n%s", i, want, texts[i])
		}
		if strings.Contains(texts[i], "{{DATE(2026-03") {
			t.Errorf("card %d does not write its times:\n%s", i, texts[i])
		}
	}
	// What is hostile is text and nothing else.
	var made []string
	eval(`[...document.querySelectorAll('.card img, .card a, .card b, .card strong, .card h1, .card ul, .card script, .card iframe')].map(e => e.outerHTML)`, &made)
	var title string
	run(chromedp.Title(&title))
	if len(made) > 0 || title != "Pushback: Demo" {
		t.Errorf("hostile text made %q, title %q", made, title)
	}
	// The JSON is that of the card.
	var shown string
	run(chromedp.Click("article:nth-of-type(1) summary"), chromedp.WaitReady("article:nth-of-type(1) pre"), chromedp.TextContent("article:nth-of-type(1) pre", &shown),
		chromedp.Click("article:nth-of-type(1) summary"))
	if !strings.Contains(shown, `"type": "AdaptiveCard"`) {
		t.Errorf("the JSON is %.200s", shown)
	}

	// The theme changes the page and the cards, which are drawn anew.
	back := `getComputedStyle(document.querySelector('.card .ac-adaptiveCard')).backgroundColor + getComputedStyle(document.body).backgroundColor`
	var light, dark string
	eval(back, &light)
	run(chromedp.Click("#dark"))
	eval(back, &dark)
	if light == dark {
		t.Errorf("dark mode changes nothing: %s", light)
	}
	picture := func(name string, width int64, phone, night bool) {
		t.Helper()
		if *screenshots == "" {
			return
		}
		run(chromedp.EmulateViewport(width, 900, chromedp.EmulateScale(1)))
		eval(fmt.Sprintf(`document.getElementById('dark').checked === %v || document.getElementById('dark').click()`, night), new(any))
		for _, card := range []struct {
			name string
			n    int
		}{{"single", 1}, {"digest", 6}} {
			var picture []byte
			run(chromedp.Screenshot(fmt.Sprintf("article:nth-of-type(%d) .card", card.n), &picture))
			if err := os.WriteFile(filepath.Join(*screenshots, card.name+"-"+name+".png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	picture("desktop-dark", 1280, false, true)
	picture("phone-dark", 390, true, true)
	picture("phone-light", 390, true, false)
	picture("desktop-light", 1280, false, false)

	// Filters.
	visible := func() (n int) {
		t.Helper()
		eval(`[...document.querySelectorAll('article')].filter(a => a.offsetParent).length`, &n)
		return n
	}
	run(chromedp.EmulateViewport(1280, 900), chromedp.Click("#severity-High"))
	if n := visible(); n != 3 {
		t.Errorf("without High %d cards are shown, want 3", n)
	}
	run(chromedp.Click("#severity-Medium"), chromedp.Click("#severity-Low"), chromedp.Click("#severity-Informational"), chromedp.WaitVisible("#empty"))
	run(chromedp.Click("#severity-Low"), chromedp.WaitNotVisible("#empty"))
	if n := visible(); n != 1 {
		t.Errorf("with Low alone %d cards are shown", n)
	}
	// Nothing sticks out of a phone's screen.
	var over bool
	run(chromedp.EmulateViewport(360, 800))
	eval(`document.documentElement.scrollWidth > 360`, &over)
	if over {
		var wide []string
		eval(`[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 360).map(e => e.tagName + '.' + e.className + ' ' + e.id)`, &wide)
		t.Errorf("the page is wider than a phone: %.300q", wide)
	}

	// What the page's policy keeps from being sent would be a complaint.
	var outside []string
	eval(fmt.Sprintf(`performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(%q) && !n.startsWith('data:'))`, server.URL+"/"), &outside)
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 || len(outside) > 0 {
		t.Errorf("console %q, requests to others %q", complaints, outside)
	}
}

// The page answers to addresses and localhost alone. Where the pinned renderer
// is missing or another it takes the one with the right hash from elsewhere.
func TestPageServer(t *testing.T) {
	t.Parallel()
	p := &page{title: "Demo", most: 5}
	root := t.TempDir()
	other := filepath.Join(root, filepath.FromSlash(rendererFile))
	if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("alert(1)"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := p.handler(root, "laptop.example")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"127.0.0.1:80": 200, "localhost": 200, "[::1]:80": 200, "laptop.example:80": 200, "evil.example:80": 421, "127.0.0.1.evil.example": 421, "": 421} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/run.json", nil)
		r.Host = host
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
		if want == 200 && (!strings.Contains(w.Body.String(), rendererURL) || !strings.Contains(w.Body.String(), rendererHash) ||
			!strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self' "+rendererCDN+";")) {
			t.Errorf("host %q: %v %s", host, w.Header(), w.Body)
		}
	}
}

// The command serves the page after the run until it is interrupted.
func TestServeCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := &outputBuffer{}
	served := make(chan string, 1)
	stderr.wrote = func(p []byte) {
		if _, rest, ok := strings.Cut(string(p), "The cards are at "); ok {
			address, _, _ := strings.Cut(rest, " ")
			served <- address
		}
	}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"demo", "--json", "--serve", "127.0.0.1:0"}, strings.NewReader(""), &outputBuffer{}, stderr)
	}()
	select {
	case address := <-served:
		r, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("status %d", r.StatusCode)
		}
	case c := <-code:
		t.Fatalf("it ended with %d: %s", c, stderr)
	}
	cancel()
	if c := <-code; c != exitDone {
		t.Errorf("exit code %d: %s", c, stderr)
	}
	for _, bad := range []string{"here", "127.0.0.1:x"} {
		if r := handler(t, "demo", "--json", "--serve", bad); r.code == exitDone {
			t.Errorf("%s: it served", bad)
		}
	}
}
