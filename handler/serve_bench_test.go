package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"pushback/detect"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// manyRows is the large result of the benchmarks: so many users at once refuse
// a prompt.
const manyRows = 10_000

// cannedAnswer is the service's answer to the shipped rule with that many rows.
// Each is one of the generated day, each time about another user, address and
// authentication.
func cannedAnswer(t testing.TB, rows int) []byte {
	t.Helper()
	tables, err := sampleTables()
	if err != nil {
		t.Fatal(err)
	}
	service := &service.Service{DB: kql.NewDatabase(tables...), Now: func() time.Time { return at(11, 5) }}
	body, err := json.Marshal(map[string]string{"query": rule.Default().Query.Text, "timespan": "2026-03-17T10:00:00Z/2026-03-17T11:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+standInHost+"/v1/workspaces/x/query", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	resp, err := service.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Tables []struct {
			Name    string `json:"name"`
			Columns []struct {
				Name string `json:"name"`
				Type string `json:"type"`
			} `json:"columns"`
			Rows [][]any `json:"rows"`
		} `json:"tables"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	table := &answer.Tables[0]
	example := table.Rows[0]
	table.Rows = make([][]any, rows)
	for i := range table.Rows {
		row := slices.Clone(example)
		for j, c := range table.Columns {
			switch c.Name {
			case "UserPrincipalName":
				row[j] = fmt.Sprintf("somebody.number.%05d@fabrikam.example", i)
			case "Name":
				row[j] = fmt.Sprintf("somebody.number.%05d", i)
			case "IPAddress":
				row[j] = fmt.Sprintf("2001:db8:bad:1::%x", i)
			case "UserId":
				row[j] = fmt.Sprintf("11111111-2222-3333-4444-%012d", i)
			case "Authentications", "CorrelationIds":
				row[j] = fmt.Sprintf(`["11111111-2222-3333-5555-%012d"]`, i)
			}
		}
		table.Rows[i] = row
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// canned is a transport that always gives the same answer.
type canned []byte

func (c canned) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Request: r, StatusCode: http.StatusOK, Status: "200 OK", ContentLength: int64(len(c)),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body:   io.NopCloser(bytes.NewReader(c)),
	}, nil
}

// BenchmarkTick is the process's own cost of a tick, from the invocation's body
// to the answer's, with one window due; the workspace answers at once.
func BenchmarkTick(b *testing.B) {
	for _, rows := range []int{0, manyRows} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			answer := cannedAnswer(b, rows)
			log := newLogger(io.Discard, io.Discard, slog.LevelInfo)
			f := newFunction(log, func(context.Context) (*opened, error) {
				client, err := workspace.New(standInWorkspace, localCredential{}, workspace.Options{ClientOptions: azcore.ClientOptions{Transport: canned(answer)}})
				if err != nil {
					return nil, err
				}
				d, err := detect.New(detect.DefaultConfig(), []*rule.Rule{rule.Default()}, client, ledger.NewMemory(), alertLog{log.Handler()})
				return &opened{detector: d}, err
			}, benchTimeout, b.Context())
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				f.opened = nil // as if nothing had been reported
				if err := f.ready(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				inv, err := parseInvocation([]byte(hostBody))
				if err != nil {
					b.Fatal(err)
				}
				done, err := f.tick(b.Context(), inv)
				if err != nil || done.Rules[0].Windows[0].New != rows {
					b.Fatalf("%+v, %v", done, err)
				}
				if _, err := json.Marshal(done); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchTimeout is no limit to any of this.
const benchTimeout = 1 << 40
