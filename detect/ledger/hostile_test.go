package ledger

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestPagesWithoutEnd has the table service give another page after each, for
// ever.
func TestPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	requests := 0
	long := strconv.Quote(strings.Repeat("x", 8<<20))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("x-ms-continuation-NextPartitionKey", "p")
		w.Header().Set("x-ms-continuation-NextRowKey", fmt.Sprint(requests))
		_, _ = fmt.Fprintf(w, `{"value":[{"PartitionKey":"p","RowKey":"%s%09d","At":"2026-03-17T10:00:00Z","X":%s}]}`, notePrefix, requests, long)
	}))
	defer server.Close()
	l, err := Open(Options{ConnectionString: "AccountName=a;AccountKey=a2V5;TableEndpoint=" + server.URL})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, err = range l.store.list(t.Context(), "p", "a", "z", false) {
		if err != nil {
			break
		}
		rows++
	}
	if err == nil || !strings.Contains(err.Error(), "takes more than 512 MiB, the limit") || rows > 64 {
		t.Errorf("%d rows, error = %v", rows, err)
	}
}
