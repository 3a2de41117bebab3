package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const goodLine = `{"TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u"}`

func problems(l *Logs) []string {
	var list []string
	for _, p := range l.Report.Problems {
		list = append(list, p.String())
	}
	return list
}

// What is bad is reported with its place and reason, and the rest is read.
func TestBadRecords(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	const csvHeader = "TimeGenerated,UserId\n2026-03-17T10:00:00Z,u\n"
	tests := []struct {
		name, file, text string
		records          int
		want             []string
	}{
		{"not JSON", "SigninLogs.json", goodLine + "\nhello\n" + goodLine, 2,
			[]string{`SigninLogs.json:2:1: not valid JSON: invalid character 'h' at start of value`}},
		{"the first line is not JSON", "SigninLogs.ndjson", "hello\n" + goodLine, 1,
			[]string{`SigninLogs.ndjson:1:1: not valid JSON: invalid character 'h' at start of value`}},
		{"the first line is cut", "SigninLogs.ndjson", `{"TimeGenerated":"2026-` + "\n" + goodLine, 1,
			[]string{`SigninLogs.ndjson:1:24: not valid JSON: the record ends in the middle`}},
		{"the last line is cut", "SigninLogs.ndjson", goodLine + "\n" + goodLine[:20], 1,
			[]string{`SigninLogs.ndjson:2:21: not valid JSON: the record ends in the middle`}},
		{"text after the record", "SigninLogs.json", goodLine + "\n" + goodLine + " }\n" + goodLine, 2,
			[]string{`SigninLogs.json:2:55: not valid JSON: text after the end of the record: "}"`}},
		{"not an object", "SigninLogs.json", goodLine + "\n42\n\"x\"\n" + goodLine, 2, []string{
			`SigninLogs.json:2:1: expected a record, an object in braces, but found "42"`,
			`SigninLogs.json:3:1: expected a record, an object in braces, but found "\"x\""`}},
		{"not objects in an array", "SigninLogs.json", "[\n1,\n" + goodLine + ",\n  [[]]\n]", 1, []string{
			`SigninLogs.json:2:1: expected a record, an object in braces, but found "1"`,
			`SigninLogs.json:4:3: expected a record, an object in braces, but found "[]"`}},
		{"a bad record in an array", "SigninLogs.json", "[\n" + goodLine + ",\n  {\"a\" 1},\n" + goodLine + "]", 2,
			[]string{`SigninLogs.json:3:8: not valid JSON: invalid character '1' after object name (expecting ':')`}},
		{"a quote missing in an array", "SigninLogs.json", "[\n" + goodLine + ",\n {\"a\": \"x},\n \"b\": 1},\n" + goodLine + "]", 2,
			[]string{"SigninLogs.json:3:12: not valid JSON: invalid character '\\n' in string (expecting non-control character)"}},
		{"an array without its end", "SigninLogs.json", "[\n" + goodLine + ",\n" + goodLine + "\n", 2,
			[]string{`SigninLogs.json:4: the file ends inside the array; it seems to be cut off`}},
		{"an array cut inside a record", "SigninLogs.json", "[\n" + goodLine + ",\n" + goodLine[:30], 1, []string{
			`SigninLogs.json:3:1: the file ends inside this record; it seems to be cut off`,
			`SigninLogs.json:3: the file ends inside the array; it seems to be cut off`}},
		{"invalid UTF-8", "SigninLogs.json", goodLine + "\n{\"UserId\":\"é\xff\"}\n", 1,
			[]string{`SigninLogs.json:2:14: invalid UTF-8: byte 0xff`}},
		{"invalid UTF-8 in CSV", "SigninLogs.csv", csvHeader + "2026-03-17T10:00:00Z,é\xff\n", 1,
			[]string{`SigninLogs.csv:3:24: invalid UTF-8: byte 0xff`}},
		{"deep nesting", "SigninLogs.json", goodLine + "\n" + `{"a":` + deep + "}\n", 1,
			[]string{`SigninLogs.json:2:10005: not valid JSON: exceeded max depth`}},
		{"no time", "SigninLogs.json", goodLine + "\n{}\n", 1,
			[]string{`SigninLogs.json:2:1: TimeGenerated is missing; expected ISO 8601, such as 2026-03-17T09:58:03Z`}},
		{"an empty time", "SigninLogs.json", goodLine + "\n" + `{"TimeGenerated":""}`, 1,
			[]string{`SigninLogs.json:2:1: TimeGenerated is empty; expected ISO 8601, such as 2026-03-17T09:58:03Z`}},
		{"a wrong time", "SigninLogs.json", goodLine + "\n" + `{"TimeGenerated":"yesterday"}`, 1,
			[]string{`SigninLogs.json:2:1: TimeGenerated: "yesterday" is not a time; expected ISO 8601, such as 2026-03-17T09:58:03Z`}},
		{"a time that is a number", "SigninLogs.json", goodLine + "\n" + `{"TimeGenerated":1742205483}`, 1,
			[]string{`SigninLogs.json:2:1: TimeGenerated: "1742205483" is not a time; expected ISO 8601, such as 2026-03-17T09:58:03Z`}},
		{"an exported record without a time", "SigninLogs.json", goodLine + "\n" + `{"category":"SignInLogs","properties":{"a":1}}`, 1,
			[]string{`SigninLogs.json:2:1: time is missing; expected ISO 8601, such as 2026-03-17T09:58:03Z`}},
		{"a Type that is none", "SigninLogs.json", goodLine + "\n" + `{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"../etc"}`, 1,
			[]string{`SigninLogs.json:2:1: Type: "../etc" is not a table's name`}},
		{"no table", "2026-03-17.json", `{"TimeGenerated":"2026-03-17T10:00:00Z","Mine":1}` + "\n" + `{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"SigninLogs"}`, 1,
			[]string{"2026-03-17.json:1:1: the record does not say which table it belongs to (it has no Type), nor does its file's name, " +
				"and its columns are those of no known table; " +
				"say it with --table NAME, or name the file after the table, such as SigninLogs.json"}},
		{"a long line", "SigninLogs.json", goodLine + "\n" + `{"a":"` + strings.Repeat("x", 3000) + "\"}\n" + goodLine + "\n", 2,
			[]string{`SigninLogs.json:2: a record of 3008 bytes; at most 2000 are read`}},
		{"a long record in an array", "SigninLogs.json", "[\n" + goodLine + ",\n" + `{"a":"` + strings.Repeat("\\\"}", 3000) + "\"}\n," + goodLine + "\n]", 2,
			[]string{`SigninLogs.json:3: a record of 9008 bytes; at most 2000 are read`}},
		{"a long record in CSV", "SigninLogs.csv", csvHeader + strings.Repeat("x", 3000) + "\n2026-03-17T10:00:00Z,u\n", 2,
			[]string{`SigninLogs.csv:3: a record of 3000 bytes; at most 2000 are read`}},
		{"fields missing in CSV", "SigninLogs.csv", csvHeader + "2026-03-17T10:00:00Z\n2026-03-17T10:00:00Z,u\n", 2,
			[]string{`SigninLogs.csv:3: the record has 1 fields and the header 2`}},
		{"a quote not closed at the end of CSV", "SigninLogs.csv", csvHeader + "2026-03-17T10:00:00Z,\"u\n2026-03-17T10:00:00Z,u\n", 2,
			[]string{`SigninLogs.csv:3: a quote is not closed`}},
		{"a quote not closed in a long CSV", "SigninLogs.csv", csvHeader + "2026-03-17T10:00:00Z,\"u\n" + strings.Repeat("2026-03-17T10:00:00Z,u\n", 200), 201,
			[]string{`SigninLogs.csv:3: a quote is not closed`}},
		{"text after a quote in CSV", "SigninLogs.csv", csvHeader + "2026-03-17T10:00:00Z,\"u\"x\n", 1,
			[]string{`SigninLogs.csv:3: field 2: text after the closing quote: "x"`}},
		{"rows before columns", "SigninLogs.json", goodLine + "\n", 1, nil},
		{"a row of another size", "SigninLogs.json", `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"}],` +
			`"rows":[["2026-03-17T10:00:00Z"],["2026-03-17T10:00:00Z",1]]}]}`, 1,
			[]string{`SigninLogs.json:1:124: the row has 2 cells and the table 1 columns`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := Options{}
			if strings.Contains(tt.name, "long") {
				opts.MaxLine = 2000
			}
			l := mustRead(t, opts, tt.file, tt.text)
			if diff := cmp.Diff(tt.want, problems(l)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if l.Report.Bad != int64(len(tt.want)) || l.Report.Records != int64(tt.records) || l.Tables[0].Rows() != tt.records {
				t.Errorf("%d bad and %d good records, want %d and %d", l.Report.Bad, l.Report.Records, len(tt.want), tt.records)
			}
		})
	}
}

// A file of nothing but bad lines is an error that names the first of them.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, text, want string }{
		{"nothing but bad lines", "SigninLogs.json", "a\nb\nc\nd\n",
			"logs: SigninLogs.json holds nothing that can be read; all of its 4 records are bad\n" +
				"  SigninLogs.json:1:1: not valid JSON: invalid character 'a' at start of value\n" +
				"  SigninLogs.json:2:1: not valid JSON: invalid character 'b' at start of value\n" +
				"  SigninLogs.json:3:1: not valid JSON: invalid character 'c' at start of value\n" +
				"  and 1 more"},
		{"an unknown shape", "SigninLogs.json", `{"value": 1}`,
			"logs: SigninLogs.json holds nothing that can be read\n" +
				"  SigninLogs.json:1:1: TimeGenerated is missing; expected ISO 8601, such as 2026-03-17T09:58:03Z"},
		{"a file that names no table", "query_data.csv", "TimeGenerated [UTC],Mine\n\"3/17/2026, 9:58:03.123 AM\",u\n",
			"logs: query_data.csv holds nothing that can be read\n" +
				"  query_data.csv:2:1: the record does not say which table it belongs to (it has no Type), nor does its file's name, " +
				"and its columns are those of no known table; " +
				"say it with --table NAME, or name the file after the table, such as SigninLogs.json"},
		{"another resource of Graph", "alerts.json", `{"@odata.context":"x","value":[{"id":"1","createdDateTime":"2026-03-17T10:00:00Z","title":"t","severity":"high"}]}`,
			"logs: alerts.json holds nothing that can be read\n" +
				"  alerts.json:1:32: the record has createdDateTime, but neither TimeGenerated nor what a sign-in, a directory audit or a risk detection of Microsoft Graph has"},
		{"CSV without a time", "SigninLogs.csv", "UserId\nu\n",
			"logs: SigninLogs.csv holds nothing that can be read\n" +
				"  SigninLogs.csv:1: the header has no column TimeGenerated, so no record has a time; keep that column in the query"},
		{"CSV in a local time", "SigninLogs.csv", "TimeGenerated [Local Time],UserId\n\"3/17/2026, 9:58:03.123 AM\",u\n",
			"logs: SigninLogs.csv holds nothing that can be read\n" +
				"  SigninLogs.csv:1: column TimeGenerated: its times are in \"Local Time\", which is not known here; " +
				"set the portal's display time zone to UTC and download the file again"},
		{"CSV with a day that is not", "SigninLogs.csv", "TimeGenerated [UTC],UserId\n\"31/02/2026, 09:58:03\",u\n",
			"logs: SigninLogs.csv holds nothing that can be read\n" +
				"  SigninLogs.csv:2:1: TimeGenerated: \"31/02/2026, 09:58:03\" is not a time; expected ISO 8601, such as 2026-03-17T09:58:03Z"},
		{"an empty gzip", "SigninLogs.json.gz", "\x1f\x8b", "logs: SigninLogs.json.gz holds nothing that can be read\n" +
			"  SigninLogs.json.gz: the gzip data is cut off and what follows is lost; copy the file again"},
		{"a gzip that is none", "SigninLogs.json.gz", "\x1f\x8bxxxxxxxxxxxxxxxxxx", "logs: SigninLogs.json.gz holds nothing that can be read\n" +
			"  SigninLogs.json.gz: the gzip data is damaged (gzip: invalid header), so records may be wrong or missing; copy the file again"},
		{"rows before columns", "SigninLogs.json", `{"tables":[{"rows":[[1]],"columns":[]}]}`,
			"logs: SigninLogs.json holds nothing that can be read\n" +
				"  SigninLogs.json:1:20: the rows come before the columns; save the API's answer as it is"},
		{"an unknown type of a column", "SigninLogs.json", `{"tables":[{"columns":[{"name":"a","type":"blob"}],"rows":[[1]]}]}`,
			"logs: SigninLogs.json holds nothing that can be read; all of its 2 records are bad\n" +
				"  SigninLogs.json:1:23: column 1: expected a name and a known type, found \"{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"blob\\\"}\"\n" +
				"  SigninLogs.json:1:59: the rows come before the columns; save the API's answer as it is"},
		{"control characters", "SigninLogs.json", `{"TimeGenerated":"\u001b[31m"}`,
			"logs: SigninLogs.json holds nothing that can be read\n" +
				`  SigninLogs.json:1:1: TimeGenerated: "\x1b[31m" is not a time; expected ISO 8601, such as 2026-03-17T09:58:03Z`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(Options{}, tt.file, tt.text)
			var unusable *FileError
			if !errors.As(err, &unusable) {
				t.Fatalf("error %v, want a FileError", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTruncatedGzip(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, `{"TimeGenerated":"2026-03-17T10:00:00Z","UserId":"u%d"}`+"\n", i*7919)
	}
	for _, kind := range []string{"NDJSON", "JSON", "CSV"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			file, content := "SigninLogs.json.gz", text.String()
			switch kind {
			case "JSON":
				content = "[" + strings.TrimSuffix(strings.ReplaceAll(content, "\n", ",\n"), ",\n") + "]"
			case "CSV":
				file = "SigninLogs.csv.gz"
				content = "TimeGenerated,UserId\n" + strings.NewReplacer(`{"TimeGenerated":"`, "", `","UserId":"`, ",", `"}`, "").Replace(content)
			}
			whole := zipped(t, content)
			l := mustRead(t, Options{}, file, whole[:len(whole)/2])
			if l.Report.Records < 1000 || l.Report.Records > 4000 || l.Report.Bad != 1 {
				t.Errorf("%d good and %d bad records", l.Report.Records, l.Report.Bad)
			}
			p := l.Report.Problems[0]
			if p.Line < 1000 || p.Reason != "the gzip data is cut off and what follows is lost; copy the file again" {
				t.Errorf("problem: %s", p)
			}
			damaged := whole[:len(whole)/2] + strings.Repeat("\xff", 20) + whole[len(whole)/2+20:]
			if l, err := read(Options{}, file, damaged); err != nil {
				t.Error(err)
			} else if l.Report.Records < 1000 || !strings.Contains(l.Report.Problems[0].Reason, "the gzip data is damaged") {
				t.Errorf("problems: %q", problems(l))
			}
		})
	}
}

// A line of 50 MB, and one of 300 MB in a small gzip, cost little memory.
func TestLongLinesInConstantMemory(t *testing.T) {
	long := func(n int64) io.Reader {
		return io.MultiReader(strings.NewReader(goodLine+"\n{\"a\":\""), io.LimitReader(repeated('x'), n), strings.NewReader("\"}\n"+goodLine+"\n"))
	}
	pretty := func(n int64) io.Reader {
		return io.MultiReader(strings.NewReader("["+goodLine+",\n{\"a\":\""), io.LimitReader(repeated('x'), n), strings.NewReader("\"},\n"+goodLine+"]\n"))
	}
	csv := func(n int64) io.Reader {
		return io.MultiReader(strings.NewReader("TimeGenerated\n2026-03-17T10:00:00Z\n"), io.LimitReader(repeated('x'), n), strings.NewReader("\n2026-03-17T10:00:00Z\n"))
	}
	for _, tt := range []struct {
		name, file string
		src        io.Reader
	}{
		{"NDJSON", "SigninLogs.json", long(50 << 20)},
		{"JSON", "SigninLogs.json", pretty(50 << 20)},
		{"CSV", "SigninLogs.csv", csv(50 << 20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := NewReader(Options{MaxLine: 1 << 20})
			if err := r.File(context.Background(), tt.file, tt.src); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
				t.Errorf("it took %d bytes", took)
			}
			l, err := r.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if l.Report.Records != 2 || l.Report.Bad != 1 || !strings.Contains(l.Report.Problems[0].Reason, "at most 1048576 are read") {
				t.Errorf("report: %+v", l.Report)
			}
		})
	}
}

type repeated byte

func (r repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// Names that the input makes up do not grow the tables without bound.
func TestManyNames(t *testing.T) {
	t.Parallel()
	t.Run("columns", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		for i := range 30 {
			text.WriteString(`{"TimeGenerated":"2026-03-17T10:00:00Z"`)
			for j := range 100 {
				fmt.Fprintf(&text, `,"c%d_%d":1`, i, j)
			}
			text.WriteString("}\n")
		}
		l := mustRead(t, Options{}, "My_CL.json", text.String())
		if n := len(l.Tables[0].Schema()); n != maxExtra+1 {
			t.Errorf("%d columns", n)
		}
		want := "My_CL.json:11: My_CL has more than 1000 columns, or some with names of more than 256 bytes: 2000 of their cells are not kept"
		if len(l.Report.Warnings) != 1 || l.Report.Warnings[0].String() != want {
			t.Errorf("warnings: %v", l.Report.Warnings)
		}
	})
	t.Run("tables", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		for i := range maxTables + 10 {
			fmt.Fprintf(&text, `{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"T%d"}`+"\n", i)
		}
		l := mustRead(t, Options{}, "x.json", text.String())
		if len(l.Tables) != maxTables || l.Report.Bad != 10 {
			t.Errorf("%d tables, %d bad records", len(l.Tables), l.Report.Bad)
		}
	})
	t.Run("members", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		text.WriteString(goodLine + "\n" + `{"TimeGenerated":"2026-03-17T10:00:00Z"`)
		for i := range maxMembers {
			fmt.Fprintf(&text, `,"c%d":1`, i)
		}
		text.WriteString("}\n")
		l := mustRead(t, Options{}, "My_CL.json", text.String())
		if diff := cmp.Diff([]string{"My_CL.json:2:1: the record has more than 10000 members"}, problems(l)); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
	t.Run("problems", func(t *testing.T) {
		t.Parallel()
		r := NewReader(Options{})
		for i := range 20 {
			text := goodLine + "\n" + strings.Repeat("x\n", 50)
			if err := r.File(context.Background(), fmt.Sprintf("SigninLogs/%d.json", i), strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
		l, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Report.Problems) != problemsInAll || l.Report.Bad != 1000 || l.Report.Files[3].Bad != 50 {
			t.Errorf("%d problems kept of %d", len(l.Report.Problems), l.Report.Bad)
		}
	})
}

func TestReaderStops(t *testing.T) {
	t.Parallel()
	t.Run("the context ends", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r := NewReader(Options{})
		if err := r.File(ctx, "SigninLogs.json", strings.NewReader(goodLine)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if _, err := r.Finish(); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the disk fails", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", goodLine, "[" + goodLine, zipped(t, goodLine)[:15]} {
			failing := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("disk on fire")))
			err := NewReader(Options{}).File(context.Background(), "SigninLogs.json", failing)
			if err == nil || err.Error() != "logs: read SigninLogs.json: disk on fire" {
				t.Errorf("error %v", err)
			}
		}
	})
	t.Run("too many rows", func(t *testing.T) {
		t.Parallel()
		_, err := read(Options{MaxRows: 2}, "SigninLogs.json", strings.Repeat(goodLine+"\n", 3))
		if err == nil || err.Error() != "logs: SigninLogs.json:3: more than 2 records; read fewer files or tables at once" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		if _, err := NewReader(Options{}).Finish(); err == nil {
			t.Error("no error")
		}
	})
}

// A file without records is worth a word, and a table without rows is there.
func TestEmptyFiles(t *testing.T) {
	t.Parallel()
	for file, text := range map[string]string{
		"SigninLogs.json":    "",
		"SigninLogs.ndjson":  "\n\n",
		"SigninLogs.jsonl":   "[]",
		"SigninLogs.csv":     "TimeGenerated [UTC],UserId\r\n",
		"SigninLogs.json.gz": zipped(t, ""),
		"SigninLogs/a.json":  `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"}],"rows":[]}]}`,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, file, text)
			if diff := cmp.Diff([]string{signinLogs}, tableNames(l)); diff != "" {
				t.Errorf("tables (-want +got):\n%s", diff)
			}
			if len(l.Report.Warnings) != 1 || l.Report.Warnings[0].String() != file+": holds no records" {
				t.Errorf("warnings: %v", l.Report.Warnings)
			}
		})
	}
}

func TestPartialAnswer(t *testing.T) {
	t.Parallel()
	l := mustRead(t, Options{}, "SigninLogs.json", `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"}],`+
		`"rows":[["2026-03-17T10:00:00Z"]]}],`+"\n"+`"error":{"code":"PartialError"}}`)
	if len(l.Report.Warnings) != 1 || l.Report.Warnings[0].String() != `SigninLogs.json:2: the answer is partial, it carries an error: "{\"code\":\"PartialError\"}"` {
		t.Errorf("warnings: %v", l.Report.Warnings)
	}
}

// TestNestedTooDeep gives the real reason when folders are nested deeper than a
// path can say.
func TestNestedTooDeep(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2500 {
		if err := at.Mkdir("d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := at.OpenRoot("d")
		if closing := at.Close(); err != nil || closing != nil {
			t.Fatal(err, closing)
		}
		at = next
	}
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Read(t.Context(), root, Options{})
	if err == nil || !strings.Contains(err.Error(), "the folders are nested too deep") || len(err.Error()) > 1000 {
		t.Errorf("error = %v", err)
	}
}

// TestOtherEncodings names the encoding of a file that is not read.
func TestOtherEncodings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		wide func(string) string
	}{
		{"UTF-32", func(s string) string { return "\xff\xfe\x00\x00" + widened(s, "\x00\x00\x00") }},
		{"UTF-32", func(s string) string { return widened(s, "\x00\x00\x00") }},
	} {
		for _, text := range []string{goodLine, "TimeGenerated,Type\n"} {
			dir := folder(t, map[string]string{"SigninLogs.json": tt.wide(text)})
			if _, err := Read(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "the file is in "+tt.name+": save it as UTF-8") {
				t.Errorf("%s: error = %v", tt.name, err)
			}
			lists := folder(t, map[string]string{"list.csv": tt.wide(text)})
			if _, err := Watchlists(lists, 0)("list"); err == nil || !strings.Contains(err.Error(), "the file is in "+tt.name) {
				t.Errorf("%s: error = %v", tt.name, err)
			}
		}
	}
}

// widened puts zeros behind each character.
func widened(text, zeros string) string {
	var sb strings.Builder
	for _, r := range text {
		sb.WriteString(string(r) + zeros)
	}
	return sb.String()
}
