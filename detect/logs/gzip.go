package logs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"

	"pushback/detect/input"
	"pushback/detect/logs/parquet"
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

// contents returns the text of a file: decompressed if it begins as gzip or zstd
// does, whatever its name, in UTF-8 without a byte order mark if it is in UTF-16,
// which is what Windows PowerShell writes on `>`, and with line feeds if only
// carriage returns end its lines.
func contents(src io.Reader) (text io.Reader, compressed bool, err error) {
	b := bufio.NewReaderSize(src, sniffed)
	const mostLayers = 3
	for range mostLayers {
		inner, err := decompressed(b)
		if err != nil {
			return nil, true, err
		}
		if inner == nil {
			break
		}
		b, compressed = bufio.NewReaderSize(inner, sniffed), true
	}
	head, _ := b.Peek(512)
	if bytes.HasPrefix(head, []byte(zipMagic)) {
		return nil, compressed, &foreignError{"a zip archive, which is read only as a file of its own: unpack it"}
	}
	if bytes.HasPrefix(head, []byte(parquet.Magic)) {
		return nil, compressed, &parquetInside{b}
	}
	if what := foreignBinary(head); what != "" {
		return nil, compressed, &foreignError{what}
	}
	name, marked := input.Encoding(head)
	switch {
	case name == "UTF-16":
		order, policy := unicode.LittleEndian, unicode.ExpectBOM
		if !marked {
			policy = unicode.IgnoreBOM
			if head[0] == 0 {
				order = unicode.BigEndian
			}
		}
		b = bufio.NewReaderSize(unicode.UTF16(order, policy).NewDecoder().Reader(b), sniffed)
	case name != "":
		return nil, compressed, &input.EncodingError{Encoding: name}
	case isBinary(head):
		return nil, compressed, &foreignError{"no text, but bytes in a format that is not known: export the records as CSV or JSON"}
	case bytes.HasPrefix(head, byteOrderMark):
		if _, err := b.Discard(len(byteOrderMark)); err != nil {
			return nil, compressed, err
		}
	}
	head, _ = b.Peek(sniffed)
	if bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0 {
		return &lineFeeds{src: b}, compressed, nil
	}
	return b, compressed, nil
}

// decompressed returns what is in a compressed source, or nil if it is not one.
func decompressed(b *bufio.Reader) (io.Reader, error) {
	magic, _ := b.Peek(4)
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, gzipError(err)
		}
		return unzipped{z}, nil
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, zstdError(err)
		}
		return unzstd{z}, nil
	}
	return nil, nil
}

// maxZstdWindow bounds what zstd needs of memory: that of zstd --long.
const maxZstdWindow = 128 << 20

// unzstd says in plain words what is wrong with a file compressed with zstd.
type unzstd struct{ z *zstd.Decoder }

func (u unzstd) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	return n, zstdError(err)
}

func zstdError(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("the zstd data needs more than %d MiB of memory: compress the file again, with at most --long", maxZstdWindow>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the zstd data is cut off and what follows is lost; copy the file again")
	default:
		return fmt.Errorf("the zstd data is damaged (%w), so records may be wrong or missing; copy the file again", err)
	}
}

// lineFeeds makes line feeds of the carriage returns that end lines in files of
// old spreadsheets.
type lineFeeds struct{ src *bufio.Reader }

func (l *lineFeeds) Read(p []byte) (int, error) {
	n, err := l.src.Read(p)
	for i, c := range p[:n] {
		if c != '\r' {
			continue
		}
		if i+1 < n {
			if p[i+1] == '\n' {
				continue
			}
		} else if next, _ := l.src.Peek(1); len(next) == 1 && next[0] == '\n' {
			continue
		}
		p[i] = '\n'
	}
	return n, err
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
