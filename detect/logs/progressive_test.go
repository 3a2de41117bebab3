package logs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The parts of a progressive answer of Azure Data Explorer are one table.
func TestProgressiveAnswer(t *testing.T) {
	t.Parallel()
	const (
		begin   = `{"FrameType":"DataSetHeader","IsProgressive":true,"Version":"v2.0"}`
		aside   = `{"FrameType":"DataTable","TableId":0,"TableKind":"QueryProperties","TableName":"@ExtendedProperties","Columns":[{"ColumnName":"Key","ColumnType":"string"}],"Rows":[["x"]]}`
		header  = `{"FrameType":"TableHeader","TableId":1,"TableKind":"PrimaryResult","TableName":"PrimaryResult","Columns":[{"ColumnName":"TimeGenerated","ColumnType":"datetime"},{"ColumnName":"N","ColumnType":"long"}]}`
		part    = `{"FrameType":"TableFragment","TableFragmentType":"DataAppend","TableId":1,"Rows":`
		replace = `{"FrameType":"TableFragment","TableFragmentType":"DataReplace","TableId":1,"Rows":`
		middle  = `{"FrameType":"TableProgress","TableId":1,"TableProgress":50.0}`
		after   = `{"FrameType":"TableCompletion","TableId":1,"RowCount":3}`
		other   = `{"FrameType":"TableHeader","TableId":2,"TableKind":"QueryCompletionInformation","TableName":"QueryCompletionInformation","Columns":[{"ColumnName":"Text","ColumnType":"string"}]}`
		ofOther = `{"FrameType":"TableFragment","TableFragmentType":"DataAppend","TableId":2,"Rows":[["x"]]}`
		end     = `{"FrameType":"DataSetCompletion","HasErrors":false,"Cancelled":false}`
		one     = `[["2026-03-17T10:00:00Z",1]]`
		more    = `[["2026-03-17T10:01:00Z",2],["2026-03-17T10:02:00Z",3]]`
	)
	all := []string{"My_CL N=1", "My_CL N=2", "My_CL N=3"}
	for _, tt := range []struct {
		name   string
		frames []string
		want   []string
		bad    string
	}{
		{"parts", []string{begin, aside, header, part + one + `}`, middle, part + more + `}`, after, end}, all, ""},
		{"replaces nothing", []string{begin, header, replace + one + `}`, part + more + `}`, after, end}, all, ""},
		{"a table beside it", []string{begin, header, other, part + one + `}`, ofOther, part + more + `}`, end}, all, ""},
		{"the id after the rows", []string{begin, header, `{"FrameType":"TableFragment","Rows":` + one + `,"TableId":1}`, part + more + `}`, end}, all, ""},
		{"an answer after another", []string{begin, header, part + one + `}`, end, begin, header, part + more + `}`, end}, all, ""},
		{"replaces rows", []string{begin, header, part + one + `}`, replace + more + `}`, end}, all[:1],
			"a part of a progressive answer that replaces the rows before it; ask with results_progressive_enabled=false"},
		{"no header", []string{begin, header, part + one + `}`, `{"FrameType":"TableFragment","TableId":7,"Rows":[["x"]]}`, end}, all[:1],
			"the rows come before the columns; save the API's answer as it is"},
	} {
		for _, text := range []string{"[" + strings.Join(tt.frames, "\n,") + "]", indented("[" + strings.Join(tt.frames, ",") + "]")} {
			l := mustRead(t, Options{}, "My_CL.json", text)
			if diff := cmp.Diff(tt.want, rows(l)); diff != "" {
				t.Errorf("%s: rows (-want +got):\n%s", tt.name, diff)
			}
			var bad []string
			for _, p := range l.Report.Problems {
				bad = append(bad, p.Reason)
			}
			if want := map[bool][]string{true: {tt.bad}}[tt.bad != ""]; !slices.Equal(bad, want) {
				t.Errorf("%s: problems %q, want %q", tt.name, bad, want)
			}
		}
	}
	_, err := read(Options{}, "My_CL.json", "["+begin+","+part+one+"}]")
	if err == nil || !strings.Contains(err.Error(), "the rows come before the columns") {
		t.Errorf("without a header: error %v", err)
	}
}
