package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pushback/detect/ledger/azurite"
	"pushback/detect/rule"
)

// TestProcessDamagedAnswers damages the answers of the table service, so that
// they can still be read. The tick fails and moves no watermark, and the next
// one reports each alert once.
func TestProcessDamagedAnswers(t *testing.T) {
	t.Parallel()
	// each edits the rows of an answer.
	each := func(edit func(e map[string]any)) func([]byte) []byte {
		return func(body []byte) []byte {
			var whole map[string]any
			if json.Unmarshal(body, &whole) != nil || whole["odata.error"] != nil {
				return body
			}
			values, list := whole["value"].([]any)
			if !list {
				values = []any{whole}
			}
			for _, v := range values {
				edit(v.(map[string]any))
			}
			text, err := json.Marshal(whole)
			if err != nil {
				return body
			}
			return text
		}
	}
	for _, tc := range []struct {
		name    string
		request string // what the damaged requests are for
		damage  func([]byte) []byte
		says    string
	}{
		{"a later watermark", "GET run", each(func(e map[string]any) { e["Watermark"] = "2026-03-17T23:05:00Z" }), "its checksum does not agree"},
		{"no state", "GET run", func([]byte) []byte { return []byte("{}") }, "the answer is the row"},
		{"other activities", "list seen", func(body []byte) []byte { return bytes.ReplaceAll(body, []byte("fingerprint"), []byte("fingerprimt")) }, "its checksum does not agree"},
		{"no activities", "list seen", func([]byte) []byte { return []byte(`{"value":[]}`) }, "at least"},
		{"no list", "list seen", func([]byte) []byte { return []byte(`{}`) }, "the answer is no list"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			table := newLedgerTable(t)
			hit := 0
			proxy := azurite.NewProxy(t, nil)
			damaged := func(r *http.Request) *azurite.Fault {
				if !strings.HasPrefix(requestName(r), tc.request) {
					return nil
				}
				hit++
				return &azurite.Fault{Name: tc.name, Damage: tc.damage}
			}
			c := newCloud(t)
			h := startHost(t, c, table.settings(proxy.Addr))
			for hour := 1; hour <= 12; hour++ {
				h.tick(c, at(hour, 5), http.StatusOK)
			}
			before, err := table.ledger.State(t.Context(), rule.Default().ID)
			if err != nil {
				t.Fatal(err)
			}
			proxy.Set(damaged)
			h.tick(c, at(13, 5), http.StatusInternalServerError)
			proxy.Set(nil)
			after, err := table.ledger.State(t.Context(), rule.Default().ID)
			if err != nil || hit == 0 {
				t.Fatal(hit, err)
			}
			// Windows that were not run wait, wherever the watermark is.
			if pending := len(after.Pending) > 0; !after.Watermark.Equal(before.Watermark) && !pending {
				t.Errorf("the watermark is %s and nothing waits, before it was %s", after.Watermark, before.Watermark)
			}
			for hour := 14; hour <= 26; hour++ {
				h.tick(c, at(hour, 5), http.StatusOK)
			}
			h.stop()
			if out := h.stdout.String() + h.stderr.String(); !strings.Contains(out, tc.says) {
				t.Errorf("the log does not say %q", tc.says)
			}
			checkTold(t, h.logged("alert"), at(0, 0), at(24, 0), at(26, 0))
		})
	}
}
