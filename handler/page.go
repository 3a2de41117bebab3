package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/handler/page"
)

// mostSteps is how many steps of time the page's chart has at most: it puts together
// what its window has no room for.
const mostSteps = 400

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

// served is a page that is being served.
type served struct {
	*page.Page
	url    string
	server *http.Server
	done   chan error
}

// servePage shows a page at an address, at once and until close.
func servePage(ctx context.Context, p *page.Page, at pageAddress) (*served, error) {
	address := string(at)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err // Set has seen to it
	}
	if host == "" {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the page of alerts can not be served at %s: %w: give another address with --serve, or :0 for any free port", address, withoutAddress(err))
	}
	s := &served{Page: p, url: "http://" + reached(listener.Addr()) + "/", done: make(chan error, 1),
		server: &http.Server{Handler: p.Handler(host), ReadHeaderTimeout: 10 * time.Second}}
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

// withoutAddress is what the system says of an address that the error names already.
func withoutAddress(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// reached is where a browser of this machine reaches a listener. One that listens at
// every address is reached at the machine's own.
func reached(at net.Addr) string {
	bound, err := netip.ParseAddrPort(at.String())
	if err != nil || !bound.Addr().IsUnspecified() {
		return at.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(bound.Port())))
}

// wait goes on serving until ctx ends. To be interrupted is how it ends.
func (s *served) wait(ctx context.Context) error {
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-ctx.Done():
		return nil
	}
}

// close ends serving.
func (s *served) close() error {
	err := s.server.Close()
	if ended := <-s.done; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// start takes what is known once the logs are read.
func (s *served) start(h *hours, ready *prepared) {
	run := page.Run{First: ready.first, Last: ready.last, Rules: len(ready.rules)}
	run.One, run.Many = h.noun()
	var steps []hour
	steps, run.StepHours = h.atMost(mostSteps)
	for _, c := range steps {
		run.Steps = append(run.Steps, page.Step{Start: c.Start, Records: c.Records, Rejections: c.Rejections})
	}
	s.Start(run)
}

// open opens a browser at the page.
func (s *served) open(stderr io.Writer) {
	if err := openBrowser(s.url); err != nil {
		fmt.Fprintf(stderr, "warning: no browser was opened: %v\n", err)
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

// collecting is a notifier that also shows what it is sent on a page.
type collecting struct {
	notify.Notifier
	page *page.Page
}

func (c collecting) Notify(ctx context.Context, a alert.Alert) error {
	c.page.Add(a)
	return c.Notifier.Notify(ctx, a)
}
