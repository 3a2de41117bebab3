package post

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

// URL is the address of a webhook. Whoever holds it can post, so it is a secret:
// however it is printed it comes out as its host and a few characters of a hash,
// which say nothing of it. The zero value is no address.
type URL struct {
	// reveal returns the address. fmt looks into everything but a function where
	// it may not call the methods above it.
	reveal func() *url.URL
}

// ParseURL reads an address. Its error does not quote the text.
func ParseURL(text string) (URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return URL{}, errors.New("the webhook's address is not a URL") // err quotes it
	case u.Scheme != "https":
		return URL{}, errors.New("the webhook's address does not start with https://")
	case u.Hostname() == "":
		return URL{}, errors.New("the webhook's address has no host")
	case u.User != nil:
		return URL{}, errors.New("the webhook's address has a user in it")
	}
	u.Fragment, u.RawFragment = "", ""
	return URL{func() *url.URL { return u }}, nil
}

// Reveal returns the address, for what posts to it. It is nil of the zero value.
func (u URL) Reveal() *url.URL {
	if u.IsZero() {
		return nil
	}
	return u.reveal()
}

// IsZero reports whether it is no address.
func (u URL) IsZero() bool { return u.reveal == nil }

// Host returns the host, with its port if there is one.
func (u URL) Host() string { return u.reveal().Host }

// String returns the host and the first digits of the address's SHA-256.
func (u URL) String() string {
	if u.IsZero() {
		return "not set"
	}
	return u.Hashed(2)
}

// Hashed returns the host and so many bytes of the address's SHA-256.
func (u URL) Hashed(n int) string {
	sum := sha256.Sum256([]byte(u.reveal().String()))
	return u.reveal().Host + "/…" + hex.EncodeToString(sum[:n])
}

// Format writes String, whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// MarshalText returns String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Redact takes the address and its parts out of a text that somebody else
// wrote, such as the webhook's answer. What else looks like a secret goes too.
// Words such as run and POST stay.
func (u URL) Redact(text string) string {
	address := u.reveal()
	known := []string{address.String(), address.RequestURI(), address.EscapedPath(), address.RawQuery}
	known = append(known, strings.Split(address.EscapedPath(), "/")...)
	for pair := range strings.SplitSeq(address.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		known = append(known, value)
	}
	return secret.Remove(text, known...)
}
