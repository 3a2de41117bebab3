package logs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"
)

// parquetStatus and its like are objects of a sign-in.
type parquetStatus struct {
	ErrorCode         int64  `parquet:"errorCode"`
	FailureReason     string `parquet:"failureReason"`
	AdditionalDetails string `parquet:"additionalDetails"`
}

type parquetPlace struct {
	City    string `parquet:"city"`
	State   string `parquet:"state"`
	Country string `parquet:"countryOrRegion"`
}

type parquetDevice struct {
	ID      string `parquet:"deviceId"`
	System  string `parquet:"operatingSystem"`
	Browser string `parquet:"browser"`
}

type parquetMFA struct {
	Method string `parquet:"authMethod"`
	Detail string `parquet:"authDetail"`
}

// parquetSignIn is a sign-in as a workspace has it, its dynamic columns as groups.
type parquetSignIn struct {
	TimeGenerated             time.Time `parquet:"TimeGenerated,timestamp(nanosecond)"`
	AADTenantID               string    `parquet:"AADTenantId"`
	ResultType                string
	ResultDescription         string
	Location                  string
	LocationDetails           parquetPlace
	IPAddress                 *string `parquet:"IPAddress,optional"`
	Category                  string
	OperationName             string
	Identity                  string
	UserType                  string
	AutonomousSystemNumber    string
	ID                        string    `parquet:"Id"`
	CreatedDateTime           time.Time `parquet:"CreatedDateTime,timestamp(millisecond)"`
	UserDisplayName           string
	UserPrincipalName         string
	UserID                    string `parquet:"UserId"`
	AppDisplayName            string
	AppID                     string `parquet:"AppId"`
	ClientAppUsed             string
	CorrelationID             string `parquet:"CorrelationId"`
	ConditionalAccessStatus   string
	IsInteractive             bool
	ResourceDisplayName       string
	HomeTenantID              string `parquet:"HomeTenantId"`
	ResourceTenantID          string `parquet:"ResourceTenantId"`
	UserAgent                 string
	AuthenticationRequirement string
	Status                    parquetStatus
	DeviceDetail              parquetDevice
	MfaDetail                 parquetMFA
	AuthenticationDetails     string
}

func parquetOf(t testing.TB, list []madeSignIn, options ...parquetgo.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[parquetSignIn](&b, options...)
	for i := range list {
		s, o := &list[i], list[i].flat(i)
		text := func(column string) string { return asText(o[column]) }
		row := parquetSignIn{
			TimeGenerated: s.at, CreatedDateTime: s.at, IPAddress: &s.address, IsInteractive: true,
			LocationDetails: parquetPlace{s.city, s.state, s.country}, Status: parquetStatus{int64(s.code), s.reason(), s.text},
			DeviceDetail: parquetDevice{"", "Windows10", "Edge 122.0"}, MfaDetail: parquetMFA{"PhoneAppNotification", ""},
			AADTenantID: text("AADTenantId"), ResultType: text("ResultType"), ResultDescription: text("ResultDescription"), Location: s.country,
			Category: text("Category"), OperationName: text("OperationName"), Identity: s.name, UserType: s.userType(), AutonomousSystemNumber: "64500",
			ID: text("Id"), UserDisplayName: s.name, UserPrincipalName: text("UserPrincipalName"), UserID: text("UserId"), AppDisplayName: s.app,
			AppID: text("AppId"), ClientAppUsed: text("ClientAppUsed"), CorrelationID: text("CorrelationId"), ConditionalAccessStatus: text("ConditionalAccessStatus"),
			ResourceDisplayName: text("ResourceDisplayName"), HomeTenantID: text("HomeTenantId"), ResourceTenantID: text("ResourceTenantId"),
			UserAgent: s.agent, AuthenticationRequirement: text("AuthenticationRequirement"),
		}
		if s.steps != nil {
			row.AuthenticationDetails = marshal(s.steps)
		}
		if _, err := w.Write([]parquetSignIn{row}); err != nil {
			t.Fatal(err)
		}
	}
	must(w.Close())
	return b.String()
}

// A Parquet file gives the same alerts as NDJSON, however it is stored, and the
// columns of an empty one are known.
func TestParquet(t *testing.T) {
	t.Parallel()
	list := tenSignIns(true)
	want := alerts(t, mustRead(t, Options{}, "SigninLogs.ndjson", lines(each(list, flatOf))))
	text := parquetOf(t, list, parquetgo.Compression(&parquetgo.Zstd), parquetgo.MaxRowsPerRowGroup(4))
	for _, tt := range []struct {
		name, file string
		src        io.Reader
	}{
		{"a file", "SigninLogs.parquet", strings.NewReader(text)},
		{"by another name", "SigninLogs.json", strings.NewReader(text)},
		{"a stream", "SigninLogs", iotest.OneByteReader(strings.NewReader(text))},
		{"gzip", "SigninLogs.parquet.gz", strings.NewReader(zipped(t, text))},
		{"zstd", "SigninLogs.parquet.zst", strings.NewReader(zstded(t, text))},
		{"a zip archive", "logs.zip", strings.NewReader(archiveWith(t, "SigninLogs/part-0.snappy.parquet", text))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(Options{})
			must(r.File(context.Background(), tt.file, tt.src))
			l, err := r.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, alerts(t, l)); diff != "" {
				t.Errorf("alerts (-NDJSON +Parquet):\n%s", diff)
			}
			if r := l.Report; r.Records != 10 || r.Bad != 0 || len(r.Warnings)+len(r.Conversions) > 0 || r.Files[0].Format != "Parquet" || r.Files[0].Bytes == 0 {
				t.Errorf("report: %+v", r)
			}
		})
	}
	empty := mustRead(t, Options{}, "My_CL.parquet", parquetOf(t, nil))
	if got := empty.Table("My_CL"); got == nil || got.Rows() != 0 || got.Schema().Index("IsInteractive") < 0 {
		t.Errorf("an empty file: %v", got)
	}
}

// Parts of a table in folders such as Region=EU are records with that column.
func TestPartitions(t *testing.T) {
	t.Parallel()
	type row struct {
		TimeGenerated time.Time `parquet:"TimeGenerated,timestamp(microsecond)"`
		N             int32
	}
	part := func(n int32) string {
		var b bytes.Buffer
		must(parquetgo.Write(&b, []row{{time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC), n}}))
		return b.String()
	}
	dir := folder(t, map[string]string{
		"My_CL/Region=EU%20West/year=2026/part-0000.snappy.parquet":                    part(1),
		"My_CL/Region=__HIVE_DEFAULT_PARTITION__/year=2026/part-0000.snappy.parquet":   part(2),
		"SigninLogs.parquet/ResultType=500121/N=7/part-00000-4a3c.c000.snappy.parquet": part(3),
		"My_CL/_SUCCESS": "",
	})
	l, err := Read(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"My_CL N=1 Region=EU West year=2026", "My_CL N=2 year=2026", "SigninLogs N=3 ResultType=500121 Type=SigninLogs",
	}, rows(l)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// What was read before a file turns out to be damaged stays, as of any other.
func TestDamagedParquet(t *testing.T) {
	t.Parallel()
	text := []byte(parquetOf(t, tenSignIns(false), parquetgo.Compression(&parquetgo.Snappy), parquetgo.MaxRowsPerRowGroup(4)))
	p, err := parquetgo.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	last := p.Metadata().RowGroups[2].Columns[3].MetaData
	for i := range last.TotalCompressedSize {
		text[last.DataPageOffset+i] = 0xff
	}
	l := mustRead(t, Options{}, "SigninLogs.parquet", string(text))
	if len(l.Tables) != 1 || l.Tables[0].Rows() != 8 || l.Report.Bad != 1 || !strings.Contains(l.Report.Problems[0].Reason, "the Parquet file is damaged (") {
		t.Errorf("report %+v", l.Report)
	}
}

// Dates in texts of a Parquet file have an order as those of any other, and an
// error names the record.
func TestParquetDates(t *testing.T) {
	t.Parallel()
	type row struct{ TimeGenerated, Type string }
	file := func(dates ...string) string {
		var all []row
		for _, d := range dates {
			all = append(all, row{d, "My_CL"})
		}
		var b bytes.Buffer
		must(parquetgo.Write(&b, all))
		return b.String()
	}
	l := mustRead(t, Options{}, "x.parquet", file("04/03/2026 10:00", "17/03/2026 10:00"))
	if got := l.Report.Tables[0].First; !got.Equal(time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("first at %v", got)
	}
	_, err := read(Options{}, "x.parquet", file("04/03/2026 10:00"))
	if _, ok := errors.AsType[*DateOrderError](err); !ok {
		t.Errorf("error %v", err)
	}
	l = mustRead(t, Options{}, "x.parquet", file("2026-03-17T10:00:00Z", "yesterday"))
	if got := l.Report.Problems[0].String(); !strings.HasPrefix(got, "x.parquet:2: TimeGenerated: \"yesterday\" is not a time") {
		t.Errorf("problem %s", got)
	}
}
