package logs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"
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

func FuzzGraph(f *testing.F) {
	fuzzFile(f, "InteractiveSignIns_1.json",
		graphPage+`"value":[{"createdDateTime":"2026-03-17T10:00:00Z","ipAddress":"a","status":{"errorCode":1},"location":{"city":"x"}}]}`,
		`{"CreatedDateTime":"\/Date(1710000000000)\/","IPAddress":"a","Status":{"ErrorCode":1,"AdditionalProperties":{}},"AdditionalProperties":{"a":1}}`,
		`{"activityDateTime":"2026-03-17T10:00:00Z","activityDisplayName":"x","initiatedBy":{"user":{"displayName":"y"}}}`,
		`{"riskEventType":"x","detectedDateTime":"2026-03-17T10:00:00Z","additionalInfo":"[]"}`,
	)
}

func FuzzEnvelopes(f *testing.F) {
	fuzzFile(f, "SigninLogs.json",
		`{"a":{"b":`+goodLine+`}}{"records":[`+goodLine+`]},`+marshal(goodLine),
		`{"responses":[{"body":{"value":[`+goodLine+`]}},{"body":{"Results":{"value":[`+goodLine+`],"Count":1}}}]}`,
		`{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","properties":"{\"userId\":\"u\"}"}`,
		`[{"FrameType":"DataTable","TableKind":"PrimaryResult","Columns":[{"ColumnName":"TimeGenerated","ColumnType":"datetime"}],"Rows":[["2026-03-17T10:00:00Z"]]}]`,
		`[{"FrameType":"TableHeader","TableId":1,"TableKind":"PrimaryResult","Columns":[{"ColumnName":"TimeGenerated","ColumnType":"datetime"}]},{"FrameType":"TableFragment","TableId":1,"TableFragmentType":"DataReplace","Rows":[["2026-03-17T10:00:00Z"]]}]`,
		`{"responses":[{"id":"1","status":429,"body":{"error":{"code":"x"}}},{"id":"2","status":200,"body":{"value":[{"TimeGenerated":"2026-03-17T10:00:00Z"}]}}]}`,
		"\ufeff"+goodLine+"\r\ufeff"+goodLine+"\r",
		goodLine+"\n{\"UserId\":\"a\xff\",\"TimeGenerated\":\"2026-03-17T10:00:00Z\"}\n",
	)
}

func FuzzPortalCSV(f *testing.F) {
	fuzzFile(f, "export.csv",
		"sep=;\nDate (UTC);Request ID;Location;Status;Sign-in error code;Compliant\n2026-03-17T10:00:00Z;i;a, b, c;Success;;Yes\n",
		"Date (UTC),CorrelationId,Activity,ActorObjectId,Target1ObjectId,Target1ModifiedProperty2NewValue,AdditionalDetail9Key\n2026-03-17T10:00:00Z,c,a,u,t,v,k\n",
		"#TYPE x\n\"TimeGenerated\"\t\"ResultType\"\n2026-03-17T10:00:00Z\t500121.0\n",
	)
}

func FuzzCSV(f *testing.F) {
	fuzzFile(f, "My_CL.csv",
		"TimeGenerated [UTC],A,B\r\n\"3/17/2026, 9:58:03.123 AM\",\"x\"\"y\",\"{\"\"a\"\":\r\n1}\"\r\n",
		"TimeGenerated;A\n2026-03-17T10:00:00Z;\"\n2026-03-17T10:00:00Z;1\n",
		"TimeGenerated,,\n01/2/2026,0,",
	)
}

func FuzzShippers(f *testing.F) {
	const exported = `{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","operationName":"x","resourceId":"r","properties":{"userId":"u"}}`
	fuzzFile(f, "export.json",
		`{"preview":false,"result":{"_raw":`+marshal(exported)+`,"_time":"x"}}`+"\n",
		`{"hits":{"hits":[{"_source":{"@timestamp":"x","event":{"original":`+marshal(exported)+`},"message":`+marshal(exported)+`}}]}}`,
		"<13>Mar 17 09:02:14 h: "+exported+"\n\x1e"+exported+"\n[1773738133.1,"+exported+"]\n",
		`{"Body":"eyJ0aW1lIjoiMjAyNi0wMy0xN1QxMDowMDowMFoiLCJjYXRlZ29yeSI6IlNpZ25JbkxvZ3MifQ=="}`,
		`{"SigninLogs":[`+goodLine+`],"AuditLogs":[{"TimeGenerated":"2026-03-17T10:00:00Z","A":NaN}]}`,
		`{"AuditData":"{\"CreationTime\":\"2026-03-17T10:00:00\",\"Operation\":\"x\",\"UserType\":2}"}`,
		`{"columns":["TimeGenerated","Type"],"data":[[1773738133123,"SigninLogs"]]}`,
		`{"time":"2026-03-17T10:00:00Z","category":"Administrative","operationName":"x","resourceId":"r","identity":{"claims":{"appid":"a"}}}`,
	)
}

func FuzzFlattened(f *testing.F) {
	fuzzFile(f, "x.csv",
		"createdDateTime,ipAddress,status.errorCode,location.city,location.geo.lat\n2026-03-17T10:00:00Z,a,500121.0,b,1\n",
		"time,category,properties.userId,properties.status.errorCode\n2026-03-17T10:00:00Z,SignInLogs,u,0\n",
		"Date,User,Detection type,Risk state,Detection timing\n2026-03-17T10:00:00Z,u,Atypical travel,At risk,Real-time\n",
		"User,Risk level,Risk last updated (UTC)\nu,High,2026-03-17T10:00:00Z\n",
		"_time,_raw\n1,\"{\"\"time\"\":\"\"2026-03-17T10:00:00Z\"\",\"\"category\"\":\"\"SignInLogs\"\",\"\"properties\"\":{}}\"\n",
		"RecordId,AuditData\n1,\"{\"\"CreationTime\"\":\"\"2026-03-17T10:00:00\"\",\"\"Operation\"\":\"\"x\"\"}\"\n",
	)
}

func FuzzParquet(f *testing.F) {
	fuzzFile(f, "SigninLogs.parquet",
		parquetOf(f, tenSignIns(true)[:3], parquetgo.Compression(&parquetgo.Snappy)),
		parquetOf(f, tenSignIns(false), parquetgo.DataPageVersion(1), parquetgo.MaxRowsPerRowGroup(3)),
	)
}

func FuzzZstd(f *testing.F) {
	fuzzFile(f, "SigninLogs.json.zst", zstded(f, goodLine+"\n"+goodLine+"\n"))
}

// FuzzZip reads what may be a zip archive, which is not read byte by byte.
func FuzzZip(f *testing.F) {
	f.Add([]byte(archiveWith(f, "SigninLogs.json", goodLine, "a/My_CL.csv", "TimeGenerated,A\n2026-03-17T10:00:00Z,1\n")))
	f.Add([]byte(archiveWith(f, "[Content_Types].xml", "x", "xl/a", "y")))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(Options{MaxLine: 1 << 12, MaxRows: 1 << 20})
		err := r.File(context.Background(), "logs.zip", strings.NewReader(string(data)))
		var unusable *FileError
		if err != nil && !errors.As(err, &unusable) {
			var order *DateOrderError
			if !errors.As(err, &order) {
				t.Fatalf("unexpected: %v", err)
			}
		}
	})
}

func FuzzGzip(f *testing.F) {
	fuzzFile(f, "SigninLogs.json.gz", zipped(f, goodLine+"\n"+goodLine+"\n"), zipped(f, "TimeGenerated\n2026-03-17T10:00:00Z\n"))
}
