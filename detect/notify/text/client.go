package text

import "regexp"

// What user agents say of themselves, the telling first: most claim to be others
// too.
var (
	browsers = []struct {
		name string
		is   *regexp.Regexp
	}{
		{"Edge", regexp.MustCompile(`\bEdg(?:e|A|iOS)?/([0-9]{1,4})\b`)},
		{"Opera", regexp.MustCompile(`\bOPR/([0-9]{1,4})\b`)},
		{"Samsung Internet", regexp.MustCompile(`\bSamsungBrowser/([0-9]{1,4})\b`)},
		{"Firefox", regexp.MustCompile(`\b(?:Firefox|FxiOS)/([0-9]{1,4})\b`)},
		{"Chrome", regexp.MustCompile(`\b(?:Chrome|CriOS)/([0-9]{1,4})\b`)},
		{"Safari", regexp.MustCompile(`\bVersion/([0-9]{1,4})\b.*\bSafari/`)},
	}
	systems = []struct {
		name string
		is   *regexp.Regexp
	}{
		{"Windows", regexp.MustCompile(`\bWindows NT\b`)},
		{"Android", regexp.MustCompile(`\bAndroid\b`)},
		{"iOS", regexp.MustCompile(`\b(?:iPhone|iPad)\b`)},
		{"macOS", regexp.MustCompile(`\bMac OS X\b`)},
		{"Linux", regexp.MustCompile(`\bLinux\b`)},
	}
	ofBrowser = regexp.MustCompile(`^Mozilla/[0-9]`)
)

// Client names the browser and the system that a user agent says it is: Chrome 121
// on Windows. It is empty for what is no browser's.
func Client(userAgent string) string {
	if !ofBrowser.MatchString(userAgent) || len(userAgent) > 2000 {
		return ""
	}
	for _, b := range browsers {
		m := b.is.FindStringSubmatch(userAgent)
		if m == nil {
			continue
		}
		for _, s := range systems {
			if s.is.MatchString(userAgent) {
				return b.name + " " + m[1] + " on " + s.name
			}
		}
		return b.name + " " + m[1]
	}
	return ""
}
