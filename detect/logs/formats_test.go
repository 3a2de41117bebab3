package logs

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

// The same two sign-ins in every format.
var twoSignIns = []string{
	`SigninLogs Status={"errorCode":0} Type=SigninLogs UserId=u1`,
	`SigninLogs Status={"errorCode":500121} Type=SigninLogs UserId=u2`,
}

func TestFormats(t *testing.T) {
	t.Parallel()
	const (
		first  = `{"TimeGenerated":"2026-03-17T09:58:03.123Z","UserId":"u1","Status":{"errorCode":0}}`
		second = `{"TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u2","Status":{"errorCode":500121}}`
		pretty = "{\n  \"TimeGenerated\": \"2026-03-17T09:58:03.123Z\",\n  \"UserId\": \"u1\",\n  \"Status\": {\n    \"errorCode\": 0\n  }\n}\n" +
			"{\n  \"TimeGenerated\": \"2026-03-17T10:00:00Z\",\n  \"UserId\": \"u2\",\n  \"Status\": { \"errorCode\": 500121 }\n}\n"
		answer = `"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"UserId","type":"string"},` +
			`{"name":"Status","type":"dynamic"},{"name":"Type","type":"string"}],"rows":[` +
			`["2026-03-17T09:58:03.123Z","u1","{\"errorCode\":0}","SigninLogs"],["2026-03-17T10:00:00Z","u2","{\"errorCode\":500121}","SigninLogs"]]}]`
		csv = "TimeGenerated [UTC],UserId,Status\r\n" +
			"\"3/17/2026, 9:58:03.123 AM\",u1,\"{\"\"errorCode\"\":0}\"\r\n\"3/17/2026, 10:00:00.000 AM\",u2,\"{\"\"errorCode\"\":500121}\"\r\n"
	)
	tests := []struct{ name, file, text, format string }{
		{"NDJSON", "SigninLogs.ndjson", first + "\n" + second + "\n", "NDJSON"},
		{"NDJSON without a last line break, with CRLF and empty lines", "SigninLogs.jsonl", "\r\n" + first + "\r\n\r\n" + second, "NDJSON"},
		{"NDJSON with a byte order mark", "SigninLogs.json", "\ufeff" + first + "\n" + second, "NDJSON"},
		{"a line that is an array", "SigninLogs.json", first + "\n[" + second + "]\n", "NDJSON"},
		{"an array on one line", "SigninLogs.json", "[" + first + "," + second + "]", "JSON"},
		{"an array, a record per line", "SigninLogs.json", "[\n" + first + ",\n" + second + "\n]\n", "JSON"},
		{"an array, pretty-printed", "SigninLogs.json", "[\n" + strings.Replace(pretty, "}\n{", "},\n{", 1) + "]\n", "JSON"},
		{"arrays, one per line", "SigninLogs.json", "[" + first + "]\n[" + second + "]\n", "JSON"},
		{"records, pretty-printed", "SigninLogs.json", pretty, "JSON"},
		{"in an envelope", "SigninLogs.json", `{"count":2,"records":[` + first + ",\n" + second + "]}", "JSON"},
		{"the API's answer", "answer.json", "{" + answer + "}", "JSON"},
		{"the API's answer after statistics", "answer.json", `{"statistics":{"query":{"rows":[1]}},` + answer + `}`, "JSON"},
		{"CSV", "SigninLogs.csv", csv, "CSV"},
		{"CSV with LF", "SigninLogs.csv", strings.ReplaceAll(csv, "\r\n", "\n"), "CSV"},
		{"CSV with a byte order mark", "SigninLogs.csv", "\ufeff" + csv, "CSV"},
		{"CSV without a last line break", "SigninLogs.csv", strings.TrimSuffix(csv, "\r\n"), "CSV"},
		{"CSV with ISO times", "SigninLogs.csv", "TimeGenerated,UserId,Status\n2026-03-17T09:58:03.123Z,u1,\"{\"\"errorCode\"\":0}\"\n" +
			"2026-03-17 10:00:00,u2,\"{\"\"errorCode\"\":500121}\"\n", "CSV"},
		{"CSV with semicolons", "SigninLogs.csv", "TimeGenerated;UserId;Status\n2026-03-17T09:58:03.123Z;u1;\"{\"\"errorCode\"\":0}\"\n" +
			"2026-03-17T10:00:00Z;u2;\"{\"\"errorCode\"\":500121}\"\n", "CSV"},
		{"the Azure CLI, all of it strings", "SigninLogs.json", `[{"TableName":"PrimaryResult","TimeGenerated":"2026-03-17T09:58:03.123Z",` +
			`"UserId":"u1","Status":"{\"errorCode\":0}","IsInteractive":"None"},` +
			`{"TableName":"PrimaryResult","TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u2","Status":"{\"errorCode\":500121}"}]`, "JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, file := range [][2]string{
				{tt.file, tt.text},
				{tt.file + ".gz", zipped(t, tt.text)},
				{tt.file, zipped(t, tt.text)}, // the name does not say so
				{tt.file, utf16(tt.text)},
			} {
				// A byte at a time, so that every boundary falls everywhere.
				r := NewReader(Options{})
				if err := r.File(context.Background(), file[0], iotest.OneByteReader(strings.NewReader(file[1]))); err != nil {
					t.Fatal(err)
				}
				l, err := r.Finish()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(twoSignIns, rows(l)); diff != "" {
					t.Errorf("%s: rows (-want +got):\n%s", file[0], diff)
				}
				_, times := columnOf(t, l.Tables[0], timeGenerated)
				if diff := cmp.Diff([]string{"2026-03-17T09:58:03.123Z", "2026-03-17T10:00:00Z"}, times); diff != "" {
					t.Errorf("%s: times (-want +got):\n%s", file[0], diff)
				}
				if got := l.Report.Files[0].Format; got != tt.format {
					t.Errorf("format %s, want %s", got, tt.format)
				}
				if len(l.Report.Problems)+len(l.Report.Conversions)+len(l.Report.Warnings) > 0 {
					t.Errorf("unexpected: %+v", l.Report)
				}
			}
		})
	}
}

// utf16 writes text as Windows PowerShell does.
func utf16(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	var sb strings.Builder
	sb.WriteString("\xff\xfe")
	for _, r := range text {
		sb.WriteByte(byte(r))
		sb.WriteByte(byte(r >> 8))
	}
	return sb.String()
}

func TestCSVFields(t *testing.T) {
	t.Parallel()
	const header = "TimeGenerated [UTC],A,B\n"
	tests := []struct{ name, record, a, b string }{
		{"plain", `x,y`, "x", "y"},
		{"empty", `,`, "", ""},
		{"quoted", `"x","y"`, "x", "y"},
		{"with a comma", `"x,y",z`, "x,y", "z"},
		{"with a quote", `"x""y",""""`, `x"y`, `"`},
		{"with line breaks", "\"x\r\ny\n\",z", "x\r\ny\n", "z"},
		{"empty in quotes", `"",""`, "", ""},
		{"a quote inside an unquoted field", `x"y",z`, `x"y"`, "z"},
		{"another script", `Zoë,東京`, "Zoë", "東京"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := header + `"3/17/2026, 12:00:00.000 PM",` + tt.record + "\n" + `"3/17/2026, 12:00:01.000 AM",end,end` + "\n"
			l := mustRead(t, Options{}, "T_CL.csv", text)
			_, a := columnOf(t, l.Tables[0], "A")
			_, b := columnOf(t, l.Tables[0], "B")
			if diff := cmp.Diff([]string{tt.a, "end", tt.b, "end"}, append(a, b...)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			_, times := columnOf(t, l.Tables[0], timeGenerated)
			if diff := cmp.Diff([]string{"2026-03-17T12:00:00Z", "2026-03-17T00:00:01Z"}, times); diff != "" {
				t.Errorf("times (-want +got):\n%s", diff)
			}
		})
	}
}

// How values of a known table become of its columns' types.
func TestConversions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, column, json string
		want               string // "!" if it does not convert
	}{
		{"number to string", "ResultType", `500121`, "500121"},
		{"number to string, as written", "ResultType", `1.50`, "1.50"},
		{"bool to string", "ResultType", `true`, "true"},
		{"object to string", "AuthenticationDetails", `{ "a" : [1, "x y"] }`, `{"a":[1,"x y"]}`},
		{"null to string", "ResultType", `null`, ""},
		{"escapes", "UserDisplayName", `"a\"\u00e9\n"`, "a\"é\n"},
		{"object", "Status", `{"errorCode": 0}`, `{"errorCode":0}`},
		{"object in a string", "Status", `" {\"errorCode\": 0}"`, `{"errorCode":0}`},
		{"array in a string", "ConditionalAccessPolicies", `"[{\"id\":\"1\"}]"`, `[{"id":"1"}]`},
		{"text that is no JSON", "Status", `"{broken"`, "{broken"},
		{"number in a string stays a string", "Status", `"5"`, "5"},
		{"empty dynamic", "Status", `""`, ""},
		{"number to dynamic", "Status", `5`, "5"},
		{"bool", "IsInteractive", `true`, "true"},
		{"bool in a string", "IsInteractive", `"True"`, "true"},
		{"bool as a number", "IsInteractive", `0`, "false"},
		{"empty bool", "IsInteractive", `""`, ""},
		{"no bool", "IsInteractive", `"maybe"`, "!"},
		{"no bool, an object", "IsInteractive", `{}`, "!"},
		{"long", "DurationMs", `-7`, "-7"},
		{"long in a string", "DurationMs", `"42"`, "42"},
		{"no long", "DurationMs", `"fast"`, "!"},
		{"no long, a bool", "DurationMs", `true`, "!"},
		{"real", "_BilledSize", `1.5`, "1.5"},
		{"real in a string", "_BilledSize", `"1.5"`, "1.5"},
		{"datetime", "CreatedDateTime", `"2026-03-17T10:00:00+01:00"`, "2026-03-17T09:00:00Z"},
		{"datetime as the portal writes it", "CreatedDateTime", `"3/17/2026, 9:58:03.123 PM"`, "2026-03-17T21:58:03.123Z"},
		{"no datetime", "CreatedDateTime", `"soon"`, "!"},
		{"no datetime, a number", "CreatedDateTime", `1742205483`, "!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := `{"TimeGenerated":"2026-03-17T10:00:00Z","` + tt.column + `":` + tt.json + "}\n"
			l := mustRead(t, Options{}, "dir/SigninLogs.json", text)
			typ, values := columnOf(t, l.Tables[0], tt.column)
			want, failed := strings.CutPrefix(tt.want, "!")
			if values[0] != want {
				t.Errorf("got %q, want %q", values[0], want)
			}
			if !failed {
				if len(l.Report.Conversions) > 0 {
					t.Errorf("unexpected: %+v", l.Report.Conversions)
				}
				return
			}
			if len(l.Report.Conversions) != 1 {
				t.Fatalf("not reported: %+v", l.Report)
			}
			c := l.Report.Conversions[0]
			if c.Table != signinLogs || c.Column != tt.column || c.Type != typ || c.Count != 1 ||
				c.First.File != "dir/SigninLogs.json" || c.First.Line != 1 || !strings.Contains(c.First.Reason, "is not of type "+typ.String()) {
				t.Errorf("reported as %+v", c)
			}
			if l.Report.Bad != 0 || l.Report.Records != 1 {
				t.Errorf("the record is lost: %+v", l.Report)
			}
		})
	}
}

// The types of columns that nothing declares.
func TestInference(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		json []string
		typ  kql.Type
		want []string
	}{
		{"bools", []string{`true`, `null`, `false`}, kql.Bool, []string{"true", "", "false"}},
		{"integers", []string{`1`, `-2`}, kql.Long, []string{"1", "-2"}},
		{"numbers", []string{`1`, `2.5`, `3`}, kql.Real, []string{"1", "2.5", "3"}},
		{"more than a long holds", []string{`12345678901234567890`}, kql.Real, []string{"1.2345678901234567E+19"}},
		{"times", []string{`"2026-03-17T10:00:00Z"`, `""`, `"2026-03-17T11:00:00+01:00"`}, kql.String, []string{"2026-03-17T10:00:00Z", "", "2026-03-17T11:00:00+01:00"}},
		{"only times", []string{`"2026-03-17T10:00:00Z"`, `null`, `"2026-03-17T11:00:00+01:00"`}, kql.DateTime, []string{"2026-03-17T10:00:00Z", "", "2026-03-17T10:00:00Z"}},
		{"dates alone are text", []string{`"2026-03-17"`}, kql.String, []string{"2026-03-17"}},
		{"objects and arrays", []string{`{"a": 1}`, `[2]`}, kql.Dynamic, []string{`{"a":1}`, `[2]`}},
		{"strings", []string{`"a"`, `"1"`}, kql.String, []string{"a", "1"}},
		{"a string among numbers", []string{`1`, `"x"`, `2`}, kql.String, []string{"1", "x", "2"}},
		{"a number among strings", []string{`"x"`, `1.50`}, kql.String, []string{"x", "1.50"}},
		{"a bool among numbers", []string{`1`, `true`}, kql.String, []string{"1", "true"}},
		{"a time among strings", []string{`"2026-03-17T10:00:00Z"`, `"x"`}, kql.String, []string{"2026-03-17T10:00:00Z", "x"}},
		{"a number among times", []string{`"2026-03-17T10:00:00Z"`, `1`}, kql.String, []string{"2026-03-17T10:00:00Z", "1"}},
		{"an object among strings", []string{`"x"`, `{"a": 1}`}, kql.String, []string{"x", `{"a":1}`}},
		{"a string among objects", []string{`{"a": 1}`, `"x"`}, kql.String, []string{`{"a":1}`, "x"}},
		{"nulls", []string{`null`}, kql.String, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sb strings.Builder
			for _, value := range tt.json {
				sb.WriteString(`{"TimeGenerated":"2026-03-17T10:00:00Z","X":` + value + "}\n")
			}
			for _, file := range []string{"My_CL.json", "SigninLogs.json"} {
				l := mustRead(t, Options{}, file, sb.String())
				typ, values := columnOf(t, l.Tables[0], "X")
				if typ != tt.typ {
					t.Errorf("%s: type %s, want %s", file, typ, tt.typ)
				}
				if diff := cmp.Diff(tt.want, values); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
		})
	}
}

// The types of columns of CSV and of the Azure CLI, where all is text.
func TestInferenceFromText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text []string
		typ  kql.Type
		want []string
	}{
		{"bools", []string{"true", "False", ""}, kql.Bool, []string{"true", "false", ""}},
		{"integers", []string{"1", "-20"}, kql.Long, []string{"1", "-20"}},
		{"numbers", []string{"1", "2.5"}, kql.Real, []string{"1", "2.5"}},
		{"leading zeros are text", []string{"007", "1"}, kql.String, []string{"007", "1"}},
		{"more than a long holds is text", []string{"12345678901234567890"}, kql.String, []string{"12345678901234567890"}},
		{"times", []string{"2026-03-17T10:00:00Z", ""}, kql.DateTime, []string{"2026-03-17T10:00:00Z", ""}},
		{"JSON", []string{`{"a":1}`, `[]`}, kql.Dynamic, []string{`{"a":1}`, `[]`}},
		{"mixed", []string{"1", "x"}, kql.String, []string{"1", "x"}},
		{"NaN is text", []string{"NaN", "1"}, kql.String, []string{"NaN", "1"}},
		{"hexadecimal is text", []string{"0x1f"}, kql.String, []string{"0x1f"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var csv, cli strings.Builder
			csv.WriteString("TimeGenerated,X\n")
			cli.WriteString("[")
			for _, text := range tt.text {
				csv.WriteString("2026-03-17T10:00:00Z,\"" + strings.ReplaceAll(text, `"`, `""`) + "\"\n")
				cli.WriteString(`{"TableName":"PrimaryResult","TimeGenerated":"2026-03-17T10:00:00Z","X":"` + strings.ReplaceAll(text, `"`, `\"`) + `"},`)
			}
			cli.WriteString("]")
			for file, content := range map[string]string{"My_CL.csv": csv.String(), "My_CL.json": cli.String()} {
				l := mustRead(t, Options{}, file, content)
				typ, values := columnOf(t, l.Tables[0], "X")
				if typ != tt.typ {
					t.Errorf("%s: type %s, want %s", file, typ, tt.typ)
				}
				if diff := cmp.Diff(tt.want, values); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
		})
	}
}

func TestAnswerDeclaresTypes(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{}, "My_CL.json", `{"tables":[{"name":"PrimaryResult","columns":[
		{"name":"TimeGenerated","type":"datetime"},{"name":"D","type":"dynamic"},{"name":"R","type":"real"},{"name":"S","type":"string"},
		{"name":"I","type":"int"},{"name":"G","type":"guid"},{"name":"T","type":"timespan"},{"name":"B","type":"bool"}],
		"rows":[["2026-03-17T10:00:00Z","[1]","NaN","007",5,"74be27de-1e4e-49d9-b579-fe0b331d3642","01:00:00",true],
		        ["2026-03-17T10:00:00Z","\"x\"",1,"",null,null,null,null]]}]}`)
	want := kql.Schema{
		{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "D", Type: kql.Dynamic}, {Name: "R", Type: kql.Real}, {Name: "S", Type: kql.String},
		{Name: "I", Type: kql.Int}, {Name: "G", Type: kql.GUID}, {Name: "T", Type: kql.TimeSpan}, {Name: "B", Type: kql.Bool},
	}
	if diff := cmp.Diff(want, l.Tables[0].Schema()); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"My_CL B=true D=[1] G=74be27de-1e4e-49d9-b579-fe0b331d3642 I=5 R=NaN S=007 T=01:00:00",
		"My_CL D=x R=1",
	}, rows(l)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestColumnsAndTables(t *testing.T) {
	t.Parallel()
	const text = `{"TimeGenerated":"2026-03-17T10:00:00Z","_TimeReceived":"2026-03-17T10:05:00Z","Type":"SigninLogs","userid":"folded","UserId":"u","ResultType":"0","New":1}
{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"My_CL","a":"1","b":2}
`
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		l := mustRead(t, Options{}, "x.json", text)
		if diff := cmp.Diff([]string{
			"My_CL Type=My_CL a=1 b=2",
			"SigninLogs New=1 ResultType=0 Type=SigninLogs UserId=u _TimeReceived=2026-03-17T10:05:00Z userid=folded",
		}, rows(l)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"_TimeReceived", "userid", "New"}, l.Report.Tables[1].Extra); diff != "" {
			t.Errorf("extra columns (-want +got):\n%s", diff)
		}
	})
	t.Run("some columns", func(t *testing.T) {
		t.Parallel()
		l := mustRead(t, Options{Columns: func(table string) []string {
			if table == signinLogs {
				return []string{"UserId", "Missing"}
			}
			return []string{"B"}
		}}, "x.json", text)
		if diff := cmp.Diff([]string{
			"My_CL b=2", // it is another column, which an error can suggest
			"SigninLogs UserId=u _TimeReceived=2026-03-17T10:05:00Z userid=folded",
		}, rows(l)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		// The table keeps all its known columns, so that queries bind as before.
		want := append(slices.Clone(kql.KnownTables()[signinLogs]), kql.ColumnSchema{Name: "_TimeReceived", Type: kql.DateTime},
			kql.ColumnSchema{Name: "userid", Type: kql.String})
		if diff := cmp.Diff(want, l.Table(signinLogs).Schema()); diff != "" {
			t.Errorf("schema (-want +got):\n%s", diff)
		}
	})
	t.Run("some tables", func(t *testing.T) {
		t.Parallel()
		l := mustRead(t, Options{Tables: func(table string) bool { return table == "My_CL" }}, "x.json", text)
		if diff := cmp.Diff([]string{"My_CL"}, tableNames(l)); diff != "" {
			t.Errorf("tables (-want +got):\n%s", diff)
		}
		if l.Report.Records != 1 || l.Report.Ignored != 1 || l.Report.Bad != 0 {
			t.Errorf("report: %+v", l.Report)
		}
		if l.Table(signinLogs) != nil {
			t.Error("a table that was left out is there")
		}
	})
}

// Members in another order, missing or given twice must not get into another
// member's column.
func TestMembersInAnyOrder(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{}, "SigninLogs.json", `{"TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u1","Identity":"i1","Level":"4"}
{"Level":"5","TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u2"}
{"UserId":"u3","Level":"6","Identity":"i3","TimeGenerated":"2026-03-17T10:00:00Z"}
{"UserId":"first","UserId":"u4","USERID":"folded","Ident\u0069ty":"i4","TimeGenerated":"2026-03-17T10:00:00Z"}
`)
	want := []string{
		"SigninLogs Identity=i1 Level=4 Type=SigninLogs UserId=u1",
		"SigninLogs Level=5 Type=SigninLogs UserId=u2",
		"SigninLogs Identity=i3 Level=6 Type=SigninLogs UserId=u3",
		"SigninLogs Identity=i4 Type=SigninLogs USERID=folded UserId=u4",
	}
	if diff := cmp.Diff(want, rows(l)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// Names that differ in case are names of two columns. Only what can be nothing but
// a column of a known table is taken for it.
func TestColumnNamesHaveCase(t *testing.T) {
	t.Parallel()
	const at = `{"TimeGenerated":"2026-03-17T10:00:00Z",`
	tests := []struct {
		name, file, text string
		columns          []string // that are wanted; nil for all
		want             []string
	}{
		{"of a table of one's own", "My_CL.json", at + `"clientIP_s":"a","clientIp_s":"b"}` + "\n" + at + `"clientIp_s":"c"}`, nil,
			[]string{"My_CL clientIP_s=a clientIp_s=b", "My_CL clientIp_s=c"}},
		{"in CSV", "My_CL.csv", "TimeGenerated,clientIP_s,clientIp_s\n2026-03-17T10:00:00Z,a,b\n", nil, []string{"My_CL clientIP_s=a clientIp_s=b"}},
		{"both are wanted", "My_CL.json", at + `"clientIP_s":"a","clientIp_s":"b","x":"y"}`, []string{"clientIP_s", "clientIp_s"},
			[]string{"My_CL clientIP_s=a clientIp_s=b"}},
		{"of the export", "PT1H.json", `{"time":"2026-03-17T10:00:00Z","category":"MyAppLogs","properties":{"hostIP":"a","hostIp":"b"}}`, nil,
			[]string{"MyAppLogs Category=MyAppLogs HostIP=a HostIp=b"}},
		{"a known column in other case", "SigninLogs.json", at + `"userid":"a"}` + "\n" + at + `"userid":"b"}`, nil,
			[]string{"SigninLogs Type=SigninLogs UserId=a", "SigninLogs Type=SigninLogs UserId=b"}},
		{"beside a known column", "SigninLogs.json", at + `"UserId":"a","userid":"b"}`, nil, []string{"SigninLogs Type=SigninLogs UserId=a userid=b"}},
		{"before a known column", "SigninLogs.json", at + `"userid":"b","UserId":"a"}`, nil, []string{"SigninLogs Type=SigninLogs UserId=a userid=b"}},
		{"later beside a known column", "SigninLogs.json", at + `"userid":"c"}` + "\n" + at + `"userid":"b","UserId":"a"}` + "\n" + at + `"UserId":"d"}`, nil,
			[]string{"SigninLogs Type=SigninLogs UserId=c", "SigninLogs Type=SigninLogs UserId=a userid=b", "SigninLogs Type=SigninLogs UserId=d"}},
		{"two in other case", "SigninLogs.json", at + `"userid":"a","USERID":"b"}`, nil, []string{"SigninLogs Type=SigninLogs USERID=b UserId=a"}},
		{"null is nothing to lose", "SigninLogs.json", at + `"userid":"a","UserId":null}`, nil, []string{"SigninLogs Type=SigninLogs UserId=a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := Options{}
			if tt.columns != nil {
				opts.Columns = func(string) []string { return tt.columns }
			}
			l := mustRead(t, opts, tt.file, tt.text)
			if diff := cmp.Diff(tt.want, rows(l)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// A table without records has the columns that its file declares.
func TestEmptyTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, text string
		want             kql.Schema // beside TimeGenerated
	}{
		{"CSV", "My_CL.csv", "TimeGenerated [UTC],A,b\n", kql.Schema{{Name: "A", Type: kql.String}, {Name: "b", Type: kql.String}}},
		{"the query API", "My_CL.json", `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"N","type":"long"},` +
			`{"name":"D","type":"dynamic"}],"rows":[]}]}`, kql.Schema{{Name: "N", Type: kql.Long}, {Name: "D", Type: kql.Dynamic}}},
		{"Azure Data Explorer", "My_CL.json", `{"Tables":[{"TableName":"Table_0","Columns":[{"ColumnName":"TimeGenerated","DataType":"DateTime"},` +
			`{"ColumnName":"B","DataType":"SByte"}],"Rows":[]},{"TableName":"Table_1","Columns":[{"ColumnName":"Value","DataType":"String"}],"Rows":[["x"]]}]}`,
			kql.Schema{{Name: "B", Type: kql.Bool}}},
		{"nothing declared", "My_CL.json", "[]", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, tt.file, tt.text)
			if len(l.Tables) != 1 || l.Tables[0].Name() != "My_CL" || l.Tables[0].Rows() != 0 {
				t.Fatalf("tables %v", tableNames(l))
			}
			want := append(kql.Schema{{Name: timeGenerated, Type: kql.DateTime}}, tt.want...)
			if diff := cmp.Diff(want, l.Tables[0].Schema()); diff != "" {
				t.Errorf("schema (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("by its columns", func(t *testing.T) {
		t.Parallel()
		l := mustRead(t, Options{}, "query_data.csv", "TimeGenerated,InitiatedBy,TargetResources,LoggedByService,AADOperationType\n")
		if diff := cmp.Diff([]string{"AuditLogs"}, tableNames(l)); diff != "" {
			t.Errorf("tables (-want +got):\n%s", diff)
		}
	})
	t.Run("of no known table", func(t *testing.T) {
		t.Parallel()
		if l := mustRead(t, Options{}, "query_data.csv", "TimeGenerated,A\n"); len(l.Tables) != 0 || len(l.Report.Warnings) != 1 {
			t.Errorf("tables %v, warnings %v", tableNames(l), l.Report.Warnings)
		}
	})
}

// Where a blank stands after each separator of the header, those of the records are
// no part of their fields, which may be in quotes after them.
func TestBlanksAfterSeparators(t *testing.T) {
	t.Parallel()
	const at = "2026-03-17T10:00:00Z"
	tests := []struct{ name, text, want string }{
		{"blanks", "TimeGenerated, A, B\n" + at + ", x y , z\n", "My_CL A=x y  B=z"},
		{"several", "TimeGenerated,  A, B\n" + at + ",   x,z\n", "My_CL A=x B=z"},
		{"quotes", "TimeGenerated, A, B\n" + `"` + at + `", "x, ""y""", " z"` + "\n", `My_CL A=x, "y" B= z`},
		{"a line break in quotes", "TimeGenerated, A, B\n" + at + ", \"x\ny\", z\n", "My_CL A=x\ny B=z"},
		{"quotes in the header", `"TimeGenerated", "A", "B, b"` + "\n" + at + ", x, z\n", "My_CL A=x B, b=z"},
		{"semicolons", "TimeGenerated; A; B\n" + at + "; \"x;y\"; z\n", "My_CL A=x;y B=z"},
		{"before some names only", "TimeGenerated, A,B\n" + at + ", x,z\n", "My_CL A= x B=z"},
		{"a blank in a quoted name only", `TimeGenerated,"A, a",B` + "\n" + at + ", x,z\n", "My_CL A, a= x B=z"},
		{"before no name", "TimeGenerated,A,B\n" + at + ", x, z\n", "My_CL A= x B= z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, "My_CL.csv", tt.text)
			if diff := cmp.Diff([]string{tt.want}, rows(l)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}
