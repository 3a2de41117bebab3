package secret

import (
	"index/suffixarray"
	"strings"
)

// leastWord is how long a word of a secret must be to be hidden where it stands
// alone: shorter ones give nothing away.
const leastWord = 4

// HideEcho returns a text with every secret replaced by [Hidden], as [Hide]
// does. So is every word that is a part of a secret in one of the sources. It
// is for errors, which quote parts of what they are about: a part does not look
// like the secret that it is from.
func HideEcho(text string, sources ...string) string { return EchoHider(sources...)(text) }

// EchoHider returns [HideEcho] for many texts about the same sources.
func EchoHider(sources ...string) func(text string) string {
	var secrets []string
	for _, source := range sources {
		secrets = append(secrets, values(source)...)
	}
	if len(secrets) == 0 {
		return Hide
	}
	// There may be as many as a file has lines, and as many texts about them.
	index := suffixarray.New([]byte(strings.Join(secrets, "\n")))
	return func(text string) string { return hideEcho(text, index) }
}

func hideEcho(text string, secrets *suffixarray.Index) string {
	f := fold(text)
	ranges := find(f)
	lower := lowered(f.text)
	for _, w := range words(lower) {
		word := lower[w.from:w.to]
		if len(word) >= leastWord && !number(word) && secrets.Lookup([]byte(word), 1) != nil {
			ranges = append(ranges, w)
		}
	}
	return f.without(ranges)
}

// values lists what is secret in a text, in small letters and without the names
// of the parameters that it is the value of.
func values(text string) []string {
	if !suspicious.MatchString(text) {
		return nil
	}
	f := fold(text)
	var list []string
	for _, s := range find(f) {
		for part := range strings.FieldsFuncSeq(lowered(f.text[s.from:s.to]), func(r rune) bool { return strings.ContainsRune("?&;#", r) }) {
			if name, value, ok := strings.Cut(part, "="); ok && strings.Trim(value, "=") != "" && len(words(name)) == 1 && len(name) < 32 {
				part = value
			}
			list = append(list, part)
		}
	}
	return list
}

// words returns where the words of a text are.
func words(text string) []span {
	var list []span
	from := -1
	for i := range len(text) + 1 {
		inside := i < len(text) && isWord(text[i])
		switch {
		case inside && from < 0:
			from = i
		case !inside && from >= 0:
			list = append(list, span{from, i})
			from = -1
		}
	}
	return list
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// number reports whether a word is a short number, such as the year of a
// signature's version or a line's.
func number(word string) bool {
	return len(word) < 6 && strings.Trim(word, "0123456789") == ""
}
