package logs

import (
	"encoding/base64"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shippers are the shapes that log shippers and search engines give the records of
// the diagnostic export.
func shippers() []shape {
	each_ := func(form func(record string) string) func([]madeSignIn) string {
		return func(list []madeSignIn) string {
			var out []string
			for _, r := range each(list, exportedOf) {
				out = append(out, form(r))
			}
			return lines(out)
		}
	}
	all := func(form func(records []string) string) func([]madeSignIn) string {
		return func(list []madeSignIn) string { return form(each(list, exportedOf)) }
	}
	// flattened makes a column of each member of each object.
	flattened := func(form func(*madeSignIn, int) any, extra string) func([]madeSignIn) string {
		return func(list []madeSignIn) string {
			var header []string
			var records []map[string]string
			for i := range list {
				cells := make(map[string]string)
				var walk func(prefix string, v any)
				walk = func(prefix string, v any) {
					if o, ok := v.(object); ok {
						for name, inner := range o {
							walk(prefix+"."+name, inner)
						}
						return
					}
					name := strings.TrimPrefix(prefix, ".")
					if cells[name] = asText(v); strings.HasSuffix(name, "errorCode") {
						cells[name] += extra
					}
					if !slices.Contains(header, name) {
						header = append(header, name)
					}
				}
				walk("", form(&list[i], i))
				records = append(records, cells)
			}
			slices.Sort(header)
			var b strings.Builder
			w := csv.NewWriter(&b)
			must(w.Write(header))
			for _, cells := range records {
				var row []string
				for _, name := range header {
					row = append(row, cells[name])
				}
				must(w.Write(row))
			}
			w.Flush()
			return b.String()
		}
	}
	table := func(header []string, row func(record string) []string) func([]madeSignIn) string {
		return func(list []madeSignIn) string {
			var b strings.Builder
			w := csv.NewWriter(&b)
			must(w.Write(header))
			for _, r := range each(list, exportedOf) {
				must(w.Write(row(r)))
			}
			w.Flush()
			return b.String()
		}
	}
	document := func(r string) string {
		return `{"@timestamp":"2026-03-17T09:02:14Z","azure":{"signinlogs":{"category":"SignInLogs","properties":{"created_at":"2026-03-17T09:02:13Z"}}},` +
			`"event":{"dataset":"azure.signinlogs","original":` + marshal(r) + `},"message":` + marshal(r) + `}`
	}
	hits := func(records []string) string {
		var out []string
		for _, r := range records {
			out = append(out, `{"_index":"logs","_score":1.0,"_source":`+document(r)+`}`)
		}
		return `{"took":3,"_shards":{"total":1},"hits":{"total":{"value":10},"hits":[` + strings.Join(out, ",") + `]}}`
	}
	return []shape{
		{"Splunk, an export", "export.json", each_(func(r string) string {
			return `{"preview":false,"offset":1,"result":{"_raw":` + marshal(r) + `,"_time":"2026-03-17 09:02:13.000 UTC","host":"h"}}`
		}), false},
		{"Splunk, results", "results.json", all(func(records []string) string {
			return `{"init_offset":0,"results":[` + strings.Join(wrapped(quoted(records), `{"_raw":`, `,"_time":"2026-03-17T09:02:13.000+00:00"}`), ",") + `],"fields":[{"name":"_raw"}]}`
		}), false},
		{"Splunk, the collector", "hec.json", each_(func(r string) string {
			return `{"time":1773738133.123,"host":"h","sourcetype":"azure","event":` + r + `}`
		}), false},
		{"Splunk, a body in a result with a time", "export.json", each_(func(r string) string {
			return `{"time":"2026-03-17T09:02:14Z","result":{"_raw":` + marshal(`{"body":`+r+`,"x-opt-offset":1}`) + `}}`
		}), false},
		{"Splunk, CSV", "export.csv", table([]string{"_time", "_raw", "host"}, func(r string) []string { return []string{"1773738133", r, "h"} }), false},
		{"Sumo Logic, CSV", "export.csv", table([]string{"_messageid", "_messagetime", "_raw"}, func(r string) []string {
			return []string{"1", "03/17/2026 09:02:13 +0000", r}
		}), false},
		{"Graylog, CSV", "export.csv", table([]string{"timestamp", "source", "message"}, func(r string) []string {
			return []string{"2026-03-17T09:02:14.000Z", "h", r}
		}), false},
		{"Cribl", "export.ndjson", each_(func(r string) string { return `{"_raw":` + marshal(r) + `,"_time":1773738133.1,"host":"h"}` }), false},
		{"Fluentd", "azure.txt", each_(func(r string) string { return "2026-03-17T09:02:14+00:00\tazure.signin\t" + r }), false},
		{"Fluent Bit", "azure.json", each_(func(r string) string { return "[1773738133.1," + r + "]" }), false},
		{"Grafana Loki", "loki.json", all(func(records []string) string {
			return `{"status":"success","data":{"resultType":"streams","result":[{"stream":{"job":"azure"},"values":[` + strings.Join(wrapped(quoted(records), `["1773738133000000000",`, "]"), ",") + `]}]}}`
		}), false},
		{"syslog", "azure.txt", each_(func(r string) string { return "<13>Mar 17 09:02:14 host app[7]: " + r }), false},
		{"a JSON sequence", "azure.json", each_(func(r string) string { return "\x1e" + r }), false},
		{"Elastic, documents that keep the original", "export.json", each_(document), false},
		{"Elastic, a search", "export.json", all(hits), false},
		{"Elastic, a search, pretty-printed", "export.json", all(func(records []string) string { return indented(hits(records)) }), false},
		{"Logstash, records in a message", "export.json", each_(func(r string) string {
			return `{"@timestamp":"2026-03-17T09:02:14Z","@version":"1","tags":["x"],"message":` + marshal(`{"records":[`+r+`]}`) + `}`
		}), false},
		{"Datadog", "export.json", all(func(records []string) string {
			return `{"data":[` + strings.Join(wrapped(records, `{"id":"x","attributes":{"timestamp":"2026-03-17T09:02:14.000Z","tags":["a"],"attributes":`, `}}`), ",") + `]}`
		}), false},
		{"event hub, a body in base64", "hub.json", each_(func(r string) string {
			return `{"SequenceNumber":1,"EnqueuedTimeUtc":"3/17/2026 9:05:00 AM","Body":"` + base64.StdEncoding.EncodeToString([]byte(`{"records":[`+r+`]}`)) + `"}`
		}), false},
		{"a table of Python, with columns that are names", "SigninLogs.json", func(list []madeSignIn) string {
			t := answerIn(list, "name", "columns", "name", "type", "rows", nil)
			t["columns"] = workspaceColumns
			return "[" + orderedAnswer(t, "name", "columns", "rows") + "]"
		}, false},
		{"pandas, split", "SigninLogs.json", func(list []madeSignIn) string {
			t := answerIn(list, "name", "columns", "name", "type", "data", object{"index": []int{0, 1}})
			t["columns"] = workspaceColumns
			return orderedAnswer(t, "columns", "index", "data")
		}, false},
		{"pandas, milliseconds", "SigninLogs.json", func(list []madeSignIn) string {
			return lines(each(list, func(s *madeSignIn, i int) any {
				o := s.flat(i)
				o["TimeGenerated"], o["CreatedDateTime"] = s.at.UnixMilli(), s.at.UnixNano()
				return o
			}))
		}, false},
		{"Python, with numbers that JSON does not have", "SigninLogs.json", func(list []madeSignIn) string {
			var out []string
			for _, r := range each(list, flatOf) {
				out = append(out, strings.TrimSuffix(r, "}")+`,"A":NaN,"B":[-Infinity,"a NaN \" \\"],"C":Infinity}`)
			}
			return "[" + strings.Join(out, ", ") + "]"
		}, false},
		{"Graph's resource, flattened", "signins.csv", flattened(graphOf, ""), false},
		{"Graph's resource, flattened by pandas", "signins.csv", flattened(graphOf, ".0"), false},
		{"the diagnostic export, flattened", "PT1H.csv", flattened(exportedOf, ""), false},
		{"a workspace's columns, flattened", "SigninLogs.csv", flattened(flatOf, ""), false},
		{"CSV, the time in UTC", "SigninLogs.csv", func(list []madeSignIn) string {
			return strings.Replace(workspaceCSV(list, ','), "TimeGenerated", "TimeGenerated (UTC)", 1)
		}, false},
		{"pandas, CSV with numbers of rows", "SigninLogs.csv", func(list []madeSignIn) string {
			rows := strings.Split(strings.TrimSpace(workspaceCSV(list, ',')), "\n")
			for i := range rows {
				rows[i] = map[bool]string{true: "", false: "7"}[i == 0] + "," + rows[i]
			}
			return lines(rows)
		}, false},
	}
}

// The unified audit log is OfficeActivity, whoever wrote it.
func TestOfficeActivity(t *testing.T) {
	t.Parallel()
	const data = `{"CreationTime":"2026-03-17T10:00:00","Id":"x1","Operation":"New-InboxRule","OrganizationId":"o","RecordType":1,"ResultStatus":"True","UserKey":"k","UserType":2,` +
		`"Workload":"Exchange","ClientIP":"192.0.2.7","ObjectId":"obj","UserId":"ana@contoso.example","Parameters":[{"Name":"ForwardTo","Value":"x@y"}],"ClientIPAddress":"192.0.2.8",` +
		`"LogonType":0,"SiteUrl":"s"}`
	inCSV := `"` + strings.ReplaceAll(data, `"`, `""`) + `"`
	const want = `OfficeActivity ClientIP=192.0.2.7 Client_IPAddress=192.0.2.8 Logon_Type=0 OfficeId=x1 OfficeObjectId=obj OfficeWorkload=Exchange Operation=New-InboxRule` +
		` OrganizationId=o Parameters=[{"Name":"ForwardTo","Value":"x@y"}] RecordType=ExchangeAdmin ResultStatus=True Site_Url=s Type=OfficeActivity` +
		` UserId=ana@contoso.example UserKey=k UserType=Admin`
	for _, tt := range []struct{ name, file, text string }{
		{"Purview", "export.csv", "RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits\nr,2026-03-17T10:00:00.0000000Z,1,New-InboxRule,ana," + inCSV + ",\n"},
		{"Search-UnifiedAuditLog", "ual.csv", "#TYPE Deserialized.x\r\n\"RecordType\",\"CreationDate\",\"UserIds\",\"AuditData\",\"ResultIndex\"\r\n\"ExchangeAdmin\",\"4/3/2026 10:00:00 AM\",\"ana\"," + inCSV + ",\"1\"\r\n"},
		{"the same as JSON", "ual.json", `[{"RecordType":"ExchangeAdmin","CreationDate":"\/Date(1773738000000)\/","AuditData":` + marshal(data) + `}]`},
		{"AuditData as an object", "ual.json", `{"AuditData":` + data + `}`},
		{"the Management Activity API", "audit.json", `[` + data + `]`},
		{"the same, a record a line", "audit.json", data + "\n"},
		{"the same in an envelope", "audit.json", `{"contentId":"c","body":` + marshal("["+data+"]") + `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, tt.file, tt.text)
			if diff := cmp.Diff([]string{want}, rows(l)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if _, times := columnOf(t, l.Tables[0], timeGenerated); times[0] != "2026-03-17T10:00:00Z" || len(l.Report.Warnings)+len(l.Report.Problems) > 0 {
				t.Errorf("time %s, report %+v", times[0], l.Report)
			}
		})
	}
}

// What a record of advanced hunting has inside is no record of its own.
func TestHuntingKeepsWhatIsInside(t *testing.T) {
	t.Parallel()
	for file, text := range map[string]string{
		"CloudAppEvents.json": `{"Timestamp":"2026-03-17T10:00:00Z","ActionType":"New-InboxRule","RawEventData":{"CreationTime":"2026-03-17T09:00:00Z","Operation":"x","RecordType":1,"Workload":"Exchange"}}`,
		"CloudAppEvents.csv":  "Timestamp,ActionType,RawEventData\n2026-03-17T10:00:00Z,New-InboxRule,\"{\"\"CreationTime\"\":\"\"2026-03-17T09:00:00Z\"\",\"\"Operation\"\":\"\"x\"\",\"\"RecordType\"\":1,\"\"Workload\"\":\"\"Exchange\"\"}\"\n",
	} {
		want := []string{`CloudAppEvents ActionType=New-InboxRule RawEventData={"CreationTime":"2026-03-17T09:00:00Z","Operation":"x","RecordType":1,"Workload":"Exchange"} Timestamp=2026-03-17T10:00:00Z Type=CloudAppEvents`}
		if diff := cmp.Diff(want, rows(mustRead(t, Options{}, file, text))); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", file, diff)
		}
	}
}

// The activity log of a subscription is AzureActivity, as its diagnostic settings
// export it.
func TestAzureActivity(t *testing.T) {
	t.Parallel()
	const head = `{"time":"2026-03-17T10:00:00Z","resourceId":"/SUBSCRIPTIONS/S/X","operationName":"MICROSOFT.X/WRITE","category":"Administrative","resultType":"Success",` +
		`"resultSignature":"Succeeded.Created","callerIpAddress":"192.0.2.7","correlationId":"c","level":"Information","identity":{"authorization":{"scope":"/s"},` +
		`"claims":{"appid":"a","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"ana@contoso.example"}}`
	const want = `ActivityStatusValue=Success ActivitySubstatusValue=Succeeded.Created Authorization={"scope":"/s"} Authorization_d={"scope":"/s"} Caller=ana@contoso.example` +
		` CallerIpAddress=192.0.2.7 CategoryValue=Administrative Claims={"appid":"a","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"ana@contoso.example"}` +
		` Claims_d={"appid":"a","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"ana@contoso.example"} CorrelationId=c Identity=`
	for name, tt := range map[string]struct{ text, properties string }{
		"with properties":    {head + `,"properties":{"statusCode":"OK"}}`, ` OperationNameValue=MICROSOFT.X/WRITE Properties={"statusCode":"OK"} Properties_d={"statusCode":"OK"}`},
		"without properties": {head + `}`, ` OperationNameValue=MICROSOFT.X/WRITE`},
	} {
		got := rows(mustRead(t, Options{}, "PT1H.json", tt.text))
		if len(got) != 1 || !strings.HasPrefix(got[0], "AzureActivity "+want) || !strings.Contains(got[0], tt.properties+" Type=AzureActivity _ResourceId=/SUBSCRIPTIONS/S/X") {
			t.Errorf("%s: rows %q", name, got)
		}
	}
}

// The lines of Elastic's bulk format that say what to do with a record are none.
func TestBulkActions(t *testing.T) {
	t.Parallel()
	const record = `{"TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u"}` + "\n"
	for name, action := range map[string]string{
		"an index": `{"index":{"_index":"x","_id":"1"}}`, "nothing": `{"index":{}}`, "a stream": `{"create":{"_index":"x","pipeline":"p"}}`, "blanks": `{ "create" : { } }`,
	} {
		l := mustRead(t, Options{}, "SigninLogs.ndjson", strings.Repeat(action+"\n"+record, 2))
		if got := rows(l); len(got) != 2 || l.Report.Bad != 0 || len(l.Report.Warnings) != 0 {
			t.Errorf("%s: rows %q, %d bad, %v", name, got, l.Report.Bad, l.Report.Warnings)
		}
	}
	for _, other := range []string{`{"index":{"a":1}}`, `{"index":{},"a":1}`, `{"index":1}`, `{"Index":{}}`} {
		if l := mustRead(t, Options{}, "SigninLogs.ndjson", record+other+"\n"); l.Report.Bad != 1 {
			t.Errorf("%s: %d bad", other, l.Report.Bad)
		}
	}
}

// Events are in members called event, and are of no table Event.
func TestMembersOfOneWord(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{}, "SigninLogs.json", `{"Event":{"TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u"}}`)
	if diff := cmp.Diff([]string{"SigninLogs Type=SigninLogs UserId=u"}, rows(l)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// Records in a member that is called after a table are of it, if they do not say
// another and nobody does.
func TestMembersCalledAfterTables(t *testing.T) {
	t.Parallel()
	const record = `{"TimeGenerated":"2026-03-17T10:00:00Z","OperationName":"x","Identity":"y"}`
	want := []string{"AuditLogs Identity=y OperationName=x Type=AuditLogs", "SigninLogs Identity=y OperationName=x Type=SigninLogs"}
	for name, text := range map[string]string{
		"a stream": `{"SigninLogs":[` + record + `],"AuditLogs":[` + record + `]}`,
		"a line":   `{"a":1,"x":{"SigninLogs":` + record + `}}` + "\n" + `{"a":1,"x":{"AuditLogs":[` + record + `]}}` + "\n",
	} {
		if diff := cmp.Diff(want, rows(mustRead(t, Options{}, "export.json", text))); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", name, diff)
		}
		if got := tableNames(mustRead(t, Options{Table: "My_CL"}, "export.json", text)); !slices.Equal(got, []string{"My_CL"}) {
			t.Errorf("%s: with --table: %v", name, got)
		}
	}
}

// A record of a workspace without its time is bad as that, whatever is inside it.
func TestRecordWithoutTime(t *testing.T) {
	t.Parallel()
	const record = `{"OperationName":"Update user","Identity":"Ana","ActivityDisplayName":"Update user","LoggedByService":"Core Directory",` +
		`"TargetResources":[{"modifiedProperties":[{"newValue":"[{\"createdDateTime\":\"2026-03-17T10:00:00Z\"}]"}]}]}`
	_, err := read(Options{}, "export.ndjson", record+"\n"+record+"\n")
	if err == nil || !strings.Contains(err.Error(), "export.ndjson:1:1: TimeGenerated is missing") {
		t.Errorf("error %v", err)
	}
}

// A record that is longer than what is looked at first is not lost, wherever it is.
func TestLongRecordsInEnvelopes(t *testing.T) {
	t.Parallel()
	long := `{"A":"` + strings.Repeat("x", 2*sniffed) + `","TimeGenerated":"2026-03-17T10:00:00Z","Type":"My_CL"}`
	for name, text := range map[string]string{
		"a text":      `{"hits":[{"_source":{"event":{"original":` + marshal(goodLine) + `}}},{"_source":{"event":{"original":` + marshal(long) + `}}}]}`,
		"an object":   `{"a":{"b":` + goodLine + `},"c":{"d":` + long + `}}`,
		"of an array": `{"a":{"b":` + goodLine + `},"c":[` + long + `]}`,
	} {
		for _, text := range []string{text, indented(text)} {
			if l := mustRead(t, Options{}, "SigninLogs.json", text); l.Report.Records != 2 || l.Report.Bad != 0 || l.Table("My_CL") == nil {
				t.Errorf("%s: %+v", name, l.Report)
			}
		}
	}
}
