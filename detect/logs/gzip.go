package logs

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"

	"pushback/detect/input"
)

// raw reads the bytes of a file as they are stored. It counts them, stops when
// the context does, and keeps the reason for a failure apart from what the
// decompression above it makes of it.
type raw struct {
	ctx      context.Context
	src      io.Reader
	n        int64
	err      error // a failure of the source itself
	progress func(n int64)
}

func (r *raw) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		r.err = err
		return 0, err
	}
	n, err := r.src.Read(p)
	r.n += int64(n)
	if r.progress != nil && n > 0 {
		r.progress(int64(n))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// contents returns the text of a file: decompressed if it begins as gzip does,
// whatever its name, in UTF-8 without a byte order mark if it is in UTF-16,
// which is what Windows PowerShell writes on `>`.
func contents(src io.Reader) (text io.Reader, compressed bool, err error) {
	b := bufio.NewReaderSize(src, 64<<10)
	if magic, _ := b.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, true, gzipError(err)
		}
		compressed = true
		b = bufio.NewReaderSize(unzipped{z}, 64<<10)
	}
	head, _ := b.Peek(4)
	name, marked := input.Encoding(head)
	switch mark, _ := b.Peek(3); {
	case name != "" && !(name == "UTF-16" && marked):
		return nil, compressed, &input.EncodingError{Encoding: name}
	case len(mark) == 3 && mark[0] == 0xef && mark[1] == 0xbb && mark[2] == 0xbf:
		if _, err := b.Discard(3); err != nil {
			return nil, compressed, err
		}
	case name != "":
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(b), compressed, nil
	}
	return b, compressed, nil
}

// unzipped says in plain words what is wrong with a compressed file.
type unzipped struct{ z *gzip.Reader }

func (u unzipped) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the gzip data is cut off and what follows is lost; copy the file again")
	default:
		return fmt.Errorf("the gzip data is damaged (%w), so records may be wrong or missing; copy the file again", err)
	}
}
