package logs

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits on a zip archive. Deflate makes a file at most 1032 times smaller; an
// archive that holds more has the same bytes in several files.
const (
	maxArchived  = 10_000
	maxExpansion = 1100
)

const zipMagic = "PK\x03\x04"

// sized is a source of which any part can be read.
type sized interface {
	io.Reader
	io.ReaderAt
}

// indexed gives a source of which any part can be read, if it has a kind that is
// read so: the first bytes tell.
func indexed(src io.Reader) (at sized, size int64, magic string) {
	at, ok := src.(sized)
	if !ok {
		return nil, 0, ""
	}
	switch s := src.(type) {
	case interface{ Size() int64 }:
		size = s.Size()
	case interface{ Info() fs.FileInfo }:
		size = s.Info().Size()
	default:
		return nil, 0, ""
	}
	head := make([]byte, len(zipMagic))
	n, _ := at.ReadAt(head, 0)
	return at, size, string(head[:n])
}

// archive reads the files in a zip archive, in their order.
func (r *Reader) archive(ctx context.Context, s source, at sized, size int64) error {
	z, err := zip.NewReader(at, size)
	if err != nil {
		return r.foreign(s, fmt.Sprintf("the zip archive is damaged (%v); copy the file again", err))
	}
	var expanded uint64
	var names []string
	for _, entry := range z.File {
		expanded += entry.UncompressedSize64
		names = append(names, entry.Name)
	}
	switch {
	case officeDocument(names) != "":
		return r.foreign(s, officeDocument(names))
	case len(z.File) > maxArchived:
		return r.foreign(s, fmt.Sprintf("a zip archive of %d files; at most %d are read", len(z.File), maxArchived))
	case expanded/maxExpansion > uint64(size):
		return r.foreign(s, "a zip archive that holds more than it can, so it is not read: unpack it")
	}
	var bad []error
	read := 0
	for _, entry := range z.File {
		inside := strings.ReplaceAll(entry.Name, `\`, "/")
		shown := s.path + "/" + inside
		base := path.Base(inside)
		switch {
		case entry.FileInfo().IsDir(), strings.HasPrefix(base, "."), strings.HasPrefix(inside, "__MACOSX/"):
			continue
		case entry.Flags&1 != 0:
			r.skip(shown, "encrypted: unpack the archive")
			continue
		case isArchive(base):
			r.skip(shown, "an archive inside an archive: unpack it")
			continue
		case !isKind(base):
			r.skip(shown, notKind(base))
			continue
		}
		read++
		err := r.entry(ctx, entry, source{path: shown, named: s.named + "/" + inside, loose: true})
		var unusable *FileError
		var order *DateOrderError
		switch {
		case err == nil:
		case errors.As(err, &order):
			bad = append(bad, err)
			r.failed = nil // the other files are read for their errors alone
		case errors.As(err, &unusable):
			bad = append(bad, err)
		default:
			return err
		}
	}
	if read == 0 {
		return r.foreign(s, "a zip archive without a file of a kind that is read ("+knownKinds+")")
	}
	return errors.Join(bad...)
}

// entry reads a file of an archive.
func (r *Reader) entry(ctx context.Context, entry *zip.File, s source) error {
	src, err := entry.Open()
	if err != nil {
		return r.foreign(s, fmt.Sprintf("the file in the archive cannot be read: %v", err))
	}
	defer src.Close()
	again := func() io.Reader {
		once, err := entry.Open()
		if err != nil {
			return strings.NewReader("") // it was opened before
		}
		return once
	}
	return r.stream(ctx, s, archived{src}, again, int64(entry.CompressedSize64))
}

// archived says in plain words what is wrong with a file of an archive.
type archived struct{ src io.Reader }

func (a archived) Read(p []byte) (int, error) {
	n, err := a.src.Read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, errors.New("the zip archive is cut off and what follows is lost; copy the file again")
	}
	return n, fmt.Errorf("the zip archive is damaged (%w), so records may be wrong or missing; copy the file again", err)
}

// officeDocument says which document of Office a zip archive is, or "".
func officeDocument(names []string) string {
	if slices.Contains(names, "mimetype") && slices.Contains(names, "content.xml") {
		return "an OpenDocument file, such as a spreadsheet of LibreOffice: save it as CSV"
	}
	office := false
	for _, name := range names {
		office = office || name == "[Content_Types].xml"
	}
	if !office {
		return ""
	}
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "xl/"):
			return "an Excel workbook: save it as CSV"
		case strings.HasPrefix(name, "word/"):
			return "a Word document, which holds no records: export them as CSV or JSON"
		}
	}
	return "a document of Office, which holds no records: export them as CSV or JSON"
}

// foreign counts a file that holds no logs. One that somebody chose is an error;
// one that a folder or an archive happens to hold is only not read.
func (r *Reader) foreign(s source, what string) error {
	if s.loose {
		r.skip(s.path, what)
		return nil
	}
	p := Problem{File: s.path, Reason: what}
	r.report.Files = append(r.report.Files, File{Path: s.path, Bad: 1})
	r.report.Bad++
	if len(r.report.Problems) < problemsInAll {
		r.report.Problems = append(r.report.Problems, p)
	}
	return &FileError{Path: s.path, Bad: 1, Problems: []Problem{p}}
}

func (r *Reader) skip(path, reason string) {
	r.report.Skipped = append(r.report.Skipped, Skipped{Path: path, Reason: reason})
}
