package logs

import (
	"slices"
	"strings"
	"testing"
)

// A request of a batch that failed is said to have, and the answers of the others are
// read, whichever comes first.
func TestFailedRequestOfBatch(t *testing.T) {
	t.Parallel()
	list := tenSignIns(false)
	good := `{"id":"2","status":200,"body":{"@odata.context":"x","value":[` + strings.Join(each(list, graphOf), ",") + `]}}`
	const failed = `{"id":"1","status":429,"headers":{"Retry-After":"3"},"body":{"error":{"code":"TooManyRequests","message":"slow"}}}`
	const reason = `a request of the batch failed with status 429: "TooManyRequests": "slow"; send it again`
	for _, tt := range []struct{ name, failed, reason string }{
		{"an error", failed, reason},
		{"the body first", `{"id":"1","body":{"error":{"code":"TooManyRequests","message":"slow"}},"status":429}`, reason},
		{"an error that says nothing", `{"id":"1","status":503,"body":{}}`, "a request of the batch failed with status 503; send it again"},
		{"no body", `{"id":"1","status":404,"body":null}`, "a request of the batch failed with status 404; send it again"},
	} {
		for _, responses := range []string{tt.failed + "," + good, good + "," + tt.failed} {
			for _, text := range []string{`{"responses":[` + responses + `]}`, indented(`{"responses":[` + responses + `]}`)} {
				l := mustRead(t, Options{}, "batch.json", text)
				if l.Report.Records != int64(len(list)) || !slices.Equal(tableNames(l), []string{signinLogs}) {
					t.Errorf("%s: %d records of %v", tt.name, l.Report.Records, tableNames(l))
				}
				if len(l.Report.Problems) != 1 || l.Report.Problems[0].Reason != tt.reason {
					t.Errorf("%s: problems %v, want %q", tt.name, l.Report.Problems, tt.reason)
				}
			}
		}
		_, err := read(Options{}, "batch.json", `{"responses":[`+tt.failed+`]}`)
		if err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s alone: error %v, want %q", tt.name, err, tt.reason)
		}
	}
}

// What a record calls responses is no batch.
func TestResponsesOfRecord(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{}, "My_CL.json", `{"responses":[{"status":"a"}],"TimeGenerated":"2026-03-17T10:00:00Z"}`)
	if got := rows(l); !slices.Equal(got, []string{`My_CL responses=[{"status":"a"}]`}) {
		t.Errorf("rows %q", got)
	}
}
