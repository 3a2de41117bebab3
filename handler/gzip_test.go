package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"testing"
)

// truncatedGzip is a compressed file that a broken download has cut in half.
func truncatedGzip(t *testing.T) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	for i := range 5000 {
		fmt.Fprintf(w, `{"TimeGenerated":"2026-03-17T09:%02d:00Z","Type":"SigninLogs","ResultType":"0","Id":"%x"}`+"\n", i%60, i*7919)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()[:buf.Len()/2]
}
