package pull

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"pushback/detect/rule"
)

// ruleNames returns the names of rules' files without their extension, by the ids of
// the rules. Rules of one name have a part of their ids behind it, so that the name of
// a file does not depend on the order of the others.
func ruleNames(rules []Rule) map[string]string {
	groups := map[string]int{}
	for _, r := range rules {
		groups[rule.FileName(r.Name)]++
	}
	taken := map[string]bool{}
	names := map[string]string{}
	for _, r := range rules {
		name := rule.FileName(r.Name)
		if groups[name] > 1 {
			name += "-" + mark(r.ID)
		}
		if taken[name] { // two ids that begin alike, or a name that ends like one
			name += "-" + digest(r.ID)
		}
		taken[name] = true
		names[r.ID] = name
	}
	return names
}

// mark is a part of a rule's id that tells rules of one name apart: its first.
func mark(id string) string { return strings.ToLower(id[:strings.IndexByte(id+"-", '-')]) }

// digest is a part of a name of eight characters that another text does not have.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// functionFiles names the files of functions by their places in the list, without an
// extension. The name in the file counts, so that of the file may be another where
// systems do not tell two apart or have none of that name.
func functionFiles(functions []Function) []string {
	taken := map[string]bool{}
	names := make([]string, len(functions))
	for i, f := range functions {
		name := f.Alias
		if rule.IsDeviceName(name) {
			name += "-function"
		}
		if len(name) > mostName || taken[strings.ToLower(name)] {
			name = name[:min(len(name), mostName)] + "-" + digest(f.Alias+"\x00"+f.resource)
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

// mostName is how long a name in a folder gets, of which systems take 255 bytes.
const mostName = 200

// watchlistFile names the file of a watchlist: its alias, in which %XX stands for what
// no name of a file has on every system. Where a name differs from another in case
// alone, its first letter is written so.
func watchlistFile(alias string, taken map[string]bool) (string, error) {
	var b strings.Builder
	plain := func(i int) bool {
		c := alias[i]
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
	}
	for i := range len(alias) {
		inside := (alias[i] == ' ' || alias[i] == '.') && i > 0 && i < len(alias)-1 && plain(i-1) && plain(i+1)
		if plain(i) || inside {
			b.WriteByte(alias[i])
			continue
		}
		fmt.Fprintf(&b, "%%%02X", alias[i])
	}
	name := b.String()
	if name != "" && (rule.IsDeviceName(name) || taken[strings.ToLower(name)]) {
		name = fmt.Sprintf("%%%02X", name[0]) + name[1:]
	}
	if name == "" || len(name) > mostName || taken[strings.ToLower(name)] {
		return "", fmt.Errorf("the watchlist %s is left out: its alias cannot be the name of a file", quoted(alias))
	}
	taken[strings.ToLower(name)] = true
	return name + ".csv", nil
}
