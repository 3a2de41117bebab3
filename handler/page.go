package main

import (
	"context"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/input"
	"pushback/detect/notify"
	"pushback/detect/notify/teams"
	"pushback/detect/notify/text"
)

//go:embed page/index.html page/page.css page/page.js
var pageFiles embed.FS

// The official renderer of cards. These are the version that the tests' lock
// file has, the SHA-384 of its file, and where that is to be had without the
// pinned install.
const (
	rendererFile = ".ci/node_modules/adaptivecards/dist/adaptivecards.js"
	rendererHash = "sha384-2ZvLCU4Vdd2sHmy/YJ9k9RtG0rDm9U6ohi00pKobAAHYezyyHjwoSw+hC1q7dN+0"
	rendererCDN  = "https://cdn.jsdelivr.net"
	rendererURL  = rendererCDN + "/npm/adaptivecards@3.0.5/dist/adaptivecards.js"
	mostRenderer = 16 << 20 // bytes of the file that are read
)

// page shows the cards of a run in a browser, as Teams would.
type page struct {
	links teams.Links
	most  int // alerts of a rule in a tick that are cards of their own

	title  string
	alerts []alert.Alert
	totals string
}

// pageCard is one card of the page.
type pageCard struct {
	Kind     string          `json:"kind"` // alert, update or digest
	Severity string          `json:"severity"`
	Caption  string          `json:"caption"`
	Bytes    int             `json:"bytes"`
	Card     json.RawMessage `json:"card"`
}

// cards returns the cards that Teams would have been sent, in their order.
func (p *page) cards() ([]pageCard, error) {
	type tick struct {
		rule string
		at   time.Time
	}
	byTick := map[tick][]alert.Alert{}
	for _, a := range p.alerts {
		k := tick{a.RuleID, a.Created}
		byTick[k] = append(byTick[k], a)
	}
	var cards []pageCard
	for _, a := range p.alerts {
		k := tick{a.RuleID, a.Created}
		group := byTick[k]
		card := pageCard{Kind: "alert", Severity: a.Severity.String(),
			Caption: strings.TrimSuffix(text.Safe(a.RuleName)+", "+text.Moment(a.Created), ", ")}
		var err error
		switch {
		case len(group) == 0:
			continue // the digest shows it
		case p.most > 0 && len(group) > p.most:
			card.Kind = "digest"
			worst := group[0].Severity
			for _, g := range group {
				worst = max(worst, g.Severity)
			}
			card.Severity = worst.String()
			card.Card, err = teams.Digest(group)
			byTick[k] = nil
		default:
			if a.Updates != nil {
				card.Kind = "update"
			}
			card.Card, err = teams.Card(a, p.links)
		}
		if err != nil {
			return nil, err
		}
		card.Bytes = len(card.Card)
		cards = append(cards, card)
	}
	return cards, nil
}

// handler serves the page. root is the folder in which the pinned renderer may
// be installed. Only requests that name the server by an address, localhost or
// the given host are answered: no other site can read the page by a name of its
// own that leads here.
func (p *page) handler(root, host string) (http.Handler, error) {
	cards, err := p.cards()
	if err != nil {
		return nil, err
	}
	renderer := map[string]string{"src": rendererURL, "integrity": rendererHash}
	scripts := "'self' " + rendererCDN
	pinned, err := input.ReadFile(context.Background(), filepath.Join(root, filepath.FromSlash(rendererFile)), mostRenderer)
	if err == nil && hashOf(pinned) == rendererHash {
		renderer["src"], scripts = "/adaptivecards.js", "'self'"
	} else {
		pinned = nil
	}
	run, err := json.Marshal(map[string]any{"title": text.Safe(p.title), "totals": text.Safe(p.totals), "cards": cards, "renderer": renderer})
	if err != nil {
		return nil, err
	}
	policy := "default-src 'none'; script-src " + scripts + "; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	answer := func(contentType string, content []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", contentType)
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-store")
			_, _ = w.Write(content) // whoever asked may have gone
		}
	}
	mux := http.NewServeMux()
	for path, file := range map[string]struct{ name, contentType string }{
		"/{$}":      {"index.html", "text/html; charset=utf-8"},
		"/page.css": {"page.css", "text/css; charset=utf-8"},
		"/page.js":  {"page.js", "text/javascript; charset=utf-8"},
	} {
		content, err := pageFiles.ReadFile("page/" + file.name)
		if err != nil {
			return nil, err
		}
		mux.Handle("GET "+path, answer(file.contentType, content))
	}
	mux.Handle("GET /run.json", answer("application/json", run))
	if pinned != nil {
		mux.Handle("GET /adaptivecards.js", answer("text/javascript; charset=utf-8", pinned))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			name = r.Host
		}
		_, notAddress := netip.ParseAddr(strings.Trim(name, "[]"))
		if notAddress != nil && !strings.EqualFold(name, "localhost") && (host == "" || !strings.EqualFold(name, host)) {
			http.Error(w, "this page is not served under that name", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

func hashOf(content []byte) string {
	sum := sha512.Sum384(content)
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}

// pageAddress is where the page is to be, as a flag's value. An empty one is
// nowhere.
type pageAddress string

// Set takes the address. What is no address is refused before a run rather than
// after it.
func (a *pageAddress) Set(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("expected HOST:PORT, such as 127.0.0.1:8080, or :0 for any port")
	}
	*a = pageAddress(text)
	return nil
}

// String returns the address.
func (a *pageAddress) String() string { return string(*a) }

// Type names the value in the help.
func (a *pageAddress) Type() string { return "host:port" }

// serve shows the page at an address until ctx ends, and opens a browser there
// if open is set.
func (p *page) serve(ctx context.Context, at pageAddress, open bool, stderr io.Writer) error {
	address := string(at)
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err // Set has seen to it
	}
	if host == "" {
		address = "127.0.0.1" + address
	}
	h, err := p.handler(".", host)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serving the cards: %w", err)
	}
	url := "http://" + listener.Addr().String() + "/"
	fmt.Fprintf(stderr, "The cards are at %s until you press Ctrl-C.\n", url)
	if open {
		if err := openBrowser(url); err != nil {
			fmt.Fprintf(stderr, "warning: no browser was opened: %v\n", err)
		}
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err = <-done:
		return err
	case <-ctx.Done():
		err = server.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err // to be interrupted is how it ends
	}
}

func openBrowser(url string) error {
	command := []string{"xdg-open", url}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", url}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(command[0], command[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // how the browser ends is its own affair
	return nil
}

// collecting is a notifier that also keeps what it is sent.
type collecting struct {
	notify.Notifier
	page *page
}

func (c collecting) Notify(ctx context.Context, a alert.Alert) error {
	c.page.alerts = append(c.page.alerts, a)
	return c.Notifier.Notify(ctx, a)
}
