package sample

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesHoldEveryRecordOnce(t *testing.T) {
	t.Parallel()
	d := theDay()
	var want, got []string
	for _, r := range d.Records {
		want = append(want, string(r.JSON))
	}
	name := regexp.MustCompile(`^(SigninLogs|AADNonInteractiveUserSignInLogs)/\d{4}-\d\d-\d\dT\d\d\.ndjson$|^(AuditLogs|OfficeActivity|AADUserRiskEvents|IdentityInfo|BehaviorAnalytics)/\d{4}-\d\d-\d\d\.ndjson$`)
	last := ""
	for _, f := range d.Files() {
		if !name.MatchString(f.Name) || f.Name <= last {
			t.Errorf("file %s after %s", f.Name, last)
		}
		last = f.Name
		table, _, _ := strings.Cut(f.Name, "/")
		for line := range bytes.Lines(f.Content) {
			if !bytes.HasSuffix(line, []byte("\n")) || !bytes.Contains(line, []byte(`"Type":"`+table+`"`)) {
				t.Fatalf("%s: line %.200s", f.Name, line)
			}
			got = append(got, string(line[:len(line)-1]))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("%d records, %d lines, and they differ", len(want), len(got))
	}
}

func TestWriteDir(t *testing.T) {
	t.Parallel()
	d := Generate(Options{Seed: 3, Day: testDay, Users: minUsers})
	dir := filepath.Join(t.TempDir(), "export")
	if err := d.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	var got []File
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		got = append(got, File{path, content})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	if diff := cmp.Diff(d.Files(), got, wholeBytes); diff != "" {
		t.Errorf("files (-want +got):\n%.2000s", diff)
	}
}

func TestWriteDirNamesTheFileItCannotWrite(t *testing.T) {
	t.Parallel()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := theDay().WriteDir(blocked)
	if err == nil || !strings.Contains(err.Error(), "AADNonInteractiveUserSignInLogs/2026-03-17T00.ndjson") {
		t.Errorf("error %v, want one that names the file", err)
	}
}
