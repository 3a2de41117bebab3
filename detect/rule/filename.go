package rule

import (
	"regexp"
	"strings"
)

// mostFileName is how long the name of a rule's file gets.
const mostFileName = 80

// deviceName matches the names that Windows keeps for devices, whatever extension
// follows.
var deviceName = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$`)

// IsDeviceName reports whether no file on Windows can have a name: the part before its
// first dot is that of a device.
func IsDeviceName(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return deviceName.MatchString(strings.TrimRight(first, " "))
}

// FileName makes of a rule's name that of its file, without an extension: small letters
// and digits with dashes between them. It is the name of a file on every system, and
// has no part that leads to another folder.
func FileName(name string) string {
	var b strings.Builder
	dash := false
	for _, c := range strings.ToLower(name) {
		switch {
		case b.Len() >= mostFileName:
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(c)
			dash = false
		default:
			dash = true
		}
	}
	switch {
	case b.Len() == 0:
		return "rule"
	case IsDeviceName(b.String()):
		return b.String() + "-rule"
	}
	return b.String()
}
