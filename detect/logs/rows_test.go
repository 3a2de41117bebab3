package logs

import (
	"bytes"
	"context"
	"testing"
)

// Records that a filter leaves out are read all the same, so the report does
// not change.
func TestRowsOption(t *testing.T) {
	t.Parallel()
	data := manySignIns(10_000)
	read := func(opts Options) *Logs {
		r := NewReader(opts)
		if err := r.File(context.Background(), "SigninLogs.ndjson", bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if r.laned < 9000 {
			t.Errorf("%d records took a lane", r.laned)
		}
		l, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	all, few := read(Options{}), read(Options{Columns: ruleColumns, Rows: ruleRows})
	// Those that pass, and some of the first lines, which are read in full.
	if got, want := few.Tables[0].Rows(), 200; got < want || got > want+want/2 {
		t.Errorf("%d rows are kept, want %d", got, want)
	}
	if got, want := few.Report.Tables[0], all.Report.Tables[0]; got.Records != want.Records || !got.First.Equal(want.First) || !got.Last.Equal(want.Last) {
		t.Errorf("the report says %+v, and without a filter %+v", got, want)
	}
}
