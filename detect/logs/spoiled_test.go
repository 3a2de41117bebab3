package logs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What was encoded twice is read, however often and in whatever column.
func TestJSONEncodedTwice(t *testing.T) {
	t.Parallel()
	twice := func(text string, times int) string {
		for range times {
			quoted, err := json.Marshal(text)
			must(err)
			text = string(quoted)
		}
		return text
	}
	for times := 1; times <= 4; times++ {
		text := `{"TimeGenerated":"2026-03-17T10:00:00Z","Status":` + twice(`{"errorCode":500121}`, times) +
			`,"AuthenticationDetails":` + twice(`[{"succeeded":false}]`, times) + `,"UserDisplayName":` + twice(`"quoted"`, 1) + "}"
		l := mustRead(t, Options{}, "SigninLogs.json", text)
		want := []string{`SigninLogs AuthenticationDetails=[{"succeeded":false}] Status={"errorCode":500121} Type=SigninLogs UserDisplayName="quoted"`}
		if diff := cmp.Diff(want, rows(l)); diff != "" {
			t.Errorf("encoded %d times (-want +got):\n%s", times, diff)
		}
		if len(l.Report.Warnings)+len(l.Report.Conversions) > 0 {
			t.Errorf("encoded %d times: unexpected: %+v", times, l.Report)
		}
	}
}

// A value that is spoiled is kept as it is, and said once for each file, column
// and way.
func TestSpoiledValues(t *testing.T) {
	t.Parallel()
	cut := `[{"authenticationMethod":"` + strings.Repeat("x", maxCell)
	cut = cut[:maxCell]
	tests := []struct {
		name, column, value string
		want                string // "" if nothing is wrong with it
	}{
		{"members of PowerShell", "Status", `@{errorCode=500121; failureReason=x}`, "Status: 2 values are what PowerShell shows of an object, and not the object; " +
			"export the records once more with ConvertTo-Json -Depth 10: \"@{errorCode=500121; failureReason=x}\""},
		{"the same in a column of text", "AuthenticationDetails", `@{authenticationMethod=x}`, "AuthenticationDetails: 2 values are what PowerShell shows of an object"},
		{"a type of PowerShell", "ConditionalAccessPolicies", "System.Object[]", "ConditionalAccessPolicies: 2 values are what PowerShell shows of an object"},
		{"the same in a column of text", "AuthenticationDetails", "System.Object[]", "AuthenticationDetails: 2 values are what PowerShell shows of an object"},
		{"a type of the SDK", "Status", "Microsoft.Graph.PowerShell.Models.MicrosoftGraphSignInStatus", "Status: 2 values are what PowerShell shows of an object"},
		{"a hash table", "DeviceDetail", "System.Collections.Hashtable", "DeviceDetail: 2 values are what PowerShell shows of an object"},
		{"cut off", "ConditionalAccessPolicies", cut, "ConditionalAccessPolicies: 2 values are JSON that is cut off, as a spreadsheet does after 32,767 characters"},
		{"the same in a column of text", "AuthenticationDetails", cut, "AuthenticationDetails: 2 values are JSON that is cut off"},
		{"text", "Status", "Failure", "Status: 2 values are text where an object or an array is expected, in which a query finds nothing; " +
			"export the column as JSON, in PowerShell with ConvertTo-Json -Depth 10: \"Failure\""},
		{"broken JSON", "Status", "{errorCode", "Status: 2 values are text where an object or an array is expected"},
		{"Pascal case", "Status", `{"ErrorCode":500121}`, "Status: 2 values are objects whose members are in Pascal case"},
		{"Pascal case with spaces", "DeviceDetail", `{ "Browser": "x"}`, "DeviceDetail: 2 values are objects whose members are in Pascal case"},
		{"a decimal code", "ResultType", "500121.0", "ResultType: 2 values are codes with a decimal point"},
		{"a code", "ResultType", "500121", ""},
		{"another text with a point", "AppDisplayName", "500121.0", ""},
		{"an empty value", "Status", "", ""},
		{"null", "Status", "null", ""},
		{"an object", "Status", `{"errorCode":0}`, ""},
		{"a long text that is none", "UserAgent", strings.Repeat("x", 2*maxCell), ""},
		{"a name", "AppDisplayName", "System Center", ""},
		{"an address with an at sign", "UserDisplayName", "@{team", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			quotedValue := marshal(tt.value)
			inCSV := `"` + strings.ReplaceAll(tt.value, `"`, `""`) + `"`
			files := map[string]string{
				"SigninLogs.json": strings.Repeat(`{"TimeGenerated":"2026-03-17T10:00:00Z","`+tt.column+`":`+quotedValue+"}\n", 2),
				"SigninLogs.csv":  "TimeGenerated," + tt.column + "\n" + strings.Repeat("2026-03-17T10:00:00Z,"+inCSV+"\n", 2),
			}
			if strings.HasPrefix(tt.value, "{") && json.Valid([]byte(tt.value)) || tt.value == "500121.0" || tt.value == "null" {
				files["SigninLogs.ndjson"] = strings.Repeat(`{"TimeGenerated":"2026-03-17T10:00:00Z","`+tt.column+`":`+tt.value+"}\n", 2)
			}
			for file, text := range files {
				l := mustRead(t, Options{}, file, text)
				if l.Report.Records != 2 || len(l.Report.Conversions)+len(l.Report.Problems) > 0 {
					t.Errorf("%s: report: %+v", file, l.Report)
				}
				got := fmt.Sprint(l.Report.Warnings)
				if tt.want == "" && len(l.Report.Warnings) > 0 || tt.want != "" && (len(l.Report.Warnings) != 1 || !strings.Contains(got, tt.want)) {
					t.Errorf("%s: warnings %s, want %q", file, got, tt.want)
				}
			}
			// What no rule looks into is not worth a word.
			if l := mustRead(t, Options{Columns: func(string) []string { return []string{"UserId"} }}, "SigninLogs.json", files["SigninLogs.json"]); len(l.Report.Warnings) > 0 {
				t.Errorf("a column that is left out: %v", l.Report.Warnings)
			}
		})
	}
}
