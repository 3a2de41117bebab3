package logs

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadAll(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a/SigninLogs.json": goodLine,
		"b/My_CL.csv":       "TimeGenerated,A\n2026-03-17T10:00:00Z,b\n",
	})
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	const typed = `{"TimeGenerated":"2026-03-17T10:00:00Z","Type":"My_CL","A":"stdin"}`
	tests := []struct {
		name    string
		paths   []string
		stdin   string
		want    []string
		skipped []string
	}{
		{"two folders", []string{at("a"), at("b")}, "", []string{"My_CL A=b", "SigninLogs Type=SigninLogs UserId=u"}, nil},
		{"standard input", []string{"-"}, typed, []string{"My_CL A=stdin Type=My_CL"}, nil},
		{"standard input in gzip", []string{"-"}, zipped(t, typed), []string{"My_CL A=stdin Type=My_CL"}, nil},
		{"a folder and standard input", []string{at("b"), "-"}, typed, []string{"My_CL A=b", "My_CL A=stdin Type=My_CL"}, nil},
		{"a folder and a file in it", []string{at("b"), at("b/My_CL.csv")}, "", []string{"My_CL A=b"},
			[]string{"read already, as " + at("b/My_CL.csv")}},
		{"a folder and one around it", []string{at("b"), dir}, "", []string{"My_CL A=b", "SigninLogs Type=SigninLogs UserId=u"},
			[]string{"read already, as " + at("b/My_CL.csv")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := ReadAll(t.Context(), tt.paths, strings.NewReader(tt.stdin), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, rows(l)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			var skipped []string
			for _, s := range l.Report.Skipped {
				skipped = append(skipped, s.Reason)
			}
			if diff := cmp.Diff(tt.skipped, skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("what is wrong in standard input", func(t *testing.T) {
		t.Parallel()
		_, err := ReadAll(t.Context(), []string{"-"}, strings.NewReader("x\n"), Options{})
		if err == nil || !strings.Contains(err.Error(), "standard input:1:1: not valid JSON") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a zip archive in standard input", func(t *testing.T) {
		t.Parallel()
		_, err := ReadAll(t.Context(), []string{"-"}, io.MultiReader(strings.NewReader(archiveWith(t, "SigninLogs.json", goodLine))), Options{})
		if err == nil || !strings.Contains(err.Error(), "standard input: a zip archive, which is read only as a file of its own") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("standard input that never ends", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		silent, writer := io.Pipe()
		defer writer.Close()
		cancel()
		if _, err := ReadAll(ctx, []string{"-"}, silent, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("an address", func(t *testing.T) {
		t.Parallel()
		_, err := ReadAll(t.Context(), []string{"https://logs.example/SigninLogs.json?sig=secret"}, nil, Options{})
		if err == nil || err.Error() != "logs: an address (https://...) is not read; download the file and give its path" {
			t.Errorf("error %v", err)
		}
	})
}
