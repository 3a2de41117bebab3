package sample

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// File is an export file: newline-delimited JSON of one table.
type File struct {
	// Name is the file's path, with slashes: the table, then when its
	// records were received, as in SigninLogs/2026-03-17T09.ndjson.
	Name    string
	Content []byte
}

// Files returns the day as export files, in the order of their names. Like
// an export, they are filed by when the records were received, and hold them
// in that order: the tables of sign-ins by the hour, the others by the day.
func (d *Day) Files() []File {
	content := map[string][]byte{}
	for _, r := range d.Records {
		name := r.file()
		content[name] = append(append(content[name], r.JSON...), '\n')
	}
	files := make([]File, 0, len(content))
	for name, c := range content {
		files = append(files, File{name, c})
	}
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return files
}

// file returns the name of the export file that the record is in.
func (r Record) file() string {
	layout := time.DateOnly
	if r.Table == SigninLogs || r.Table == AADNonInteractiveUserSignInLogs {
		layout = "2006-01-02T15"
	}
	return r.Table + "/" + r.Received.UTC().Format(layout) + ".ndjson"
}

// WriteDir writes the files of the day into a directory, which it makes
// where it is missing. It replaces files of the same names and leaves others.
func (d *Day) WriteDir(dir string) error {
	for _, f := range d.Files() {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("sample: make the folder of %s: %w", f.Name, err)
		}
		if err := os.WriteFile(path, f.Content, 0o644); err != nil {
			return fmt.Errorf("sample: write %s: %w", f.Name, err)
		}
	}
	return nil
}
