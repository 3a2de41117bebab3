package logs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which table the records of a file are of, that do not say it.
func TestTableOfFile(t *testing.T) {
	t.Parallel()
	const (
		signIn = `{"TimeGenerated":"2026-03-17T10:00:00Z","UserPrincipalName":"u","AppDisplayName":"a","ResultType":"0","ConditionalAccessStatus":"success","IPAddress":"192.0.2.1"}`
		audit  = `{"TimeGenerated":"2026-03-17T10:00:00Z","InitiatedBy":{},"TargetResources":[],"AdditionalDetails":[],"LoggedByService":"Core Directory","OperationName":"Add user"}`
		mine   = `{"TimeGenerated":"2026-03-17T10:00:00Z","Mine":1}`
		few    = `{"TimeGenerated":"2026-03-17T10:00:00Z","UserPrincipalName":"u","Foo":"x"}`
	)
	tests := []struct {
		name, file, text string
		opts             Options
		table            string // "" if there is none
		says             string // a part of the warning or of the error
	}{
		{"by its columns", "query_data.json", signIn, Options{}, signinLogs, "query_data.json:1: taken for SigninLogs by its columns; --table says otherwise"},
		{"by its columns, whatever its folder is called", "case42/export.json", signIn, Options{}, signinLogs, "taken for SigninLogs by its columns"},
		{"by its columns, in CSV", "query_data.csv", workspaceCSV(tenSignIns(false)[:2], ',', "TimeGenerated", "UserPrincipalName", "AppDisplayName", "ResultType", "Status", "MfaDetail"),
			Options{}, signinLogs, "query_data.csv:2: taken for SigninLogs by its columns"},
		{"by its columns, not its own name", "download.json", audit, Options{}, "AuditLogs", "taken for AuditLogs by its columns"},
		{"by a name that is known", "SigninLogs-1.json", audit, Options{}, signinLogs, ""},
		{"by a folder that is known", "AuditLogs/query_data.json", signIn, Options{}, "AuditLogs", ""},
		{"by the name of a custom table", "My_CL.json", signIn, Options{}, "My_CL", ""},
		{"by the folder of a custom table", "My_CL/export.json", signIn, Options{}, "My_CL", ""},
		{"by its own name", "Employees.json", mine, Options{}, "Employees", "Employees.json:1: taken for a table Employees by the file's name, and no such table is known; --table says otherwise"},
		{"by its own name, as somebody says", "Employees.json", mine, Options{Table: "Employees"}, "Employees", ""},
		{"not by its folder's name", "case42/export.json", mine, Options{}, "", "and its columns are those of no known table; say it with --table NAME"},
		{"too few columns", "export.json", few, Options{}, "", "and its columns do not tell it either: it may be "},
		{"by its Type", "query_data.json", strings.Replace(signIn, "{", `{"Type":"My_CL",`, 1), Options{Table: "AuditLogs"}, "My_CL", ""},
		{"as somebody says", "query_data.json", signIn, Options{Table: "AuditLogs"}, "AuditLogs", ""},
		{"as somebody says, by a category", "query_data.json", mine, Options{Table: "NonInteractiveUserSignInLogs"}, nonInteractive, ""},
		{"as somebody says, whatever it begins with", "query_data.json", signIn, Options{Table: "SigninLogs_2"}, "SigninLogs_2", ""},
		{"as somebody says of the file", "x/query_data.json", signIn, Options{Table: "AuditLogs", FileTable: func(path string) string {
			return map[string]string{"x/query_data.json": "My_CL"}[path]
		}}, "My_CL", ""},
		{"as somebody says of another file", "query_data.json", signIn, Options{FileTable: func(string) string { return "" }}, signinLogs, "by its columns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := read(tt.opts, tt.file, tt.text+"\n")
			if tt.table == "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %v, want %q", err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.table}, tableNames(l)); diff != "" {
				t.Errorf("tables (-want +got):\n%s", diff)
			}
			switch {
			case tt.says == "" && len(l.Report.Warnings) > 0,
				tt.says != "" && (len(l.Report.Warnings) != 1 || !strings.Contains(l.Report.Warnings[0].String(), tt.says)):
				t.Errorf("warnings %v, want %q", l.Report.Warnings, tt.says)
			}
		})
	}
	t.Run("of files in a folder their names say more", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, map[string]string{"AuditLogs.json": audit, "query_data.json": signIn})
		l, err := ReadAll(t.Context(), []string{dir}, nil, Options{Table: "My_CL"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"AuditLogs", "My_CL"}, tableNames(l)); diff != "" {
			t.Errorf("tables (-want +got):\n%s", diff)
		}
	})
	t.Run("said once for each file", func(t *testing.T) {
		t.Parallel()
		l := mustRead(t, Options{}, "query_data.json", signIn+"\n"+signIn+"\n"+mine+"\n")
		if len(l.Report.Warnings) != 1 || l.Report.Records != 3 {
			t.Errorf("report %+v", l.Report)
		}
	})
}
