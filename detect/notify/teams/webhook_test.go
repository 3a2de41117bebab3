package teams

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const workflow = "https://prod-01.westeurope.logic.azure.com:443/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sig=S3cr3t-Signature_of%2Bthe-webhook"

func TestParseWebhookURL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{workflow, ""},
		{"", "https://"},
		{"http://host.example/s3cr3t", "https://"},
		{"http://127.0.0.1/s3cr3t", "https://"},
		{"https:///s3cr3t", "no host"},
		{"https://:443/s3cr3t", "no host"},
		{"https://user:s3cr3t@host.example/path", "user"},
		{"https://host.example/", "ends at its host"},
		{"https://host.example/s3cr3t\x7f", "not a URL"},
		{"https://host.example/%zzs3cr3t", "not a URL"},
	} {
		w, err := ParseWebhookURL(tc.text)
		if tc.want == "" {
			if err != nil || w.IsZero() {
				t.Errorf("%s: %v", tc.text, err)
			}
			continue
		}
		if err == nil || !w.IsZero() || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// However the address is printed, also from within other values, it is its host
// and digits that say nothing of it.
func TestWebhookURLIsSecret(t *testing.T) {
	t.Parallel()
	w, err := ParseWebhookURL(workflow)
	if err != nil {
		t.Fatal(err)
	}
	const want = "prod-01.westeurope.logic.azure.com:443/…"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, w); !strings.HasPrefix(got, want) || len(got) != len(want)+4 {
			t.Errorf("%s prints %s", verb, got)
		}
		for _, within := range []any{struct{ hidden WebhookURL }{w}, &struct{ Open any }{w}, []WebhookURL{w}} {
			if got := fmt.Sprintf(verb, within); strings.Contains(strings.ToLower(got), "workflows") || strings.Contains(got, "776f726b666c6f7773") {
				t.Errorf("%s of %T prints %s", verb, within, got)
			}
		}
	}
	if text, err := json.Marshal(w); err != nil || !strings.HasPrefix(string(text), `"`+want) {
		t.Errorf("JSON %s, %v", text, err)
	}
	other, err := ParseWebhookURL(workflow + "x")
	if err != nil || other.String() == w.String() {
		t.Errorf("two addresses print the same: %s, %v", other, err)
	}
	if got := (WebhookURL{}).String(); got != "not set" {
		t.Errorf("the zero value prints %s", got)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	w, err := ParseWebhookURL(workflow)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{workflow, "sig=S3cr3t-Signature_of%2Bthe-webhook", "S3cr3t-Signature_of+the-webhook", "/workflows/0123456789abcdef/", "0123456789abcdef",
		url.QueryEscape(workflow), url.QueryEscape(url.QueryEscape(workflow)), strings.ToUpper(workflow), strings.ToLower(workflow),
		"S3CR3T-SIGNATURE_OF+THE-WEBHOOK", "s3cr3t-signature_of%2bthe-webhook", "%533cr3t-Signature_of%2Bthe-webhook", "S3cr3t-Signature_of&#43;the-webhook",
		`S3cr3t-Signature_of\u002bthe-webhook`, "sig%3DS3cr3t-Signature_of%252Bthe-webhook", "0123456789ABCDEF", "%30123456789abcdef"} {
		got := w.redact("before " + text + " after")
		if lower := strings.ToLower(got); strings.Contains(lower, "cr3t") || strings.Contains(lower, "123456789") || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("%s stays %s", text, got)
		}
	}
	if got := w.redact("an ordinary error"); got != "an ordinary error" {
		t.Errorf("became %s", got)
	}
}
