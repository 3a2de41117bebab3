package teams

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"pushback/detect/secret"
)

// WebhookURL is the address of a Workflows webhook. Whoever holds it can post,
// so it is a secret: however it is printed it comes out as its host and a few
// characters of a hash, which say nothing of it. The zero value is
// no address.
type WebhookURL struct {
	// reveal returns the address. fmt looks into everything but a function where
	// it may not call the methods above it.
	reveal func() *url.URL
}

// ParseWebhookURL reads an address. Its error does not quote the text.
func ParseWebhookURL(text string) (WebhookURL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return WebhookURL{}, errors.New("teams: the webhook's address is not a URL") // err quotes it
	case u.Scheme != "https":
		return WebhookURL{}, errors.New("teams: the webhook's address does not start with https://")
	case u.Hostname() == "":
		return WebhookURL{}, errors.New("teams: the webhook's address has no host")
	case u.User != nil:
		return WebhookURL{}, errors.New("teams: the webhook's address has a user in it")
	case strings.Trim(u.Path, "/") == "":
		return WebhookURL{}, errors.New("teams: the webhook's address ends at its host: copy all of it from the workflow")
	}
	u.Fragment, u.RawFragment = "", ""
	return WebhookURL{func() *url.URL { return u }}, nil
}

// IsZero reports whether it is no address.
func (w WebhookURL) IsZero() bool { return w.reveal == nil }

// String returns the host and the first digits of the address's SHA-256.
func (w WebhookURL) String() string {
	if w.IsZero() {
		return "not set"
	}
	return w.hashed(2)
}

// Is reports whether it is the same address as another.
func (w WebhookURL) Is(other WebhookURL) bool {
	return w.IsZero() == other.IsZero() && (w.IsZero() || w.reveal().String() == other.reveal().String())
}

// hashed returns the host and so many bytes of the address's SHA-256.
func (w WebhookURL) hashed(n int) string {
	sum := sha256.Sum256([]byte(w.reveal().String()))
	return w.reveal().Host + "/…" + hex.EncodeToString(sum[:n])
}

// Format writes String, whatever the verb.
func (w WebhookURL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, w.String()) }

// MarshalText returns String.
func (w WebhookURL) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// redact takes the address and its parts out of a text that somebody else
// wrote, such as the webhook's answer. What else looks like a secret goes too.
// Words such as run and POST stay.
func (w WebhookURL) redact(text string) string {
	u := w.reveal()
	known := []string{u.String(), u.RequestURI(), u.EscapedPath(), u.RawQuery}
	known = append(known, strings.Split(u.EscapedPath(), "/")...)
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		known = append(known, value)
	}
	return secret.Remove(text, known...)
}
