package kql

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Punycode, https://datatracker.ietf.org/doc/html/rfc3492. golang.org/x/net/idna has
// it for domains alone, and refuses labels that the service takes.
const (
	punyBase, punyMin, punyMax   = 36, 1, 26
	punySkew, punyDamp, punyBias = 38, 700, 72
	punyFirst                    = 128
	punyDigits                   = "abcdefghijklmnopqrstuvwxyz0123456789"
	mostPunycode                 = 4096 // its time grows with the square of the length
	punyPrefix                   = "xn--"
)

// toPunycode encodes a text. It is empty for one that is too long.
func toPunycode(text string) string {
	if len(text) > mostPunycode || !utf8.ValidString(text) {
		return ""
	}
	runes := []rune(text)
	var out strings.Builder
	for _, r := range runes {
		if r < punyFirst {
			out.WriteRune(r)
		}
	}
	basic := out.Len()
	if basic > 0 {
		out.WriteByte('-')
	}
	n, delta, bias := rune(punyFirst), 0, punyBias
	for done := basic; done < len(runes); {
		next := rune(math.MaxInt32)
		for _, r := range runes {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			q := delta
			for k := punyBase; ; k += punyBase {
				t := min(max(k-bias, punyMin), punyMax)
				if q < t {
					break
				}
				out.WriteByte(punyDigits[t+(q-t)%(punyBase-t)])
				q = (q - t) / (punyBase - t)
			}
			out.WriteByte(punyDigits[q])
			bias = punyAdapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return out.String()
}

func punyAdapt(delta, points int, first bool) int {
	if delta /= 2; first {
		delta = delta * 2 / punyDamp
	}
	delta += delta / points
	k := 0
	for ; delta > (punyBase-punyMin)*punyMax/2; k += punyBase {
		delta /= punyBase - punyMin
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}

// fromPunycode decodes a text. It is empty for one that is no Punycode.
func fromPunycode(text string) string {
	if len(text) > mostPunycode {
		return ""
	}
	var out []rune
	rest := text
	if at := strings.LastIndexByte(text, '-'); at >= 0 {
		for _, r := range text[:at] {
			if r >= punyFirst {
				return ""
			}
			out = append(out, r)
		}
		rest = text[at+1:]
	}
	n, i, bias := punyFirst, 0, punyBias
	for len(rest) > 0 {
		before, weight := i, 1
		for k := punyBase; ; k += punyBase {
			if rest == "" {
				return ""
			}
			digit := strings.IndexByte(punyDigits, lowerByte(rest[0]))
			rest = rest[1:]
			if digit < 0 || digit > (math.MaxInt32-i)/weight {
				return ""
			}
			i += digit * weight
			t := min(max(k-bias, punyMin), punyMax)
			if digit < t {
				break
			}
			if weight > math.MaxInt32/(punyBase-t) {
				return ""
			}
			weight *= punyBase - t
		}
		bias = punyAdapt(i-before, len(out)+1, before == 0)
		n += i / (len(out) + 1)
		i %= len(out) + 1
		if n > unicode.MaxRune || n >= 0xD800 && n < 0xE000 {
			return ""
		}
		out = append(out, 0)
		copy(out[i+1:], out[i:])
		out[i] = rune(n)
		i++
	}
	return string(out)
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// domainDots are what separates labels, besides the dot itself.
var domainDots = strings.NewReplacer("\u3002", ".", "\uFF0E", ".", "\uFF61", ".")

func domainToPunycode(domain string) string {
	labels := strings.Split(domainDots.Replace(domain), ".")
	for i, l := range labels {
		if strings.ContainsFunc(l, func(r rune) bool { return r >= punyFirst }) {
			code := toPunycode(l)
			if code == "" {
				return ""
			}
			labels[i] = punyPrefix + code
		}
	}
	return strings.Join(labels, ".")
}

func domainFromPunycode(domain string) string {
	labels := strings.Split(domain, ".")
	for i, l := range labels {
		if len(l) > len(punyPrefix) && strings.EqualFold(l[:len(punyPrefix)], punyPrefix) {
			if labels[i] = fromPunycode(l[len(punyPrefix):]); labels[i] == "" {
				return ""
			}
		}
	}
	return strings.Join(labels, ".")
}
