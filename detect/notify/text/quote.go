package text

import (
	"net/netip"
	"strings"
	"unicode"

	"pushback/detect/alert"
)

// mostQuoted is how many characters of a value a sentence has room for.
const mostQuoted = 64

// unknownAddress is what the shipped rules' queries say where there is no address.
const unknownAddress = "an unknown address"

// Quoted returns a value of a log as a part of a sentence, in quotation marks that
// it cannot close: those in it become apostrophes. It is on one line, made safe
// and cut. An IP address needs no marks, since it can be nothing else.
func Quoted(value string) string {
	if _, err := netip.ParseAddr(value); err == nil && !strings.Contains(value, "%") {
		return value
	}
	return "“" + CutSafe(marks.Replace(Line(strings.TrimSpace(value))), mostQuoted, noEscape) + "”"
}

// QuotedOr is Quoted, or other words of ours where there is no value.
func QuotedOr(value, otherwise string) string {
	if strings.TrimSpace(value) == "" {
		return otherwise
	}
	return Quoted(value)
}

// Word returns a value for a place in a text that others wrote, such as the title
// of a rule: as it is if it is one word, else as Quoted does, for it could be
// taken for what they wrote.
func Word(value string) string {
	if value == unknownAddress || isMade(value, "._@+-:/\\#$=~") {
		return value
	}
	return quotedWhole(value)
}

// Item returns a value for a list of values: as it is unless it has what could end
// it, or look like a remark of ours.
func Item(value string) string {
	if isMade(value, "._@+-/\\#$=~&*!?' …") || isPlainAddress(value) {
		return value
	}
	return quotedWhole(value)
}

// Value returns a value for a list that has its own place and nothing but values
// in it: as it is unless it has what would close a remark of ours, or begin one.
func Value(value string) string {
	if balanced(value) && !strings.ContainsAny(value, "“”„«»•·") {
		return value
	}
	return quotedWhole(value)
}

// ValueOf returns a function that writes the values of a custom detail. Those of a
// storm's worst identities are sentences of ours.
func ValueOf(d alert.Detail) func(string) string {
	if d.Name == alert.WorstIdentities {
		return func(v string) string { return v }
	}
	return Value
}

// balanced reports whether a text closes the brackets that it opens, and no others.
func balanced(text string) bool {
	open := 0
	for _, r := range text {
		switch r {
		case '(':
			open++
		case ')':
			open--
		}
		if open < 0 {
			return false
		}
	}
	return open == 0
}

// quotedTitle is a title as a part of a sentence, made inert by the caller.
func quotedTitle(title string, inert func(string) string) string {
	return "“" + inert(marks.Replace(title)) + "”"
}

func isPlainAddress(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil && !strings.Contains(value, "%")
}

// quotedWhole is Quoted without a limit: whoever writes the list has one.
func quotedWhole(value string) string { return "“" + marks.Replace(Safe(Line(value))) + "”" }

// isMade reports whether a text is made of letters, digits and some other
// characters alone.
func isMade(text, others string) bool {
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

func noEscape(_, _ byte) string { return "" }

// marks are the characters that look like a quotation mark of ours, or like two.
var marks = func() *strings.Replacer {
	var pairs []string
	for _, mark := range "\"“”„‟«»″‶‴〝〞〟＂❝❞❠⹂🙶🙷🙸ˮ˝״᳓" {
		pairs = append(pairs, string(mark), "'")
	}
	pairs = append(pairs, "''", "'", "‘‘", "'", "’’", "'", "´´", "'", "``", "'")
	return strings.NewReplacer(pairs...)
}()
