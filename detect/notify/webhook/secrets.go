package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pushback/detect/secret"
)

// Secrets are what messages are signed with. However they are printed they do not
// come out. The zero value is none.
type Secrets struct {
	// reveal returns the texts. fmt looks into everything but a function where it
	// may not call the methods above it.
	reveal func() []string
}

const (
	secretPrefix = "whsec_"
	// The specification says how many bytes a key has.
	leastKey, mostKey = 24, 64
	// mostSecrets is how many there may be: each makes the header of the signatures
	// longer.
	mostSecrets = 4
)

// ParseSecrets reads secrets with space between them, each whsec_ and 24 to 64
// bytes in base64. Of several, each signs: so one can be replaced while receivers
// still know the other. Its errors name a secret by its number and never quote one.
func ParseSecrets(text string) (Secrets, error) {
	var texts []string
	for i, t := range strings.Fields(text) {
		encoded, ok := strings.CutPrefix(t, secretPrefix)
		key, err := base64.StdEncoding.Strict().DecodeString(encoded)
		switch {
		case !ok:
			return Secrets{}, fmt.Errorf("webhook: secret %d does not begin with %s", i+1, secretPrefix)
		case err != nil: // which may quote a part of it
			return Secrets{}, fmt.Errorf("webhook: secret %d is not base64 behind %s", i+1, secretPrefix)
		case len(key) < leastKey || len(key) > mostKey:
			return Secrets{}, fmt.Errorf("webhook: secret %d has %d bytes: they are %d to %d", i+1, len(key), leastKey, mostKey)
		case slices.Contains(texts, t):
			return Secrets{}, fmt.Errorf("webhook: secret %d is there twice", i+1)
		}
		texts = append(texts, t)
	}
	switch {
	case len(texts) == 0:
		return Secrets{}, errors.New("webhook: there is no secret")
	case len(texts) > mostSecrets:
		return Secrets{}, fmt.Errorf("webhook: there are %d secrets: %d at most", len(texts), mostSecrets)
	}
	return Secrets{func() []string { return texts }}, nil
}

// IsZero reports whether there is none.
func (s Secrets) IsZero() bool { return s.reveal == nil }

// String says how many there are.
func (s Secrets) String() string {
	if s.IsZero() {
		return "not set"
	}
	return fmt.Sprintf("%d, not shown", len(s.reveal()))
}

// Format writes String, whatever the verb.
func (s Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// sign returns the signatures of a message as of a time, one by each secret.
func (s Secrets) sign(id string, at time.Time, body []byte) (string, error) {
	var list []string
	for i, text := range s.reveal() {
		hook, err := standardwebhooks.NewWebhook(text)
		if err != nil { // which may quote a part of it
			return "", fmt.Errorf("secret %d is no key to sign with", i+1)
		}
		signature, err := hook.Sign(id, at, body)
		if err != nil {
			return "", fmt.Errorf("signing with secret %d: %w", i+1, err)
		}
		list = append(list, signature)
	}
	return strings.Join(list, " "), nil
}

// redact takes the secrets out of a text that somebody else wrote.
func (s Secrets) redact(text string) string {
	known := slices.Clone(s.reveal())
	for _, t := range s.reveal() {
		known = append(known, strings.TrimPrefix(t, secretPrefix))
	}
	return secret.Remove(text, known...)
}
