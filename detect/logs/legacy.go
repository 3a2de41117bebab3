package logs

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// byteOrderMark stands before a text in UTF-8 on Windows, and so before each of
// several that were joined.
var byteOrderMark = []byte("\ufeff")

// legacy reads a text that is no UTF-8 as one in Windows-1252, which spreadsheets
// and Windows PowerShell still write. It reports false if the text is no such one
// either: if part of it is UTF-8, it is damaged. The file is warned of once.
func (f *file) legacy(text []byte, line int) ([]byte, bool) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r >= utf8.RuneSelf && n > 1 {
			return nil, false
		}
		if r == utf8.RuneError && bytes.IndexByte(undefined1252, text[i]) >= 0 {
			return nil, false
		}
		i += n
	}
	decoded, err := charmap.Windows1252.NewDecoder().Bytes(text)
	if err != nil {
		return nil, false
	}
	if !f.warnedLegacy {
		f.warnedLegacy = true
		f.warn(line, "not UTF-8, so it is read as Windows-1252; save the file as UTF-8 if letters are wrong")
	}
	return decoded, true
}

// undefined1252 are the bytes that Windows-1252 gives no letter.
var undefined1252 = []byte{0x81, 0x8d, 0x8f, 0x90, 0x9d}
