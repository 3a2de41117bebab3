// Package teams sends alerts to Microsoft Teams channels: as Adaptive Cards,
// posted to a Workflows webhook ("When a Teams webhook request is received").
//
// What an alert holds comes from logs, and with it whatever an attacker wrote
// there. In a card it is shown and never obeyed: see [Card].
package teams

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/post"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/detect/transport"
)

var (
	_ notify.Digester = (*Teams)(nil)
	_ notify.Beater   = (*Teams)(nil)
)

// defaultTimeout is shorter than what a detector gives a destination, so that
// the error says what took so long.
const defaultTimeout = 20 * time.Second

// Options are what can be set. The zero value is for production.
type Options struct {
	Links Links
	// MaxCards is how many alerts of a rule are posted one by one in a tick:
	// more are one card. Zero is five.
	MaxCards int
	// Routes say which alerts go to another webhook.
	Routes []Route
	// Named are further webhooks, by the names that the addresses of alerts may be.
	Named []Named
	// Timeout limits one request, waiting for its turn not included. Zero is
	// 20 seconds.
	Timeout time.Duration
	// Credential is the app's identity, for the webhooks that take its tokens.
	Credential azcore.TokenCredential
	// Transport sends the requests. Without it they are sent as usual.
	Transport http.RoundTripper
	// Now and Sleep are the clock. Without them it is the system's. Sleep
	// returns early, with an error, if the context ends.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
}

// Teams is a channel behind a webhook. It may be used concurrently.
type Teams struct {
	options Options
	tokens  tokens
	other   channel   // for what has no route
	routes  []channel // in the order of the options'
	named   []channel // likewise
}

// New returns the channel behind a webhook. Nothing is sent yet.
func New(webhook WebhookURL, options Options) (*Teams, error) {
	if webhook.IsZero() {
		return nil, errors.New("teams: there is no webhook")
	}
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	if options.MaxCards == 0 {
		options.MaxCards = 5
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
	t := &Teams{options: options, tokens: tokens{credential: options.Credential}}
	// Two routes to one webhook share what it may be sent. Two webhooks have
	// different names, also in the rare case that their first digits are the
	// same.
	all, names := map[string]channel{}, map[string]bool{}
	var problem error
	add := func(w WebhookURL) channel {
		key := w.reveal().String()
		if c, known := all[key]; known && c.webhook.audience != w.audience {
			problem = fmt.Errorf("teams: %s is posted to both with the app's identity and without", w)
		}
		if w.audience != "" && options.Credential == nil {
			problem = fmt.Errorf("teams: there is no identity to post to %s with", w)
		}
		if _, known := all[key]; !known {
			name := w.String()
			if names[name] {
				name = w.hashed(sha256.Size)
			}
			names[name] = true
			all[key] = channel{name, w, new(post.Turns)}
		}
		return all[key]
	}
	t.other = add(webhook)
	for _, r := range options.Routes {
		if r.Webhook.IsZero() {
			return nil, errors.New("teams: a route has no webhook")
		}
		t.routes = append(t.routes, add(r.Webhook))
	}
	for _, n := range options.Named {
		if n.Webhook.IsZero() || n.Name == "" {
			return nil, errors.New("teams: a webhook that has a name of its own has none, or no address")
		}
		t.named = append(t.named, add(n.Webhook))
	}
	if problem != nil {
		return nil, problem
	}
	return t, nil
}

// Name is "teams".
func (t *Teams) Name() string { return "teams" }

// Notify posts one alert's card. No more than four requests a second leave a
// Teams: the others wait for their turn.
//
// The error is a [*notify.Error] and never holds the webhook's address.
func (t *Teams) Notify(ctx context.Context, a alert.Alert) error {
	card, summary, err := cardOf(a, t.options.Links)
	if err != nil {
		return &notify.Error{Err: err, Message: true}
	}
	return t.send(ctx, t.route(a), card, summary)
}

// send posts a card when it is its turn, with what a notification says of it.
func (t *Teams) send(ctx context.Context, to channel, card json.RawMessage, summary string) error {
	body, err := messageOf(card, summary)
	if err != nil {
		return &notify.Error{Err: err, Message: true}
	}
	if wait := to.turns.Next(t.options.Now()); wait > 0 {
		if err := t.options.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("teams: waiting for a turn to post to %s: %w", to.webhook, err)
		}
	}
	if err := t.post(ctx, to.webhook, body); err != nil {
		return fmt.Errorf("teams: posting to %s: %w", to.webhook, err)
	}
	return nil
}

const contentType = "application/vnd.microsoft.card.adaptive"

// message is what the webhook takes.
type message struct {
	Type string `json:"type"`
	// Summary is what a notification says, without Markdown.
	Summary     string       `json:"summary,omitempty"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string          `json:"contentType"`
	ContentURL  *string         `json:"contentUrl"`
	Content     json.RawMessage `json:"content"`
}

// messageOf returns the message that brings a card.
func messageOf(card json.RawMessage, summary string) ([]byte, error) {
	return encode(message{Type: "message", Summary: summary, Attachments: []attachment{{ContentType: contentType, Content: card}}})
}

// mostSummary is how many characters a notification has room for, and more.
const mostSummary = 200

// summaryOf is what a notification says of an alert.
func summaryOf(severity alert.Severity, headline string) string {
	return severity.String() + ": " + inert(text.Line(headline), mostSummary)
}

// post sends a message, once.
func (t *Teams) post(ctx context.Context, webhook WebhookURL, body []byte) error {
	header, token, err := t.authorization(ctx, webhook)
	if err != nil {
		return err
	}
	answer, err := post.Once(ctx, t.options.Transport, t.options.Timeout, webhook.url, header, body)
	if err != nil {
		return err
	}
	if token != "" {
		answer.Text = secret.Remove(answer.Text, token)
		if answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden {
			t.tokens.forget(webhook.audience)
		}
	}
	return t.verdict(answer, webhook, body)
}

// authorization returns the header that says who posts, if the webhook wants to know,
// and the token in it. Without a token nothing is posted, which says nothing of the
// alert: it is sent again.
func (t *Teams) authorization(ctx context.Context, webhook WebhookURL) (header http.Header, token string, err error) {
	if webhook.audience == "" {
		return nil, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	token, err = t.tokens.of(ctx, webhook.audience, t.options.Now())
	if err != nil {
		return nil, "", &notify.Error{Err: fmt.Errorf("as the app's identity: %w", err), Shut: true}
	}
	return http.Header{"Authorization": {"Bearer " + token}}, token, nil
}

// encode writes JSON without the escapes that are for HTML: they make a card
// larger and nothing safer.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("teams: writing a card: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
