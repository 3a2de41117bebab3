package teams

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"pushback/detect/notify/post"
)

// WebhookURL is the address of a Workflows webhook. It is a secret and is never
// printed: see [post.URL]. The zero value is no address.
type WebhookURL struct {
	url post.URL
	// audience is whom the token that goes with what is posted is made out to, or
	// nothing: see WithIdentity.
	audience string
}

// ParseWebhookURL reads an address. Its error does not quote the text.
func ParseWebhookURL(text string) (WebhookURL, error) {
	u, err := post.ParseURL(text)
	if err != nil {
		return WebhookURL{}, fmt.Errorf("teams: %w", err)
	}
	if strings.Trim(u.Reveal().Path, "/") == "" {
		return WebhookURL{}, errors.New("teams: the webhook's address ends at its host: copy all of it from the workflow")
	}
	return WebhookURL{url: u}, nil
}

// IsZero reports whether it is no address.
func (w WebhookURL) IsZero() bool { return w.url.IsZero() }

// String returns the host and the first digits of the address's SHA-256.
func (w WebhookURL) String() string { return w.url.String() }

// Is reports whether it is the same address as another.
func (w WebhookURL) Is(other WebhookURL) bool {
	return w.IsZero() == other.IsZero() && (w.IsZero() || w.reveal().String() == other.reveal().String())
}

// Format writes String, whatever the verb.
func (w WebhookURL) Format(f fmt.State, verb rune) { w.url.Format(f, verb) }

// MarshalText returns String.
func (w WebhookURL) MarshalText() ([]byte, error) { return w.url.MarshalText() }

func (w WebhookURL) reveal() *url.URL { return w.url.Reveal() }

// hashed returns the host and so many bytes of the address's SHA-256.
func (w WebhookURL) hashed(n int) string { return w.url.Hashed(n) }

// redact takes the address out of a text that somebody else wrote.
func (w WebhookURL) redact(text string) string { return w.url.Redact(text) }
