package logs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files into a new folder and returns its path.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadFolder(t *testing.T) {
	t.Parallel()
	const exported = `{"time":"2026-03-17T09:00:00Z","category":"NonInteractiveUserSignInLogs","properties":{"userId":"n"}}` + "\n"
	dir := folder(t, map[string]string{
		"insights-logs-noninteractiveusersigninlogs/tenantId=t/y=2026/m=03/d=17/h=09/m=00/PT1H.json": exported,
		"am-signinlogs/WorkspaceResourceId=/subscriptions/s/y=2026/m=03/d=17/h=10/m=00/PT05M.json":   goodLine + "\n",
		"am-signinlogs/WorkspaceResourceId=/subscriptions/s/y=2026/m=03/d=17/h=10/m=05/PT05M.json":   goodLine + "\nbad\n",
		"SigninLogs_2026-03.csv.gz":    zipped(t, "TimeGenerated [UTC],UserId\n\"3/17/2026, 9:58:03.123 AM\",c\n"),
		"README.md":                    "no logs",
		"old.avro":                     "Obj\x01",
		".hidden.json":                 "bad",
		".git/config.json":             "bad",
		"IdentityInfo/2026-03-17.json": "",
	})
	for target, link := range map[string]string{
		"..":                           "loop", // to a folder around it
		"SigninLogs_2026-03.csv.gz":    "latest.csv.gz",
		filepath.Join(dir, "old.avro"): "again.avro",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	var done, total int64
	l, err := Read(context.Background(), dir, Options{Progress: func(d, t int64) {
		if d < done {
			panic("progress goes back")
		}
		done, total = d, t
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"AADNonInteractiveUserSignInLogs Category=NonInteractiveUserSignInLogs SourceSystem=Azure AD Type=AADNonInteractiveUserSignInLogs UserId=n",
		"SigninLogs Type=SigninLogs UserId=c",
		"SigninLogs Type=SigninLogs UserId=u",
		"SigninLogs Type=SigninLogs UserId=u",
	}, rows(l)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	inside := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	var files []string
	var bytes int64
	for _, f := range l.Report.Files {
		files = append(files, f.Path)
		bytes += f.Bytes
	}
	if diff := cmp.Diff([]string{
		inside("IdentityInfo/2026-03-17.json"),
		inside("SigninLogs_2026-03.csv.gz"),
		inside("am-signinlogs/WorkspaceResourceId=/subscriptions/s/y=2026/m=03/d=17/h=10/m=00/PT05M.json"),
		inside("am-signinlogs/WorkspaceResourceId=/subscriptions/s/y=2026/m=03/d=17/h=10/m=05/PT05M.json"),
		inside("insights-logs-noninteractiveusersigninlogs/tenantId=t/y=2026/m=03/d=17/h=09/m=00/PT1H.json"),
	}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Skipped{
		{inside("README.md"), "not a kind that is read (" + knownKinds + ")"},
		{inside("again.avro"), "a link to old.avro, which is read under that name"},
		{inside("latest.csv.gz"), "a link to SigninLogs_2026-03.csv.gz, which is read under that name"},
		{inside("loop"), "a link to a folder; give that folder itself to read it"},
		{inside("old.avro"), "an Avro file, such as Event Hubs Capture writes, which is not read: convert it to JSON lines"},
	}, l.Report.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if bytes != l.Report.Bytes || done != bytes || total != bytes {
		t.Errorf("%d bytes, reported %d, progress %d of %d", bytes, l.Report.Bytes, done, total)
	}
	if l.Report.Records != 4 || l.Report.Bad != 1 || l.Report.Files[3].Bad != 1 || !l.Report.Files[1].Compressed {
		t.Errorf("report: %+v", l.Report)
	}
	signIns := l.Report.Tables[2]
	if signIns.Name != signinLogs || signIns.Records != 3 ||
		signIns.First.Format("15:04:05.000") != "09:58:03.123" || signIns.Last.Format("15:04:05.000") != "10:00:00.000" {
		t.Errorf("table: %+v", signIns)
	}

	again, err := Read(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.Report, again.Report); diff != "" {
		t.Errorf("the second time differs (-first +second):\n%s", diff)
	}
}

func TestReadOneFile(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"SigninLogs/part.log": goodLine + "\n", // its ending does not matter if it is named
		"x.ndjson":            `{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"My_CL"}`,
	})
	for file, table := range map[string]string{"SigninLogs/part.log": signinLogs, "x.ndjson": "My_CL"} {
		l, err := Read(context.Background(), filepath.Join(dir, file), Options{})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if diff := cmp.Diff([]string{table}, tableNames(l)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "SigninLogs"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(context.Background(), link, Options{}); err == nil || !strings.Contains(err.Error(), "no file of a known kind") {
		t.Errorf("a folder given as a link: %v", err)
	}
}

func TestFolderErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"empty", nil, []string{"the folder ", " is empty; it should hold exported logs (" + knownKinds + ")"}},
		{"nothing but hidden files", map[string]string{".DS_Store": ""}, []string{" is empty"}},
		{"nothing of a known kind", map[string]string{"a.md": "", "b/c.avro": ""},
			[]string{" has no file of a known kind (" + knownKinds + ") among its 2, such as ", "a.md"}},
		{"bad files", map[string]string{"SigninLogs/a.json": "x", "SigninLogs/b.json": "y", "SigninLogs/c.json": goodLine},
			[]string{"a.json holds nothing that can be read\n", "b.json holds nothing that can be read\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(context.Background(), folder(t, tt.files), Options{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
	t.Run("no such folder", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "logs")
		_, err := Read(context.Background(), dir, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "logs: no file or folder "+dir+"; give the folder that holds the exported logs") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a broken link", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, map[string]string{"SigninLogs.json": goodLine})
		if err := os.Symlink("gone.json", filepath.Join(dir, "a.json")); err != nil {
			t.Fatal(err)
		}
		l, err := Read(context.Background(), dir, Options{})
		if err != nil || l.Report.Records != 1 {
			t.Fatalf("the good file beside it is not read: %v", err)
		}
		if s := l.Report.Skipped; len(s) != 1 || s[0].Reason != "a link that leads nowhere" {
			t.Errorf("skipped %v", s)
		}
	})
	t.Run("a link to itself", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, map[string]string{"SigninLogs.json": goodLine})
		if err := os.Symlink("a.json", filepath.Join(dir, "a.json")); err != nil {
			t.Fatal(err)
		}
		if l, err := Read(context.Background(), dir, Options{}); err != nil || len(l.Report.Skipped) != 1 {
			t.Errorf("error %v", err)
		}
	})
}

func TestTableFromPath(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, want string }{
		{"SigninLogs.ndjson", signinLogs},
		{"signinlogs.json.gz", signinLogs},
		{"SIGNINLOGS.CSV", signinLogs},
		{"SigninLogs/2026-03-17.ndjson", signinLogs},
		{"SigninLogs/y=2026/m=03/PT1H.json", signinLogs},
		{"SigninLogs_2026-03.csv", signinLogs},
		{"SigninLogs-march (1).csv", signinLogs},
		{"SigninLogs2026.csv", signinLogs},
		{"SigninLogs.2026.03.json", signinLogs},
		{`C:\exports\SigninLogs\a.json`, signinLogs},
		{"insights-logs-signinlogs/tenantId=x/y=2026/m=03/d=17/h=09/m=00/PT1H.json", signinLogs},
		{"insights-logs-noninteractiveusersigninlogs/y=2026/PT1H.json", nonInteractive},
		{"insights-logs-auditlogs/y=2026/PT1H.json", "AuditLogs"},
		{"am-SigninLogs/WorkspaceResourceId=/subscriptions/s/resourcegroups/g/y=2026/PT05M.json", signinLogs},
		{"am-mytable_cl/PT05M.json", "mytable_cl"},
		{"NonInteractiveUserSignInLogs.json", nonInteractive},
		{"BehaviorAnalytics/SigninLogs.json", signinLogs}, // the innermost counts
		{"SigninLogs_CL.json", "SigninLogs_CL"},
		{"SigninLogs_Archive_CL.json", "SigninLogs_Archive_CL"},
		{"SigninLogsArchive.json", "SigninLogsArchive"},
		{"MyTable_CL_2026-03-17.csv", "MyTable_CL"},
		{"MyTable_CL/2026-03-17.csv", "MyTable_CL"},
		{"MyTable_CL/PT1H.json", "MyTable_CL"},
		{"2026-03-17.json", ""},
		{"PT1H.json", ""},
		{"query_data.csv", ""},
		{"export.json", ""},
		{"y=2026/m=03/PT1H.json", ""},
		{"SigninLogs=1/x=2/2026.json", ""},
		{"", ""},
		{"..", ""},
		{"/", ""},
	}
	n := newNames()
	for _, tt := range tests {
		if got, _ := n.fromPath(tt.path); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
}

// Tables that records named before are known by then.
func TestTablesSeen(t *testing.T) {
	t.Parallel()
	const text = `{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"OfficeActivity"}`
	l := mustRead(t, Options{},
		"a.json", text,
		"b.json", strings.Replace(text, "OfficeActivity", "officeactivity", 1),
		"officeactivity-2026.json", strings.Replace(text, `,"Type":"OfficeActivity"`, "", 1),
	)
	if len(l.Tables) != 1 || l.Tables[0].Name() != "OfficeActivity" || l.Tables[0].Rows() != 3 {
		t.Errorf("tables %v", tableNames(l))
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a.json": true, "a.ndjson": true, "a.jsonl": true, "a.csv": true, "A.JSON": true,
		"a.json.gz": true, "a.csv.GZ": true, "a.gz": true, "SigninLogs-2026.03.gz": true, "a.json.gzip": true,
		"a.txt": true, "a.tsv": true, "a.txt.gz": true, "a.json.zst": true, "a.zst": true, "a.zip": true, "A.ZIP": true,
		"a.parquet": true, "part-0.snappy.parquet": true, "a.avro": false, "a.tar.gz": false, "a.tar.zst": false, "a": false, ".json": false, "json": false, "a.xlsx": false,
	} {
		if got := isKind(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
