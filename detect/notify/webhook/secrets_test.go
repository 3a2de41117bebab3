package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The test vector that comes with the specification's libraries.
const (
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

// otherSecret is what vectorSecret is replaced by.
var otherSecret = secretPrefix + base64.StdEncoding.EncodeToString([]byte("another key of thirty-two bytes."))

func mustSecrets(t testing.TB, text string) Secrets {
	t.Helper()
	s, err := ParseSecrets(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A message is signed as the specification's own test vector is, by each of
// several secrets in their order.
func TestSign(t *testing.T) {
	t.Parallel()
	got, err := mustSecrets(t, vectorSecret).sign(vectorID, time.Unix(vectorTime, 0), []byte(vectorBody))
	if err != nil || got != vectorSignature {
		t.Errorf("%s, %v", got, err)
	}
	got, err = mustSecrets(t, otherSecret+" \n"+vectorSecret).sign(vectorID, time.Unix(vectorTime, 999_999_999), []byte(vectorBody))
	if list := strings.Split(got, " "); err != nil || len(list) != 2 || list[1] != vectorSignature || list[0] == list[1] || !strings.HasPrefix(list[0], "v1,") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestParseSecrets(t *testing.T) {
	t.Parallel()
	of := func(n int) string {
		return secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s3cr3t..", 10)[:n]))
	}
	for _, tc := range []struct{ text, want string }{
		{vectorSecret, ""},
		{" " + vectorSecret + "\n" + otherSecret + "\t", ""},
		{of(24) + " " + of(32) + " " + of(48) + " " + of(64), ""},
		{"", "there is no secret"},
		{" \n", "there is no secret"},
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret 1 does not begin with whsec_"},
		{"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret 1 does not begin with whsec_"},
		{"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret 1 does not begin with whsec_"},
		{vectorSecret + "," + otherSecret, "secret 1 is not base64"},
		{otherSecret + " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS_", "secret 2 is not base64"},
		{"whsec_", "secret 1 has 0 bytes"},
		{of(23), "secret 1 has 23 bytes"},
		{of(65), "secret 1 has 65 bytes"},
		{vectorSecret + " " + vectorSecret, "secret 2 is there twice"},
		{of(24) + " " + of(25) + " " + of(26) + " " + of(27) + " " + of(28), "there are 5 secrets"},
	} {
		s, err := ParseSecrets(tc.text)
		if tc.want == "" {
			if err != nil || s.IsZero() || len(s.reveal()) != len(strings.Fields(tc.text)) {
				t.Errorf("%d: %v", len(tc.text), err)
			}
			continue
		}
		if err == nil || !s.IsZero() || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "MfKQ") || strings.Contains(err.Error(), "czNjcj") {
			t.Errorf("%q: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// However secrets are printed, also from within other values, they do not come out.
func TestSecretsAreSecret(t *testing.T) {
	t.Parallel()
	s := mustSecrets(t, vectorSecret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, s); got != "1, not shown" {
			t.Errorf("%s prints %s", verb, got)
		}
		for _, within := range []any{struct{ hidden Secrets }{s}, &struct{ Open any }{s}, []Secrets{s}} {
			if got := fmt.Sprintf(verb, within); strings.Contains(got, "MfKQ") || strings.Contains(got, "4d664b51") {
				t.Errorf("%s of %T prints %s", verb, within, got)
			}
		}
	}
	if text, err := json.Marshal(s); err != nil || string(text) != `"1, not shown"` {
		t.Errorf("JSON %s, %v", text, err)
	}
	if got := (Secrets{}).String(); got != "not set" {
		t.Errorf("the zero value prints %s", got)
	}
	if got := s.redact("bad key MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw in " + vectorSecret); strings.Contains(got, "MfKQ") || !strings.HasPrefix(got, "bad key ") {
		t.Errorf("it is left in %q", got)
	}
}

func FuzzParseSecrets(f *testing.F) {
	f.Add(vectorSecret + " " + otherSecret)
	f.Add("whsec_!")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecrets(text)
		if (err == nil) == s.IsZero() {
			t.Fatalf("%v and %s", err, s)
		}
		if err == nil {
			if _, err := s.sign("id", time.Unix(0, 0), nil); err != nil {
				t.Errorf("what is read cannot sign: %v", err)
			}
			return
		}
		for _, word := range strings.Fields(text) {
			if len(word) > 12 && strings.Contains(err.Error(), word) {
				t.Errorf("the error quotes it: %v", err)
			}
		}
	})
}
