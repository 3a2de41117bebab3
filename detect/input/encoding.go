package input

import (
	"bytes"
	"fmt"

	"golang.org/x/text/encoding/unicode"
)

// Encoding names the encoding that a text begins in, if it is another than
// UTF-8: UTF-16 or UTF-32. It is known by the byte order mark or, without one, by
// the zeros that the first characters of any query, rule or log have in it.
func Encoding(head []byte) (name string, marked bool) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xfe, 0xff}):
		return "UTF-32", true
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return "UTF-16", true
	case len(head) < 4:
		return "", false
	}
	zero := func(i int) bool { return head[i] == 0 }
	switch {
	case zero(0) && zero(1) && zero(2) && !zero(3), !zero(0) && zero(1) && zero(2) && zero(3):
		return "UTF-32", false
	case zero(0) && !zero(1) && zero(2) && !zero(3), !zero(0) && zero(1) && !zero(2) && zero(3):
		return "UTF-16", false
	}
	return "", false
}

// EncodingError says that a text is in an encoding that is not read.
type EncodingError struct{ Encoding string }

// Error names the encoding and says what to do.
func (e *EncodingError) Error() string {
	return fmt.Sprintf("the file is in %s: save it as UTF-8", e.Encoding)
}

// Text returns a text in UTF-8 without a byte order mark. UTF-16 with one is what
// Windows PowerShell writes on `>`.
func Text(data []byte) (string, error) {
	switch name, marked := Encoding(data); {
	case name == "UTF-16" && marked:
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
		return string(text), err
	case name != "":
		return "", &EncodingError{name}
	}
	return string(bytes.TrimPrefix(data, []byte("\ufeff"))), nil
}
