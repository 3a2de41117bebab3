package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCardCommand(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(demoJSON().stdout, "\n")
	for _, test := range []struct{ name, file, says, failure string }{
		{"an alert", lines[0], "28 prompts within an hour", ""},
		{"two alerts", lines[0] + lines[1], "2 alerts at once, about 2 accounts and 2 addresses", ""},
		{"nothing", "", "", "holds no alert"},
		{"no JSON", "alert!", "", "alert 1: invalid character"},
		{"another object", `{"a": 1}`, "", "has neither title nor ruleName"},
		{"half an alert", lines[0][:100], "", "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "alert.json")
			if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got := handler(t, "card", "--alert", file)
			if (got.code == 0) != (test.failure == "") || !strings.Contains(got.stderr, test.failure) {
				t.Fatalf("exit %d: %s", got.code, got.stderr)
			}
			if test.failure != "" {
				return
			}
			var card struct{ Type, Version string }
			if err := json.Unmarshal([]byte(got.stdout), &card); err != nil || card.Type != "AdaptiveCard" || card.Version != "1.5" {
				t.Errorf("%v, %+v", err, card)
			}
			if !strings.Contains(got.stdout, test.says) {
				t.Errorf("the card does not say %q:\n%s", test.says, got.stdout)
			}
		})
	}
}
