package secret

import (
	"net/url"
	"strings"
	"testing"
)

// The secrets of these tests have the forms of real ones.
const (
	sig = "Zk3vQ8yT5bN1mX7cR2wL9hD4sA6jF0pUeGiKoB+Vx/E="
	key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	jwe = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2FwaSJ9.c2lnbmF0dXJl-X_y"
)

func TestHide(t *testing.T) {
	t.Parallel()
	escaped := url.QueryEscape(sig)
	for _, tt := range []struct{ text, want string }{
		{"https://account.table.core.windows.net/?sv=2024-08-04&ss=t&sig=" + escaped, "https://account.table.core.windows.net/?…"},
		{`parse "https://host/a?sig=` + escaped + `": no port`, `parse "https://host/a?…": no port`},
		{"HTTPS://HOST/A?SIG=" + strings.ToUpper(escaped), "HTTPS://HOST/A?…"},
		{"https%3A%2F%2Fhost%2Fa%3Fsig%3D" + escaped + " and more", "https%3A%2F%2Fhost%2Fa%3F… and more"},
		{"https%253A%252F%252Fhost%252Fa%253Fsig%253Dshort", "https%253A%252F%252Fhost%252Fa%253F…"},
		{`{"url":"https:\/\/host\/a?code=short\u0026x=1"}`, `{"url":"https:\/\/host\/a?…"}`},
		{"<a href=&quot;https://host/a?sig=short&amp;x=1&quot;>", "<a href=&quot;https://host/a?…&quot;>"},
		{"https://user:pw@host/a", "https://…@host/a"},
		{"ftp://token@host", "ftp://…@host"},
		{"https://host/a#access_token=short", "https://host/a#…"},
		{"https://learn.microsoft.com/azure/a#section", "https://learn.microsoft.com/azure/a#section"},
		{"https://t.webhook.office.com/webhookb2/0a@0b/IncomingWebhook/0c/0d", "https://t.webhook.office.com/…"},
		{"https://account.table.core.windows.net", "https://account.table.core.windows.net"},
		{"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + key + ";EndpointSuffix=core.windows.net", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=…;EndpointSuffix=core.windows.net"},
		{"accountkey = short; x", "accountkey = …; x"},
		{`{"AccountKey":"short","x":1}`, `{"AccountKey":"…","x":1}`},
		{`"{\"client_secret\" : \"short\"}"`, `"{\"client_secret\" : \"…\"}"`},
		{"{'password': 'short'}", "{'password': '…'}"},
		{`"{\\\"sig\\\":\\\"short\\\"}"`, `"{\\\"sig\\\":\\\"…\\\"}"`},
		{`\\sig\\:\\short`, `\\sig\\:\\…`},
		{"AccountKey\t=\tshort", "AccountKey\t=\t…"},
		{`parse "AccountKey\t=\n\tshort": invalid`, `parse "AccountKey\t=\n\t…": invalid`},
		{"TableEndpoint=https://a.b;SharedAccessSignature=sv=2024&ss=t&sig=short", "TableEndpoint=https://a.b;SharedAccessSignature=…"},
		{"SharedAccessSignature sr=a&sig=short&se=1", "SharedAccessSignature …"},
		{"sv=2024&sig=short", "sv=2024&sig=…"},
		{"Authorization: Bearer 0123456789abcdef0123", "Authorization: Bearer …"},
		{"the token " + jwe + " is too old", "the token … is too old"},
		{"the key " + key + " is wrong", "the key … is wrong"},
		{"the signature " + url.PathEscape(sig) + " and " + escaped, "the signature … and …"},
		{"the setting is whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_c2hvcnQ=.", "the setting is … …."},
		// What is none.
		{"expected whsec_ and a key in base64", "expected whsec_ and a key in base64"},
		{"", ""},
		{"100% of 7 rules & more \\ less", "100% of 7 rules & more \\ less"},
		{"the setting PUSHBACK_DELAY is \"5\": expected a duration", "the setting PUSHBACK_DELAY is \"5\": expected a duration"},
		{"/home/user/Projects/2026/pushback/detect/notify/sentinel/testdata/Rules", "/home/user/Projects/2026/pushback/detect/notify/sentinel/testdata/Rules"},
		{"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.OperationalInsights/workspaces/w", "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.OperationalInsights/workspaces/w"},
		{"sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		{"sha256 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08", "sha256 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"},
		{"where sig == 'x'", "where sig == 'x'"},
		{"a wrong signature: it is to be made again", "a wrong signature: it is to be made again"},
		{`"signature": 5`, `"signature": 5`},
		{"AADNonInteractiveUserSignInLogs and MicrosoftGraphActivityLogs2", "AADNonInteractiveUserSignInLogs and MicrosoftGraphActivityLogs2"},
	} {
		if got := Hide(tt.text); got != tt.want {
			t.Errorf("%s\nis %s\nwant %s", tt.text, got, tt.want)
		}
		if got := In(tt.text); got != (tt.text != tt.want) {
			t.Errorf("%s: a secret in it: %t", tt.text, got)
		}
		if got := Hide(tt.want); got != tt.want && !strings.Contains(tt.want, Hidden) {
			t.Errorf("%s\nis hidden again as %s", tt.want, got)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	const known = "AbCd/efGH+12"
	for _, tt := range []struct{ text, want string }{
		{"it is AbCd/efGH+12 here", "it is … here"},
		{"it is ABCD/EFGH+12 and abcd/efgh+12", "it is … and …"},
		{"it is AbCd%2FefGH%2b12 here", "it is … here"},
		{"it is AbCd%252FefGH%252B12 here", "it is … here"},
		{"it is %41b%43d/efGH+12 here", "it is … here"},
		{`it is AbCd\/efGH\u002b12 here`, "it is … here"},
		{"it is AbCd&#47;efGH&#x2B;12 here", "it is … here"},
		{"it is AbCd/efGH+1 here", "it is AbCd/efGH+1 here"},
		{"\xff\xfe AbCd/efGH+12 \xff", "\xff\xfe … \xff"},
	} {
		if got := Remove(tt.text, known, "run", ""); got != tt.want {
			t.Errorf("%q\nis %q\nwant %q", tt.text, got, tt.want)
		}
	}
}

func FuzzHide(f *testing.F) {
	for _, seed := range []string{"https://a:b@c/d?e#f", "%25%32%35", `\u0026&amp;&#x26;`, "sig=%", key, jwe, "\xff%ff\\x", "&#99999999;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hidden := Hide(text)
		if (hidden != text) != In(text) {
			t.Fatalf("%q: hidden as %q, found: %t", text, hidden, In(text))
		}
		// A secret is found whatever is around it, if it stands for itself.
		with := text + " \n https://host/x?sig=" + sig + " \n " + text
		if got := Hide(with); strings.Contains(got, sig[:20]) {
			t.Fatalf("%q leaks in %q", with, got)
		}
		if got := Remove(text+" S3cr3t-Value "+text, "s3CR3T-vALUE"); strings.Contains(got, "S3cr3t-Value") {
			t.Fatalf("%q leaks", got)
		}
	})
}
