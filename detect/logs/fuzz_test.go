package logs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// Whatever a file holds, reading it ends, keeps its books, and gives the same
// however the bytes arrive.
func fuzzFile(f *testing.F, file string, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
		f.Add([]byte(seed[:len(seed)/2]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		opts := Options{MaxLine: 1 << 12, MaxRows: 1 << 20}
		whole := outcomeOf(t, opts, file, data, false)
		if len(data) > 1<<14 {
			return
		}
		if diff := cmp.Diff(whole, outcomeOf(t, opts, file, data, true)); diff != "" {
			t.Errorf("it depends on how the bytes arrive (-at once +one by one):\n%s", diff)
		}
	})
}

type outcome struct {
	Report Report
	Rows   []string
	Error  string
}

func outcomeOf(t *testing.T, opts Options, file string, data []byte, oneByOne bool) outcome {
	t.Helper()
	r := NewReader(opts)
	src := strings.NewReader(string(data))
	var err error
	if oneByOne {
		err = r.File(context.Background(), file, iotest.OneByteReader(src))
	} else {
		err = r.File(context.Background(), file, src)
	}
	if err != nil {
		var unusable *FileError
		var order *DateOrderError
		if !errors.As(err, &order) && (!errors.As(err, &unusable) || unusable.Bad == 0 || len(unusable.Problems) == 0) {
			t.Fatalf("unexpected: %v", err)
		}
		return outcome{Error: err.Error()}
	}
	l, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{Report: l.Report, Rows: rows(l)}
	if int64(len(o.Rows)) != l.Report.Records || l.Report.Files[0].Records != l.Report.Records ||
		l.Report.Files[0].Bad != l.Report.Bad || min(l.Report.Bad, problemsPerFile) != int64(len(l.Report.Problems)) {
		t.Fatalf("the books do not balance: %d rows, %+v", len(o.Rows), l.Report)
	}
	// How far a broken stream is read beyond its last good byte is nobody's promise.
	o.Report.Bytes, o.Report.Files[0].Bytes = 0, 0
	return o
}

func FuzzNDJSON(f *testing.F) {
	fuzzFile(f, "SigninLogs.ndjson",
		goodLine+"\n"+goodLine+"\nbad\n",
		`{"TimeGenerated":"2026-03-17T10:00:00Z","Status":"{\"a\":1}","X":[1,{"b":null}],"X":2,"Y":"\ud83d\ude00"}`+"\n",
		`{"TimeGenerated":"3/17/2026, 9:58:03.123 AM","Type":"My_CL","DurationMs":1e3,"a":true}`,
	)
}

func FuzzDiagnostic(f *testing.F) {
	fuzzFile(f, "PT1H.json",
		`{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","resourceId":"/tenants/t/providers/Microsoft.aadiam","properties":{"userId":"u","location":{"city":"x"}}}`+"\n",
		`{"records":[{"time":"2026-03-17T10:00:00Z","category":"NonInteractiveUserSignInLogs","properties":{"status":{"errorCode":0}}}]}`,
	)
}

func FuzzJSON(f *testing.F) {
	fuzzFile(f, "SigninLogs.json",
		"["+goodLine+",\n"+goodLine+"]",
		"[\n  {\n    \"TableName\": \"PrimaryResult\",\n    \"TimeGenerated\": \"2026-03-17T10:00:00Z\",\n    \"DurationMs\": \"None\"\n  }\n]\n",
		"{\n \"TimeGenerated\": \"2026-03-17T10:00:00Z\"\n}\n{}",
	)
}

func FuzzAnswer(f *testing.F) {
	fuzzFile(f, "SigninLogs.json",
		`{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Status","type":"dynamic"}],`+
			`"rows":[["2026-03-17T10:00:00Z","{\"a\":1}"],[null,null]]}],"error":{"code":"x"}}`,
	)
}

func FuzzCSV(f *testing.F) {
	fuzzFile(f, "My_CL.csv",
		"TimeGenerated [UTC],A,B\r\n\"3/17/2026, 9:58:03.123 AM\",\"x\"\"y\",\"{\"\"a\"\":\r\n1}\"\r\n",
		"TimeGenerated;A\n2026-03-17T10:00:00Z;\"\n2026-03-17T10:00:00Z;1\n",
		"TimeGenerated,,\n01/2/2026,0,",
	)
}

func FuzzGzip(f *testing.F) {
	fuzzFile(f, "SigninLogs.json.gz", zipped(f, goodLine+"\n"+goodLine+"\n"), zipped(f, "TimeGenerated\n2026-03-17T10:00:00Z\n"))
}
