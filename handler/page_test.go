package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/handler/page"
)

var screenshots = flag.String("screenshots", "", "write pictures of the page into this folder")

// axe is what checks a page for accessibility.
const axe = "../.ci/node_modules/axe-core/axe.min.js"

const hostileText = "<img src=x onerror=document.title='owned'> **bold** [link](https://evil.example) https://evil.example \u202egnp.exe\n# head ${title} {{DATE(2026-01-01T00:00:00Z)}}"

// hostileAlert has hostile text wherever a log can put some.
func hostileAlert(like alert.Alert) alert.Alert {
	a := like
	a.ID, a.Title, a.RuleName, a.Description, a.Severity = "x' onclick=y#%22", hostileText, hostileText, hostileText, alert.Informational
	a.CustomDetails = []alert.Detail{{Name: hostileText, Values: []string{hostileText}}}
	a.Entities = []alert.Entity{
		{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: hostileText}}},
		{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: hostileText}}},
		{Type: hostileText, Fields: []alert.Field{{Identifier: hostileText, Value: hostileText}}},
	}
	a.Context = &alert.Context{Findings: []alert.Finding{{Kind: hostileText, Text: hostileText}}, Sections: []alert.Section{{Title: hostileText, Subject: hostileText, Facts: a.CustomDetails}}}
	text, _ := json.Marshal(hostileText)
	a.Rows = []alert.Row{{{Column: hostileText, Value: text}}}
	a.Updates = &alert.Reference{ID: hostileText, Title: hostileText, Created: a.Created}
	return a
}

// demoPage is the page of a demo, with a hostile alert and many at once.
func demoPage(t *testing.T, many int) (*page.Page, []alert.Alert) {
	t.Helper()
	demo := slices.Clone(demoJSON().alerts(t))
	demo = append(demo, hostileAlert(demo[0]))
	for i := range many {
		a := demo[1]
		a.ID, a.RuleName, a.Severity, a.Context, a.Created = fmt.Sprint("many", i), "Another rule", alert.Low, nil, a.Created.Add(time.Second)
		a.Title = fmt.Sprintf("MFA rejected by user%d@fabrikam.example from 203.0.113.66", i)
		a.Entities = []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: fmt.Sprintf("user%d@fabrikam.example", i)}}}, a.Entities[1]}
		demo = append(demo, a)
	}
	p := page.New(page.Options{Title: "Demo", Most: 5})
	first := demo[0].Span.Start.Truncate(24 * time.Hour)
	run := page.Run{First: first, Last: first.Add(24 * time.Hour), Rules: 2, StepHours: 1, One: "sign-in", Many: "sign-ins"}
	for i := range 24 {
		run.Steps = append(run.Steps, page.Step{Start: first.Add(time.Duration(i) * time.Hour), Records: 100 * i, Rejections: i % 5})
	}
	p.Start(run)
	for _, a := range demo {
		p.Add(a)
	}
	p.End()
	return p, demo
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
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // processes that it started can write a little longer than it lives
		for range 200 {
			if err = os.RemoveAll(profile); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error(err)
	})
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

// tab is a tab of Chromium at a page, which nothing may go wrong in.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site string

	mu         sync.Mutex
	complaints []string // of the console
	asked      []string // addresses
}

// openTab opens the page of a site.
func openTab(t *testing.T, site string) *tab {
	t.Helper()
	b := &tab{t: t, ctx: browser(t), site: site}
	if err := chromedp.Run(b.ctx); err != nil { // starts it
		t.Fatal(err)
	}
	chromedp.ListenTarget(b.ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *cdpruntime.EventConsoleAPICalled:
			for _, a := range e.Args {
				b.complaints = append(b.complaints, string(e.Type)+": "+string(a.Value))
			}
		case *cdpruntime.EventExceptionThrown:
			b.complaints = append(b.complaints, e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			b.complaints = append(b.complaints, e.Entry.Text)
		case *network.EventRequestWillBeSent:
			b.asked = append(b.asked, e.Request.URL)
		}
	})
	b.run(log.Enable(), network.Enable(), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}),
		cdpbrowser.GrantPermissions([]cdpbrowser.PermissionType{cdpbrowser.PermissionTypeClipboardReadWrite, cdpbrowser.PermissionTypeClipboardSanitizedWrite}).WithOrigin(strings.TrimSuffix(site, "/")))
	b.size(1440, 900)
	b.visit("")
	return b
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1)))
}

// visit loads the page at a place of it.
func (b *tab) visit(hash string) {
	b.t.Helper()
	b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(b.site+hash), chromedp.WaitReady("body[data-ended]"))
}

// evalAs returns what a script does.
func evalAs[T any](b *tab, script string) (value T) {
	b.t.Helper()
	b.run(chromedp.Evaluate(script, &value, func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return value
}

// until waits for a script to be true.
func (b *tab) until(script string) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, chromedp.Poll(script, nil, chromedp.WithPollingTimeout(time.Minute))); err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
}

// card waits for the card of an alert.
func (b *tab) card(id string) {
	b.t.Helper()
	quoted, _ := json.Marshal(id)
	b.until(fmt.Sprintf("document.getElementById('card').dataset.id === %s", quoted))
}

func (b *tab) press(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

// rows returns the ids of the alerts in the list.
func (b *tab) rows() []string {
	b.t.Helper()
	return evalAs[[]string](b, `[...document.querySelectorAll('#rows tr')].map(r => r.dataset.id)`)
}

func (b *tab) selected() string {
	b.t.Helper()
	return evalAs[string](b, `(document.querySelector('#rows [aria-selected=true]') || {dataset: {}}).dataset.id || ''`)
}

func (b *tab) hash() string {
	b.t.Helper()
	return evalAs[string](b, `location.hash`)
}

// picture takes one, if anybody wants any.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	var picture []byte
	b.run(chromedp.CaptureScreenshot(&picture))
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// accessible has axe-core check the page as it is.
func (b *tab) accessible(name string) {
	b.t.Helper()
	source, err := os.ReadFile(axe)
	if err != nil {
		b.t.Fatal(err)
	}
	if !evalAs[bool](b, `Boolean(window.axe)`) {
		b.run(chromedp.Evaluate(string(source), nil))
	}
	type violation struct {
		ID, Help string
		Nodes    []struct {
			Target         []any
			FailureSummary string
		}
	}
	found := evalAs[[]violation](b, `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations']}).then(r => r.violations)`)
	for _, v := range found {
		for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
			b.t.Errorf("%s: %s: %s: %v\n%s", name, v.ID, v.Help, n.Target, n.FailureSummary)
		}
	}
}

// clean says that nothing went wrong and that nobody else was asked.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		b.t.Errorf("console: %q", b.complaints)
	}
	for _, address := range b.asked {
		if !strings.HasPrefix(address, b.site) && !strings.HasPrefix(address, "data:") && address != "about:blank" {
			b.t.Errorf("it asked for %s", address)
		}
	}
}

// openDemoPage serves the page of a demo, with many alerts at once, and opens it.
func openDemoPage(t *testing.T, many int) (*tab, []alert.Alert) {
	t.Helper()
	if _, err := os.Stat(axe); err != nil {
		t.Skip("axe-core is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	p, alerts := demoPage(t, many)
	server := httptest.NewServer(p.Handler(""))
	t.Cleanup(server.Close)
	return openTab(t, server.URL+"/"), alerts
}

// TestPage drives the page on a desktop.
func TestPage(t *testing.T) {
	t.Parallel()
	b, alerts := openDemoPage(t, 500)
	sorted := slices.Clone(alerts)
	slices.SortStableFunc(sorted, func(x, y alert.Alert) int {
		if x.Severity != y.Severity {
			return int(y.Severity - x.Severity)
		}
		return y.Happened().Start.Compare(x.Happened().Start)
	})
	worst := sorted[0]
	b.card(worst.ID)
	b.picture("list-desktop-light")

	// The list: the most severe first, the newest of those, with what tells them apart.
	ids := b.rows()
	if want := 300; len(ids) != want {
		t.Errorf("%d rows at first, want %d", len(ids), want)
	}
	for i, id := range ids[:40] {
		if id != sorted[i].ID {
			t.Errorf("row %d is %s, want %s", i, id, sorted[i].Title)
		}
	}
	first := evalAs[string](b, `document.querySelector('#rows tr').innerText`)
	_, user := worst.Entities[0].Account()
	for _, want := range []string{"High", worst.Happened().Start.Format("15:04"), user, worst.Entities[1].Address()} {
		if !strings.Contains(first, want) {
			t.Errorf("the first row does not say %q: %q", want, first)
		}
	}
	update := alerts[slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Updates != nil })]
	if marks := evalAs[int](b, fmt.Sprintf(`[...document.querySelectorAll('#rows tr[data-id="%s"] .mark')].filter(m => m.textContent === 'Update').length`, update.ID)); marks != 1 {
		t.Errorf("the update has %d marks", marks)
	}
	if h := evalAs[float64](b, `document.documentElement.scrollHeight / innerHeight`); h > 1.2 {
		t.Errorf("the page is %.2f screens high", h)
	}
	if totals := evalAs[string](b, `document.getElementById('totals').innerText`); !strings.HasPrefix(totals, fmt.Sprintf("%d alerts (", len(alerts))) || strings.Contains(totals, "\n") {
		t.Errorf("the totals are %q", totals)
	}
	b.accessible("list and card")
	// The list names the verdict that the card has, and says the whole finding of a cell
	// that is pointed at.
	for i, a := range sorted[:10] {
		verdict := text.HeadlineOf(a)
		cell := evalAs[[]string](b, fmt.Sprintf(`(() => { const c = document.querySelectorAll('#rows tr')[%d].querySelector('.is-finding'); return [c.lastChild.textContent, c.title]; })()`, i))
		if verdict.Verdict == "" || len(a.Context.Findings) == 0 {
			continue
		}
		if brief := text.Brief(a.Context.Findings[0]); cell[0] != verdict.Bare() || a.Updates == nil && !strings.Contains(cell[1], verdict.Bare()+": "+brief) {
			t.Errorf("the finding of %s is %q, want %q and %q", a.ID, cell, verdict.Bare(), brief)
		}
	}

	// Keys, and the address that goes along.
	for _, press := range []struct {
		key  string
		want int
	}{{"j", 1}, {kb.ArrowDown, 2}, {"j", 3}, {"k", 2}, {kb.ArrowUp, 1}} {
		b.press(press.key)
		if got := b.selected(); got != sorted[press.want].ID || b.hash() != "#"+got {
			t.Errorf("after %q %s is selected, at %s, want %s", press.key, got, b.hash(), sorted[press.want].ID)
		}
	}
	b.card(sorted[1].ID)
	if shown := evalAs[string](b, `document.getElementById('card').innerText`); len(shown) < 100 {
		t.Errorf("the card says %q", shown)
	}
	b.press(kb.Enter)
	if at := evalAs[string](b, `document.activeElement.id`); at != "detail" {
		t.Errorf("Enter leads to %q", at)
	}
	b.press(kb.Escape)
	if at := evalAs[string](b, `document.activeElement.dataset.id`); at != sorted[1].ID {
		t.Errorf("Esc leads back to %q", at)
	}
	b.run(input.DispatchKeyEvent(input.KeyDown).WithKey("/").WithText("/"), input.DispatchKeyEvent(input.KeyUp).WithKey("/"))
	b.press("user7@fabrikam j") // j is a letter there
	if at := evalAs[string](b, `document.activeElement.value`); at != "user7@fabrikam j" {
		t.Errorf("the search has %q", at)
	}

	// Search and filters, each with how many it would leave.
	search := func(text string) []string {
		b.run(chromedp.Evaluate(`document.getElementById('search').value = ''`, nil), chromedp.SendKeys("#search", text))
		return b.rows()
	}
	if got := search("USER7@fabrikam"); !slices.Equal(got, []string{"many7"}) {
		t.Errorf("the search finds %q", got)
	}
	if number := evalAs[string](b, `document.querySelector('#severity-Low .number').innerText + document.querySelector('#severity-High .number').innerText`); number != "10" {
		t.Errorf("the numbers are %s", number)
	}
	if got := search("no such thing"); len(got) != 0 || !evalAs[bool](b, `document.getElementById('empty').offsetHeight > 0`) {
		t.Errorf("the search finds %q", got)
	}
	b.run(chromedp.Click("#clear"))
	if got := b.rows(); len(got) != 300 {
		t.Errorf("without filters there are %d rows", len(got))
	}
	number := func(keep func(alert.Alert) bool) (n int) {
		for _, a := range alerts {
			if keep(a) {
				n++
			}
		}
		return n
	}
	high := number(func(a alert.Alert) bool { return a.Severity == alert.High })
	b.run(chromedp.Click("#severity-High"))
	if got := b.rows(); len(got) != high || evalAs[string](b, `document.querySelector('#severity-High .number').innerText`) != fmt.Sprint(high) {
		t.Errorf("%d are High, want %d", len(got), high)
	}
	b.accessible("filtered")
	b.run(chromedp.Click("#severity-Informational"))
	if got := b.rows(); len(got) != high+1 {
		t.Errorf("%d are High or Informational, want %d", len(got), high+1)
	}
	b.run(chromedp.Click("#clear"))
	pick := func(id, value string) {
		b.run(chromedp.Evaluate(fmt.Sprintf(`(() => { const s = document.getElementById(%q); s.value = %q; s.dispatchEvent(new Event('change')); })()`, id, value), nil))
	}
	pick("rule", "Another rule")
	if label := evalAs[string](b, `document.getElementById('rule').selectedOptions[0].textContent + document.getElementById('count').textContent`); label != fmt.Sprintf("Another rule (500)500 of %d alerts", len(alerts)) {
		t.Errorf("of the other rule it says %q", label)
	}
	b.run(chromedp.Click("#more"))
	if got := b.rows(); len(got) != 500 {
		t.Errorf("with more there are %d rows", len(got))
	}
	pick("rule", "")
	pick("finding", "MFA fatigue")
	if got, want := len(b.rows()), number(func(a alert.Alert) bool { return a.Context.Has(alert.FoundBombing) }); got != want || want == 0 {
		t.Errorf("%d have the finding, want %d", got, want)
	}
	b.run(chromedp.Click("#clear"))

	// The chart: a click filters, and another shows all again.
	hour := worst.Happened().Start.Hour()
	b.run(chromedp.Click(fmt.Sprintf("#strip button:nth-child(%d)", hour+1)))
	inHour := number(func(a alert.Alert) bool { return a.Happened().Start.Hour() == hour })
	if got := b.rows(); len(got) != inHour || inHour == 0 {
		t.Errorf("%d are of the hour, want %d", len(got), inHour)
	}
	said := evalAs[string](b, `document.querySelector('#strip [aria-pressed=true]').title`)
	if want := fmt.Sprintf("%02d:00–", hour); !strings.Contains(said, want) || !strings.HasSuffix(said, fmt.Sprintf("%d alerts", inHour)) && inHour != 1 {
		t.Errorf("the hour says %q", said)
	}
	if got := b.selected(); got != worst.ID { // which is the first of that hour, too
		t.Errorf("of the hour %s is selected", got)
	}
	b.picture("hour-desktop-light")
	b.press(kb.ArrowRight)
	if at := evalAs[int](b, `[...document.getElementById('strip').children].indexOf(document.activeElement)`); at != hour+1 {
		t.Errorf("the arrow leads to hour %d, want %d", at, hour+1)
	}
	b.run(chromedp.Click(fmt.Sprintf("#strip button:nth-child(%d)", hour+1)))
	if got := b.rows(); len(got) != 300 {
		t.Errorf("then there are %d rows", len(got))
	}

	// By time.
	b.run(chromedp.Click("th[data-sort=time] button"))
	newest := slices.MaxFunc(alerts, func(x, y alert.Alert) int { return x.Happened().Start.Compare(y.Happened().Start) })
	if got := b.rows(); got[0] != newest.ID {
		t.Errorf("the newest is %s, want %s", got[0], newest.ID)
	}
	b.run(chromedp.Click("th[data-sort=severity] button"))

	// What there is of a card.
	b.visit("#" + update.ID)
	b.card(update.ID)
	if b.selected() != update.ID || !strings.Contains(evalAs[string](b, `document.getElementById('about').innerText`), "An update of") {
		t.Errorf("the address leads to %s", b.selected())
	}
	b.run(chromedp.Click("#about a"))
	b.card(update.Updates.ID)
	copied := func(button string) string {
		t.Helper()
		b.run(chromedp.Evaluate(`document.getElementById('said').textContent = ''`, nil), chromedp.Click(button))
		b.until(`document.getElementById('said').textContent !== ''`)
		return evalAs[string](b, `navigator.clipboard.readText()`)
	}
	chosen := alerts[slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.ID == update.Updates.ID })]
	_, user = chosen.Entities[0].Account()
	for button, want := range map[string]string{"#copy-user": user, "#copy-address": chosen.Entities[1].Address(), "#copy-id": chosen.ID, "#copy-link": b.site + "#" + chosen.ID} {
		if got := copied(button); got != want {
			t.Errorf("%s copies %q, want %q", button, got, want)
		}
	}
	card := copied("#copy-json")
	if !json.Valid([]byte(card)) || !strings.Contains(card, `"type": "AdaptiveCard"`) {
		t.Errorf("the JSON is %.200s", card)
	}
	if href := evalAs[string](b, `(a => a.href + ' ' + a.target + ' ' + a.rel)(document.getElementById('designer'))`); href != "https://adaptivecards.io/designer/ _blank noopener noreferrer" {
		t.Errorf("the designer is at %q", href)
	}
	b.run(chromedp.Evaluate(`document.getElementById('designer').addEventListener('click', e => e.preventDefault())`, nil))
	if got := copied("#designer"); got != card {
		t.Errorf("for the designer it copies %.100q", got)
	}
	b.run(chromedp.Click("#raw summary"), chromedp.Click("#json summary"))
	if raw := evalAs[string](b, `document.getElementById('raw').innerText`); !strings.Contains(raw, chosen.Rows[0][0].Column) || !strings.Contains(raw, chosen.Rows[0][0].Text()) {
		t.Errorf("the raw row is %.200q", raw)
	}
	b.until(`document.querySelector('#json pre').textContent !== ''`)
	if shown := evalAs[string](b, `document.querySelector('#json pre').textContent`); shown != card {
		t.Errorf("the JSON is %.200s", shown)
	}
	b.accessible("raw rows and JSON")
	b.run(chromedp.Click("#phone"))
	if width := evalAs[float64](b, `document.getElementById('card').offsetWidth`); width > 340 {
		t.Errorf("at a phone's width the card has %.0f", width)
	}

	// Many at once are one card in Teams.
	b.visit("#many3")
	b.card("many3")
	b.run(chromedp.Click("#digest"))
	b.until(`document.getElementById('card').innerText.includes('500 alerts at once')`)
	b.picture("digest-desktop-light")
	b.clean()
}

// TestPageThemes has every kind of card in both themes, and on a phone.
func TestPageThemes(t *testing.T) {
	t.Parallel()
	b, alerts := openDemoPage(t, 0)
	update := alerts[slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Updates != nil })]
	shows := map[string]string{"update": update.ID, "hostile": "x' onclick=y#%22"}
	for _, a := range alerts {
		if a.Severity != alert.Informational { // which is the hostile one
			shows[a.Severity.String()] = a.ID
		}
	}
	background := `getComputedStyle(document.querySelector('.ac-adaptiveCard')).backgroundColor + getComputedStyle(document.body).backgroundColor`
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1440, 900}, {"narrow", 1000, 700}, {"phone", 390, 844}} {
		b.size(size.width, size.height)
		for name, id := range shows {
			if size.name != "desktop" && (name == "Medium" || name == "Low") {
				continue // they differ from High in colours only
			}
			hash := "#" + url.PathEscape(id)
			b.visit(hash)
			b.card(id)
			light := evalAs[string](b, background)
			events := evalAs[string](b, `document.getElementById('card').dataset.events`)
			if events != "0" {
				t.Errorf("%s: the renderer complains %s times", name, events)
			}
			b.accessible(size.name + ", light, " + name)
			b.picture(fmt.Sprintf("card-%s-light-%s", size.name, name))
			b.run(chromedp.Click("#dark"))
			if dark := evalAs[string](b, background); dark == light {
				t.Errorf("%s: dark mode changes nothing: %s", name, light)
			}
			b.accessible(size.name + ", dark, " + name)
			b.picture(fmt.Sprintf("card-%s-dark-%s", size.name, name))
			if over := evalAs[[]string](b, `[...document.querySelectorAll('body *')].filter(e => e.offsetParent && !e.closest('pre, #scroller') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className + ' ' + e.id)`); len(over) > 0 {
				t.Errorf("%s, %s: %.300q stick out", size.name, name, over)
			}
			if h := evalAs[float64](b, `document.documentElement.scrollHeight / innerHeight`); h > 1.2 {
				t.Errorf("%s, %s: the page is %.2f screens high", size.name, name, h)
			}
		}
	}

	// The hostile one is text and nothing else.
	b.visit("#" + url.PathEscape(shows["hostile"]))
	b.card(shows["hostile"])
	b.until(`document.querySelector('#raw table') !== null`)
	if made := evalAs[[]string](b, `[...document.querySelectorAll('#card img, #card a, #card b, #card strong, #card h1, #card ul, #rows img, #detail img, script:not([src]), iframe')].map(e => e.outerHTML)`); len(made) > 0 {
		t.Errorf("hostile text made %q", made)
	}
	if title := evalAs[string](b, `document.title`); title != "Pushback: Demo" {
		t.Errorf("the title is %q", title)
	}
	b.clean()
}

// TestPageOnPhone goes from the list to a card and back.
func TestPageOnPhone(t *testing.T) {
	t.Parallel()
	b, _ := openDemoPage(t, 0)
	b.size(390, 844)
	b.visit("")
	visible := func(id string) bool {
		t.Helper()
		return evalAs[bool](b, fmt.Sprintf(`document.getElementById(%q).offsetHeight > 0`, id))
	}
	if !visible("list") || visible("detail") {
		t.Error("at first there is no list, or more than it")
	}
	b.accessible("list on a phone")
	b.picture("list-phone-light")
	third := b.rows()[2]
	b.run(chromedp.Click("#rows tr:nth-child(3)"))
	b.card(third)
	if visible("list") || !visible("detail") || b.hash() != "#"+third {
		t.Errorf("a tap opens no card: %s", b.hash())
	}
	b.run(chromedp.Click("#back"))
	b.until(`document.getElementById('list').offsetHeight > 0`)
	if visible("detail") {
		t.Error("the way back leads nowhere")
	}
	b.run(chromedp.Click("#rows tr:nth-child(1)"))
	b.until(`document.getElementById('detail').offsetHeight > 0`)
	b.run(chromedp.NavigateBack())
	b.until(`document.getElementById('list').offsetHeight > 0`)
	// Whoever follows a link to a card gets to the list, too.
	b.visit("#" + third)
	b.card(third)
	if visible("list") || !visible("detail") {
		t.Error("a link opens no card")
	}
	b.run(chromedp.Click("#back"))
	b.until(`document.getElementById('list').offsetHeight > 0`)
	b.run(chromedp.Click("#dark"))
	b.accessible("list on a phone, dark")
	b.picture("list-phone-dark")
	b.clean()
}

// toggleCard is a card that hides a part of it until a button shows it, as those of
// alerts may.
const toggleCard = `{"type":"AdaptiveCard","version":"1.5","body":[
	{"type":"TextBlock","text":"What happened","style":"heading","wrap":true},
	{"type":"ActionSet","actions":[
		{"type":"Action.OpenUrl","title":"Incident","url":"https://portal.azure.com/"},
		{"type":"Action.ToggleVisibility","title":"Show details","targetElements":["details"]}]},
	{"type":"Container","id":"details","isVisible":false,"items":[{"type":"TextBlock","text":"All of it","wrap":true}]}]}`

// TestPageButtons has as many buttons as a card can have on a phone: they are all there.
func TestPageButtons(t *testing.T) {
	t.Parallel()
	b, alerts := openDemoPage(t, 0)
	var actions []string
	for _, title := range []string{"Incident", "Sign-ins in Defender", "First sign-ins in Defender", "User in Defender", "Runbook", "First alert"} {
		actions = append(actions, fmt.Sprintf(`{"type":"Action.OpenUrl","title":%q,"url":"https://portal.azure.com/"}`, title))
	}
	b.run(chromedp.EmulateViewport(390, 844), chromedp.Evaluate(fmt.Sprintf(`(() => {
		const ask = window.fetch, card = {type: 'AdaptiveCard', version: '1.5', body: [{type: 'ActionSet', actions: [%s]}]};
		window.fetch = (url, ...rest) => String(url).startsWith('/alert.json') ? Promise.resolve(new Response(JSON.stringify({card, rows: []}))) : ask(url, ...rest);
		document.querySelectorAll('#rows tr')[1].click();
	})()`, strings.Join(actions, ", ")), nil))
	b.until(`document.querySelectorAll('#card .ac-pushButton').length > 0`)
	if n := evalAs[int](b, `(() => { const c = document.getElementById('card').getBoundingClientRect(); return [...document.querySelectorAll('#card .ac-pushButton')].filter(e => { const r = e.getBoundingClientRect(); return r.left >= c.left && r.right <= c.right; }).length; })()`); n != len(actions) || len(alerts) < 2 {
		t.Errorf("%d buttons are on the card, want %d", n, len(actions))
	}
	b.clean()
}

// TestPageToggle shows and hides a part of a card, in either theme.
func TestPageToggle(t *testing.T) {
	t.Parallel()
	b, _ := openDemoPage(t, 0)
	b.run(chromedp.Evaluate(fmt.Sprintf(`(() => {
		const ask = window.fetch, card = %s;
		window.fetch = (url, ...rest) => String(url).startsWith('/alert.json') ? Promise.resolve(new Response(JSON.stringify({card, rows: []}))) : ask(url, ...rest);
	})()`, toggleCard), nil))
	b.press("j")
	b.until(`document.getElementById('card').innerText.includes('Show details')`)
	button := `[...document.querySelectorAll('#card button, #card [role=button]')].find(b => b.innerText === 'Show details')`
	visible := func() bool { return evalAs[bool](b, `document.getElementById('card').innerText.includes('All of it')`) }
	if events := evalAs[string](b, `document.getElementById('card').dataset.events`); events != "0" || visible() {
		t.Errorf("at first %s complaints, details %t", events, visible())
	}
	b.accessible("closed")
	b.run(chromedp.Evaluate(button+`.click()`, nil))
	if !visible() {
		t.Error("the button shows nothing")
	}
	b.until(button + `.getAttribute('aria-expanded') === 'true'`)
	b.accessible("open")
	b.run(chromedp.Click("#dark"))
	if !visible() {
		t.Error("another theme hides the details")
	}
	b.accessible("open, dark")
	b.picture("toggle-open-dark")
	b.run(chromedp.Evaluate(button+`.click()`, nil))
	if visible() {
		t.Error("the button hides nothing")
	}
	// A button leads where it says, and a page that is not one of the web nowhere.
	opened := func(address string) any {
		card := strings.Replace(toggleCard, "https://portal.azure.com/", address, 1)
		b.run(chromedp.Evaluate(fmt.Sprintf(`(() => {
			window.opened = null;
			window.open = (url, target, features) => { window.opened = [url, target, features].join(' '); };
			window.fetch = () => Promise.resolve(new Response(JSON.stringify({card: %s, rows: []})));
			document.getElementById('card').textContent = '';
		})()`, card), nil))
		b.press("j")
		b.until(`document.getElementById('card').innerText.includes('Incident')`)
		return evalAs[any](b, `[...document.querySelectorAll('#card button, #card [role=button], #card [role=link]')].find(b => b.innerText === 'Incident').click(), window.opened`)
	}
	if got := opened("https://portal.azure.com/x"); got != "https://portal.azure.com/x _blank noopener,noreferrer" {
		t.Errorf("the button opens %v", got)
	}
	if got := opened("javascript:alert(1)"); got != nil {
		t.Errorf("a script opens %v", got)
	}
	b.clean()
}

// TestPageFills has alerts come while the page is open, and an address that leads to
// none.
func TestPageFills(t *testing.T) {
	t.Parallel()
	demo := demoJSON().alerts(t)
	p := page.New(page.Options{Title: "Demo", Most: 5})
	server := httptest.NewServer(p.Handler(""))
	defer server.Close()
	b := &tab{t: t, ctx: browser(t), site: server.URL + "/"}
	b.size(1440, 900)
	b.run(chromedp.Navigate(b.site+"#nobody"), chromedp.WaitReady("body[data-ready]"))
	b.until(`document.getElementById('stage').textContent === 'Reading the logs…'`)
	p.Start(page.Run{First: demo[0].Window.Start, Last: demo[0].Window.Start.Add(4 * time.Hour), StepHours: 1, One: "record", Many: "records",
		Steps: []page.Step{{Start: demo[0].Window.Start, Records: 5}}})
	p.At(demo[0].Window.Start.Add(time.Hour))
	b.until(`document.getElementById('stage').textContent === 'Running, 25 %' && document.getElementById('progress').value === 0.25`)
	p.Add(demo[0])
	b.until(`document.querySelectorAll('#rows tr').length === 1`)
	p.Add(demo[1])
	b.until(`document.querySelectorAll('#rows tr').length === 2`)
	p.End()
	b.until(`document.body.dataset.ended === 'yes' && document.getElementById('progress').hidden`)
	if said := evalAs[string](b, `document.getElementById('problem').innerText`); said != "This run has no alert nobody." {
		t.Errorf("of an address that leads nowhere it says %q", said)
	}
	b.press("j")
	b.card(demo[0].ID)
	server.CloseClientConnections()
	server.Close()
	b.press("j")
	b.until(`document.getElementById('none').innerText.includes('does not answer any more') && document.getElementById('card').offsetHeight === 0`)
}

// servedRun runs a command that serves the page, and returns where, and what stops it
// and returns its exit code.
func servedRun(t *testing.T, stderr *outputBuffer, args ...string) (address string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served, code := make(chan string, 1), make(chan int, 1)
	stderr.wrote = func(p []byte) {
		if _, rest, ok := strings.Cut(string(p), "The cards are at "); ok {
			address, _, _ := strings.Cut(rest, " ")
			served <- address
		}
	}
	go func() { code <- run(ctx, args, strings.NewReader(""), &outputBuffer{}, stderr) }()
	select {
	case address = <-served:
	case c := <-code:
		cancel()
		t.Fatalf("it ended with %d: %s", c, stderr)
	}
	return address, func() int { cancel(); return <-code }
}

// The command serves the page from before the run until it is interrupted.
func TestServeCommand(t *testing.T) {
	t.Parallel()
	stderr := &outputBuffer{}
	address, stop := servedRun(t, stderr, "demo", "--json", "--serve", "127.0.0.1:0")
	var answer struct {
		Stage   string
		Total   int
		Entries []any
		Steps   []page.Step
		Rules   int
	}
	for answer.Stage != "ended" { // the test has a deadline
		r, err := http.Get(address + "run.json")
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil {
			t.Fatalf("%d %v %s", r.StatusCode, err, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
	records, rejections := 0, 0
	for _, s := range answer.Steps {
		records, rejections = records+s.Records, rejections+s.Rejections
	}
	if want := len(demoJSON().alerts(t)); answer.Total != want || len(answer.Entries) != want || answer.Rules != 2 || len(answer.Steps) != 24 || records < 1000 || rejections < 10 {
		t.Errorf("%d alerts of %d rules in %d steps with %d records and %d rejections", answer.Total, answer.Rules, len(answer.Steps), records, rejections)
	}
	if c := stop(); c != exitDone {
		t.Errorf("exit code %d: %s", c, stderr)
	}
	if _, err := http.Get(address); err == nil {
		t.Error("it still serves")
	}
}

// TestServeAddress has addresses that are wrong, which are errors before the run.
func TestServeAddress(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		"here": "expected HOST:PORT", "127.0.0.1:x": "expected HOST:PORT", "127.0.0.1:70000": "expected HOST:PORT", "127.0.0.1": "expected HOST:PORT",
		taken.Addr().String(): "give another address with --serve", "203.0.113.7:8080": "give another address with --serve", "nowhere.invalid:8080": "give another address with --serve",
	} {
		r := handler(t, "demo", "--json", "--serve", address)
		if r.code == exitDone || r.stdout != "" || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, address) {
			t.Errorf("%s: exit code %d, %.100q, %s", address, r.code, r.stdout, r.stderr)
		}
	}
}
