package main

import (
	"log/slog"
	"testing"

	"pushback/handler/settings"
)

// TestDestinations opens every destination of the table. What turns one on is a
// setting of its own, and its name in the ledger is that of its row.
func TestDestinations(t *testing.T) {
	t.Setenv("PUSHBACK_TEAMS_WEBHOOK_URL", standInWebhook)
	t.Setenv("PUSHBACK_WEBHOOK_URL", standInReceiver)
	t.Setenv("PUSHBACK_WEBHOOK_SECRET", standInSigning)
	t.Setenv("PUSHBACK_SENTINEL_WORKSPACE", standInSentinel)
	t.Setenv("PUSHBACK_ALERTS_ENDPOINT", "https://"+standInIngestion)
	t.Setenv("PUSHBACK_ALERTS_RULE", standInCollection)
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, s := range settings.All() {
		keys[s.Key] = true
	}
	opened, err := openDestinations(setup{settings: s, log: slog.New(slog.DiscardHandler)})
	if err != nil || len(opened) != len(destinations) {
		t.Fatalf("%d of %d destinations are open: %v", len(opened), len(destinations), err)
	}
	for i, d := range destinations {
		if opened[i].Name() != d.name {
			t.Errorf("%s is called %s in the ledger", d.name, opened[i].Name())
		}
		if d.setting == "" {
			continue
		}
		if !keys[settings.Prefix+"_"+d.setting] || d.check == nil || d.configured(settings.Settings{}) {
			t.Errorf("%s has no setting, no check, or is on without it", d.name)
		}
	}
}
