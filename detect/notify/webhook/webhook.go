// Package webhook sends alerts to a webhook of whoever runs Pushback: one alert a
// POST, as JSON of a published schema, signed as the Standard Webhooks
// specification says. It reaches what has no destination of its own, such as a
// ticket system, paging or a playbook.
//
// What an alert holds comes from logs, and with it whatever an attacker wrote
// there: see the README.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/post"
	"pushback/detect/transport"
)

var _ notify.Beater = (*Webhook)(nil)

// Name is the destination's name in the ledger and in reports.
const Name = "webhook"

// defaultTimeout is shorter than what a detector gives a destination, so that
// the error says what took so long.
const defaultTimeout = 20 * time.Second

// Options are what can be set. The zero value is for production.
type Options struct {
	Links portal.Links
	// HealthRule is the id of the rule whose alerts are about Pushback itself.
	HealthRule string
	// Timeout limits one request, waiting for its turn not included. Zero is
	// 20 seconds.
	Timeout time.Duration
	// Transport sends the requests. Without it they are sent as usual.
	Transport http.RoundTripper
	// Now and Sleep are the clock. Without them it is the system's. Sleep
	// returns early, with an error, if the context ends.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
}

// Webhook is a receiver of alerts. It may be used concurrently.
type Webhook struct {
	to      post.URL
	secrets Secrets
	options Options
	turns   post.Turns
}

// New returns the receiver behind an address. Nothing is sent yet.
func New(to post.URL, secrets Secrets, options Options) (*Webhook, error) {
	switch {
	case to.IsZero():
		return nil, errors.New("webhook: there is no address")
	case secrets.IsZero():
		return nil, errors.New("webhook: there is no secret to sign with")
	}
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	if options.Transport == nil {
		options.Transport = transport.New(transport.DefaultConnect)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Sleep == nil {
		options.Sleep = transport.Sleep
	}
	return &Webhook{to: to, secrets: secrets, options: options}, nil
}

// Name is "webhook".
func (w *Webhook) Name() string { return Name }

// Address returns the name of the address: its host and a few characters that say
// nothing of it. One that is replaced has another, so that what is known of it is
// forgotten.
func (w *Webhook) Address(alert.Alert) string { return w.to.String() }

// Addresses lists that name.
func (w *Webhook) Addresses() []string { return []string{w.to.String()} }

// Notify posts one alert. Posted again, after a restart too, it has the same id.
// No more than four requests a second leave a Webhook: the others wait for their
// turn.
//
// The error is a [*notify.Error] and never holds the address or a secret.
func (w *Webhook) Notify(ctx context.Context, a alert.Alert) error {
	return w.send(ctx, bodyOf(a, w.kindOf(a), w.options))
}

// Test posts an alert as one that is about nothing.
func (w *Webhook) Test(ctx context.Context, a alert.Alert) error {
	return w.send(ctx, bodyOf(a, kindTest, w.options))
}

// Heartbeat posts that Pushback runs, where there was nothing to post for a long
// time. Its errors are like those of Notify.
func (w *Webhook) Heartbeat(ctx context.Context, address string, h notify.Heartbeat) error {
	if address != w.to.String() {
		return fmt.Errorf("webhook: there is no address %s", address)
	}
	return w.send(ctx, heartbeatOf(h, w.options))
}

// Reach makes sure that the host answers, whatever it is. It posts nothing, and its
// request does not hold the address.
func (w *Webhook) Reach(ctx context.Context) error {
	host := w.to.Host()
	if err := post.Reach(ctx, w.options.Transport, w.options.Timeout, host); err != nil {
		return fmt.Errorf("webhook: reaching %s: %w. Check that the app may connect to it", host, err)
	}
	return nil
}

// send posts a message when it is its turn.
func (w *Webhook) send(ctx context.Context, m message) error {
	body, err := m.encode()
	if err != nil {
		return &notify.Error{Err: fmt.Errorf("webhook: writing alert %s: %w", m.id(), err), Message: true}
	}
	if wait := w.turns.Next(w.options.Now()); wait > 0 {
		if err := w.options.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("webhook: waiting for a turn to post to %s: %w", w.to, err)
		}
	}
	if err := w.post(ctx, m.id(), body); err != nil {
		return fmt.Errorf("webhook: posting to %s: %w", w.to, err)
	}
	return nil
}

// The headers of the specification.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// post sends a body, once, signed as of now.
func (w *Webhook) post(ctx context.Context, id string, body []byte) error {
	now := w.options.Now()
	signatures, err := w.secrets.sign(id, now, body)
	if err != nil {
		return &notify.Error{Err: err, Local: true}
	}
	header := http.Header{
		headerID:        {id},
		headerTimestamp: {strconv.FormatInt(now.Unix(), 10)},
		headerSignature: {signatures},
	}
	answer, err := post.Once(ctx, w.options.Transport, w.options.Timeout, w.to, header, body)
	if err != nil {
		return err
	}
	return w.verdict(answer)
}
