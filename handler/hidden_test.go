package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
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
		for _, key := range settingKeys() {
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
