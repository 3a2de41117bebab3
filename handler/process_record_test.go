package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"pushback/detect/ledger/azurite"
)

// TestProcessCutRecording kills the process between the transactions in which it
// records many alerts: the next one records the rest and sends each alert once.
func TestProcessCutRecording(t *testing.T) {
	t.Parallel()
	const rows = 400 // 50 a transaction
	answer := cannedAnswer(t, rows)
	for _, tc := range []struct {
		transaction int64
		after       bool
	}{{1, false}, {1, true}, {4, false}, {4, true}, {8, true}} {
		t.Run(fmt.Sprintf("transaction %d, written: %t", tc.transaction, tc.after), func(t *testing.T) {
			t.Parallel()
			table := newLedgerTable(t)
			proxy := azurite.NewProxy(t, nil)
			c := newCloud(t)
			c.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(answer)
				return true
			}
			h := startHost(t, c, oneRule(table.settings(proxy.Addr)))
			var transactions atomic.Int64
			killed := make(chan struct{})
			proxy.Set(func(r *http.Request) *azurite.Fault {
				if !strings.HasPrefix(requestName(r), "transaction on out+") || transactions.Add(1) != tc.transaction {
					return nil
				}
				return &azurite.Fault{Name: "killed", After: tc.after, Hit: func() {
					h.kill()
					close(killed)
				}}
			})
			c.setNow(at(11, 5))
			if resp, err := h.client.Post(h.url+functionPath, "application/json; charset=utf-8", strings.NewReader(timerBody(at(11, 5), 0))); err == nil {
				resp.Body.Close()
				t.Errorf("the tick that was killed answered %s", resp.Status)
			}
			if n := transactions.Load(); n != tc.transaction {
				t.Fatalf("%d transactions", n)
			}
			<-killed
			proxy.Set(nil)
			table.endLeases()
			h.start()
			for minute := 10; minute <= 20; minute += 5 {
				h.tick(c, at(11, minute), http.StatusOK)
			}
			if left := table.outbox(); len(left) > 0 {
				t.Errorf("%d alerts are still to be sent", len(left))
			}
			count := map[string]int{}
			for _, a := range alertLines(t, h.stdout.String()) {
				count[a.ID]++
			}
			if len(count) != rows {
				t.Errorf("%d alerts were sent, want %d", len(count), rows)
			}
			for id, n := range count {
				if n > 1 {
					t.Errorf("alert %s was sent %d times", id, n)
				}
			}
			h.stop()
		})
	}
}
