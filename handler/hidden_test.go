package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pushback/handler/settings"
)

// pasted are secrets that end up in the wrong setting, and what of each no
// output may hold.
var pasted = []struct{ text, part string }{
	{"https://account.blob.core.windows.net/c?sv=2024-08-04&sig=S3cr3tS1gn4ture", "S3cr3t"},
	{"https%3A%2F%2Faccount.table.core.windows.net%2F%3Fsig%3DS3cr3tS1gn4ture", "S3cr3t"},
	{"HTTPS://PROD.LOGIC.AZURE.COM/WORKFLOWS/X?SIG=S3CR3TS1GN4TURE", "S3CR3T"},
	{"https://admin:S3cr3t@host.example/", "S3cr3t"},
	{"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=S3cr3tS1gn4ture==", "S3cr3t"},
	{"accountkey=S3cr3tS1gn4ture==;x", "S3cr3t"},
	{"TableEndpoint=https://a.b;SharedAccessSignature=sv=1&sig=S3cr3tS1gn4ture", "S3cr3t"},
	{"?sv=1&sig=S3cr3tS1gn4ture", "S3cr3t"},
	{"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhIjoiUzNjcjN0In0.S3cr3t", "eyJ0eXAi"},
	{"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==", "Eby8vdM02"},
	{url.QueryEscape("Zk3vQ8yT5bN1mX7cR2wL9hD4sA6jF0pUeGiKoB+Vx/E="), "Zk3vQ8yT5"},
	{"https://host.example/api?code=S3cr3t==", "S3cr3t"},
	{"host.example:80/?code=x&sig=S3cr3t==", "S3cr3t"},
	{":80/api?code=S3cr3t==", "S3cr3t"},
	{"SharedAccessSignature S3cr3t", "S3cr3t"},
	{"SharedAccessSignature sv=2024-08-04&sig=S3cr3tS1gn4ture%3D", "S3cr3t"},
}

// TestNoCommandShowsASecret gives every secret to every setting, variable, flag
// and argument that takes a text.
func TestNoCommandShowsASecret(t *testing.T) {
	check := func(t *testing.T, part string, args ...string) {
		t.Helper()
		r := handler(t, args...)
		if r.code == exitDone {
			t.Errorf("%q was taken", args)
		}
		if out := r.stdout + r.stderr; strings.Contains(strings.ToLower(out), strings.ToLower(part)) {
			t.Errorf("handler %.60q shows a secret: %s", args, out)
		}
	}
	for _, p := range pasted {
		for _, s := range settings.All() {
			key := s.Key
			t.Run(key, func(t *testing.T) {
				t.Setenv(key, p.text)
				if key == "PUSHBACK_RULES" {
					t.Setenv("PUSHBACK_TABLE_CONNECTION", inMemory)
				}
				check(t, p.part, "check")
			})
		}
		for _, args := range [][]string{
			{p.text}, {"demo", p.text}, {"demo", "--" + p.text}, {"demo", "--seed", p.text}, {"demo", "--serve", p.text},
			{"replay", "--logs", p.text}, {"replay", "--logs", "testdata", "--from", p.text}, {"replay", "--logs", "testdata", "--rules", p.text},
			{"query", p.text}, {"query", "--logs", p.text, "T"}, {"query", "--file", p.text}, {"query", "--output", p.text, "T"},
			{"query", "--watchlists", p.text, "_GetWatchlist('x')"}, {"query", "print 'a" + p.text + "' | nothing"},
			{"query", "print x | where " + p.text}, {"query", "T\n| " + p.text}, {"query", "print 1" + p.text}, {"query", "--explain", p.text}, {"query", p.text, p.text},
			{"demo", "--serve", "x:" + p.text}, {"demo", "--serve", ":" + p.text}, {"query", "--date-order", p.text, "T"}, {"query", "--from", p.text, "T"},
			{"card", "--alert", p.text}, {"outbox", p.text}, {"outbox", "drop", p.text},
		} {
			check(t, p.part, args...)
		}
		for _, variable := range []string{portVariable, "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__tableServiceUri", "AzureWebJobsStorage", "PUSHBACK_" + p.text} {
			t.Run("variable", func(t *testing.T) {
				if strings.Contains(variable, "=") {
					return // it is no name
				}
				t.Setenv(variable, p.text)
				if variable == portVariable {
					check(t, p.part, "serve")
				} else {
					check(t, p.part, "check")
				}
			})
		}
	}
}

// TestNoFileShowsASecret pastes every secret into a query and into rules that are
// read from files.
func TestNoFileShowsASecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	events := filepath.Join(dir, "SigninLogs.json")
	if err := os.WriteFile(events, []byte(`{"TimeGenerated":"2026-03-17T10:00:00Z"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pasted {
		for j, text := range []string{
			p.text, "print " + p.text, "T | " + p.text, "print '" + p.text, p.text + ": 1", "id: x\nquery: " + p.text,
			strings.Replace(string(shipped), "(SigninLogs\n", "("+p.text+"\n", 1), "id: " + p.text + "\nseverity: " + p.text + "\n",
		} {
			path := filepath.Join(dir, fmt.Sprintf("%d-%d.yaml", i, j))
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"query", "--file", path}, {"replay", "--logs", events, "--rules", path}} {
				r := handler(t, args...)
				if out := r.stdout + r.stderr; r.code == exitDone || strings.Contains(strings.ToLower(out), strings.ToLower(p.part)) {
					t.Errorf("%s with %.60q: exit %d, and it shows %q: %.600s", args[0], text, r.code, p.part, out)
				}
			}
		}
	}
}

func TestLogHidesSecrets(t *testing.T) {
	t.Parallel()
	for _, p := range pasted {
		var out bytes.Buffer
		log := newLogger(&out, &out, slog.LevelInfo)
		err := fmt.Errorf("it failed: %w", errors.New(p.text))
		log.Info("said "+p.text+" here", "text", p.text, "error", err, "errors", failures(errors.Join(err, err)), slog.Group("g", "x", p.text), "any", struct{ X string }{p.text})
		log.With("with", p.text).WithGroup("group").Error("x", "error", err)
		if strings.Contains(out.String(), p.part) {
			t.Errorf("the log shows %s", out.String())
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
	}
	// What an attacker sent is what an alert is about.
	var out bytes.Buffer
	log := newLogger(&out, &out, slog.LevelInfo)
	r := slog.Record{Message: pasted[0].text}
	if err := withSecrets(log.Handler()).Handle(context.Background(), r); err != nil || !strings.Contains(out.String(), pasted[0].part) {
		t.Errorf("%v, %s", err, out.String())
	}
}

func TestAnswerHidesSecrets(t *testing.T) {
	t.Parallel()
	for _, p := range pasted {
		w := httptest.NewRecorder()
		err := errors.New(`quoted "` + p.text + `"`)
		reply(w, 500, refusal{Error: err.Error(), Failures: failures(err)})
		text := w.Body.String()
		if strings.Contains(text, p.part) || !strings.Contains(text, `quoted \"`) || w.Header().Get("Content-Length") != fmt.Sprint(len(text)) {
			t.Errorf("the answer is %s", text)
		}
	}
}
