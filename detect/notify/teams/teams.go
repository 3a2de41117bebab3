// Package teams tells alerts in a Microsoft Teams channel: as Adaptive Cards,
// posted to a Workflows webhook ("When a Teams webhook request is received").
//
// What an alert holds comes from logs, and with it whatever an attacker wrote
// there. In a card it is shown and never obeyed: see [Card].
package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"pushback/detect/alert"
)

// Teams throttles a webhook past this many requests a second.
const perSecond = 4

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

// Teams is a channel behind a webhook. It may be used concurrently.
type Teams struct {
	options Options
	other   channel   // for what has no route
	routes  []channel // in the order of the options'
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
		options.Transport = http.DefaultTransport
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Sleep == nil {
		options.Sleep = sleep
	}
	t := &Teams{options: options}
	// Two routes to one webhook share what it may be sent.
	all := map[string]*turns{}
	add := func(w WebhookURL) channel {
		key := w.reveal().String()
		if all[key] == nil {
			all[key] = new(turns)
		}
		return channel{w, all[key]}
	}
	t.other = add(webhook)
	for _, r := range options.Routes {
		if r.Webhook.IsZero() {
			return nil, errors.New("teams: a route has no webhook")
		}
		t.routes = append(t.routes, add(r.Webhook))
	}
	return t, nil
}

// Name is "teams".
func (t *Teams) Name() string { return "teams" }

// Notify posts one alert's card. No more than four requests a second leave a
// Teams: the others wait for their turn.
//
// The error never holds the webhook's address. Its method Permanent says that
// the webhook will not take this card, RetryAfter how long it wants to be left
// alone.
func (t *Teams) Notify(ctx context.Context, a alert.Alert) error {
	card, err := Card(a, t.options.Links)
	if err != nil {
		return err
	}
	return t.send(ctx, t.route(a), card)
}

// send posts a card when it is its turn.
func (t *Teams) send(ctx context.Context, to channel, card json.RawMessage) error {
	body, err := encode(message{Type: "message", Attachments: []attachment{{ContentType: contentType, Content: card}}})
	if err != nil {
		return err
	}
	if wait := to.turns.next(t.options.Now()); wait > 0 {
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
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string          `json:"contentType"`
	ContentURL  *string         `json:"contentUrl"`
	Content     json.RawMessage `json:"content"`
}

// mostAnswer is how much of an answer is read.
const mostAnswer = 64 << 10

// post sends a message, once. Redirects are not followed: to another host they
// would hand over the card, and most turn a POST into a GET, whose 200 would
// look like success. So there is no http.Client, whose errors besides hold the
// address.
func (t *Teams) post(ctx context.Context, webhook WebhookURL, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook.reveal().String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the address makes no request") // err may quote it
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "pushback")
	response, err := t.options.Transport.RoundTrip(request)
	if err != nil {
		return unanswered(ctx, webhook, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil && response.StatusCode != http.StatusAccepted && response.StatusCode < 300 {
		return unanswered(ctx, webhook, fmt.Errorf("reading the answer: %w", err)) // which may hold an error
	}
	return t.verdict(response, webhook, strings.TrimSpace(string(answer)))
}

// unanswered is the error of a request that has no answer.
func unanswered(ctx context.Context, webhook WebhookURL, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if text := err.Error(); webhook.redact(text) != text {
		return errors.New(webhook.redact(text))
	}
	return err
}

// quotedStatus is how an answer of 200 says what went wrong behind the webhook:
// "... returned HTTP error 429 with ContextId ...".
var quotedStatus = regexp.MustCompile(`(?i)\bHTTP error (\d{3})\b`)

// verdict says what an answer means. 202 is success whatever it holds. Any
// other success is one only if it is empty or "1": else it holds an error.
func (t *Teams) verdict(response *http.Response, webhook WebhookURL, answer string) error {
	status := response.StatusCode
	success := status >= 200 && status < 300
	if status == http.StatusAccepted || success && (answer == "" || answer == "1") {
		return nil
	}
	r := &refusal{status: status, text: inert(webhook.redact(answer), 200)}
	if success {
		if m := quotedStatus.FindStringSubmatch(answer); m != nil {
			status, _ = strconv.Atoi(m[1]) // three digits
		} else {
			status = http.StatusInternalServerError // of what kind it does not say
		}
	}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		r.retryAfter = retryAfter(response.Header.Get("Retry-After"), t.options.Now())
	default:
		r.permanent = true
	}
	return r
}

// refusal is an answer that is not success.
type refusal struct {
	status     int
	text       string
	permanent  bool
	retryAfter time.Duration
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("it answered %d", r.status)
	if name := http.StatusText(r.status); name != "" {
		text += " " + name
	}
	switch {
	case r.status < 300:
		text += " with an error in it"
	case r.status < 400:
		text += ", and redirects are not followed: copy the address from the workflow again"
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden, r.status == http.StatusNotFound, r.status == http.StatusGone:
		text += ": is the workflow still there and turned on?"
	}
	if r.text != "" {
		text += ": " + r.text
	}
	return text
}

// Permanent reports whether the same card will be refused again.
func (r *refusal) Permanent() bool { return r.permanent }

// RetryAfter returns how long the webhook wants to be left alone, or zero.
func (r *refusal) RetryAfter() time.Duration { return r.retryAfter }

// mostRetryAfter bounds what a webhook can ask for: a slip of its own must not
// silence a channel.
const mostRetryAfter = time.Hour

// retryAfter reads the header Retry-After: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(mostRetryAfter/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(date.Sub(now), 0), mostRetryAfter)
	}
	return 0
}

// turns spaces requests out.
type turns struct {
	mu   sync.Mutex
	free time.Time // when the next may leave
}

// next takes the next turn and returns how long until then.
func (t *turns) next(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free.Before(now) {
		t.free = now
	}
	wait := t.free.Sub(now)
	t.free = t.free.Add(time.Second / perSecond)
	return wait
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
