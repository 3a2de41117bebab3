// Package secret finds secrets in text that is about to be shown. Such a text
// is a setting's value, an address in an error, or what a service repeats of
// what it was sent.
//
// A secret is known by its form, since it ends up where nobody expects it. Its
// forms are the query of an address and the user in it, the fields of a
// connection string, tokens and keys in base64. It is found whatever way it is
// encoded and whatever case it has.
package secret

import (
	"regexp"
	"slices"
	"strings"
)

// Hidden is what stands where a secret was.
const Hidden = "…"

// In reports whether a text holds what looks like a secret.
func In(text string) bool {
	if !suspicious.MatchString(text) {
		return false
	}
	return len(find(fold(text))) > 0
}

// Hide returns a text with every secret in it replaced by [Hidden]. The host and
// the path of an address stay, and so do the names of fields.
func Hide(text string) string {
	if !suspicious.MatchString(text) {
		return text
	}
	f := fold(text)
	return f.without(find(f))
}

// Remove returns a text with the given secrets replaced by [Hidden], in
// whatever encoding and case. It also hides what [Hide] finds. Secrets shorter
// than leastKnown stay: they are words.
func Remove(text string, known ...string) string {
	f := fold(text)
	lower := lowered(f.text)
	ranges := find(f)
	for _, k := range known {
		k = lowered(fold(k).text)
		if len(k) < leastKnown {
			continue
		}
		for from := 0; ; {
			i := strings.Index(lower[from:], k)
			if i < 0 {
				break
			}
			ranges = append(ranges, span{from + i, from + i + len(k)})
			from += i + len(k)
		}
	}
	return f.without(ranges)
}

// leastKnown is how long a known secret must be to be looked for.
const leastKnown = 8

// suspicious is what a text without which holds no secret: it spares most texts
// the search.
var suspicious = regexp.MustCompile(`(?i)://|%|\\|&|=|eyJ|bearer|SharedAccessSignature|webhook|whsec_|["']\s*:|[a-z0-9+/_-]{32}`)

var (
	// address is a URL. Its parts are its host with what comes before it, its
	// path and the rest.
	address = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*:/{2,}([^\s"'<>/?#]*)([^\s"'<>?#]*)([?#][^\s"'<>]*)?`)
	// field is a name and a value that is a secret whatever its form. It is
	// written NAME=VALUE, or "NAME":"VALUE" as in JSON, with white space and
	// quotation marks that may be escaped, also more than once.
	field = regexp.MustCompile(`(?i)(?:(?:shared)?access_?key|account_?key|shared_?secret(?:_?value)?|client_?secret|(?:access|refresh|id|client_assertion)_?token|client_?assertion|(?:x-)?identity[-_]header|msi_?secret|api-?key|passw(?:or)?d|\bpwd|\bsig|signature)(?:\\*["']?(?:\s|\\[tnr])*=(?:\s|\\[tnr])*\\*["']?|(?:\\*["']|\\+)(?:\s|\\[tnr])*:(?:\s|\\[tnr])*(?:\\*["']|\\+))([^\s"'<>;,&=\\][^\s"'<>;,&\\]*)`)
	// signature is that of a storage account or a service bus, with all of its
	// parameters.
	signature = regexp.MustCompile(`(?i)SharedAccessSignature["']?(?:\s*=\s*|\s+)["']?([^\s"'<>;]+)`)
	// parameter is one of an address's query that is a key, also where the address
	// is cut off before it.
	parameter = regexp.MustCompile(`(?i)[?&](?:code|token|key|secret|(?:ocp-apim-)?subscription-key)=([^\s"'<>&#]+)`)
	// bearer is a token in a header.
	bearer = regexp.MustCompile(`(?i)\bBearer\s+([a-z0-9._~+/-]{16,}=*)`)
	// jwt is a token of Entra: the first part of one is JSON in base64.
	jwt = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*`)
	// signing is the key that the messages of a webhook are signed with.
	signing = regexp.MustCompile(`(?i)(whsec_[a-z0-9+/_-]+=*)`)
	// run is what a key in base64 looks like, and long words too.
	run = regexp.MustCompile(`[A-Za-z0-9+/]{32,}={0,2}|[A-Za-z0-9_-]{32,}`)
	// hooks are in the path of an address a secret.
	hooks = regexp.MustCompile(`(?i)webhook|hooks\.slack\.com`)
)

// find lists the secrets of a text, in any order. They may overlap.
func find(f folded) []span {
	var found []span
	text := f.text
	group := func(expression *regexp.Regexp) {
		for _, m := range expression.FindAllStringSubmatchIndex(text, -1) {
			found = append(found, span{m[2], m[3]})
		}
	}
	for _, m := range address.FindAllStringSubmatchIndex(text, -1) {
		authority, path := text[m[2]:m[3]], text[m[4]:m[5]]
		if at := strings.LastIndexByte(authority, '@'); at > 0 {
			found = append(found, span{m[2], m[2] + at})
		}
		if hooks.MatchString(authority+path) && len(path) > 1 {
			found = append(found, span{m[4] + 1, m[5]})
		}
		if m[6] < 0 {
			continue
		}
		if rest := text[m[6]:m[7]]; len(rest) > 1 && (rest[0] == '?' || strings.ContainsAny(rest, "=?")) {
			found = append(found, span{m[6] + 1, m[7]})
		}
	}
	group(field)
	group(signature)
	group(parameter)
	group(bearer)
	group(signing)
	for _, m := range jwt.FindAllStringIndex(text, -1) {
		found = append(found, span{m[0], m[1]})
	}
	for _, m := range run.FindAllStringIndex(text, -1) {
		if random(text[m[0]:m[1]]) {
			found = append(found, span{m[0], m[1]})
		}
	}
	return found
}

// random reports whether a run of characters looks like bytes in base64. Such a
// run has small and capital letters and digits, and changes between them all
// the time. Words in camel case, paths, ids and digests in hexadecimal do not.
func random(text string) bool {
	var of [3]int
	last, changes, n := -1, 0, 0
	for i := range len(text) {
		class := -1
		switch c := text[i]; {
		case c >= 'a' && c <= 'z':
			class = 0
		case c >= 'A' && c <= 'Z':
			class = 1
		case c >= '0' && c <= '9':
			class = 2
		default:
			continue
		}
		if of[class]++; class != last && last >= 0 {
			changes++
		}
		last = class
		n++
	}
	return n >= 28 && of[0]*7 >= n && of[1]*7 >= n && of[2] > 0 && changes*3 >= n
}

// span is a range of bytes.
type span struct{ from, to int }

// without returns the original text with the ranges of the folded one replaced.
func (f folded) without(ranges []span) string {
	if len(ranges) == 0 {
		return f.original
	}
	slices.SortStableFunc(ranges, func(a, b span) int { return a.from - b.from })
	var sb strings.Builder
	at := 0
	for i := 0; i < len(ranges); {
		r := ranges[i]
		for i++; i < len(ranges) && ranges[i].from <= r.to; i++ {
			r.to = max(r.to, ranges[i].to)
		}
		from, to := f.place(r.from), f.place(r.to)
		if from < at || to <= from {
			continue
		}
		sb.WriteString(f.original[at:from] + Hidden)
		at = to
	}
	sb.WriteString(f.original[at:])
	return sb.String()
}
