package logs

import (
	"path"
	"regexp"
	"strings"

	"pushback/detect/kql"
)

// categories maps the log categories of Microsoft Entra's diagnostic settings,
// in lower case, to the tables that a workspace keeps them in.
var categories = map[string]string{
	"signinlogs":                   signinLogs,
	"noninteractiveusersigninlogs": nonInteractive,
	"serviceprincipalsigninlogs":   "AADServicePrincipalSignInLogs",
	"managedidentitysigninlogs":    "AADManagedIdentitySignInLogs",
	"adfssigninlogs":               "ADFSSignInLogs",
	"auditlogs":                    "AuditLogs",
	"provisioninglogs":             "AADProvisioningLogs",
	"riskyusers":                   "AADRiskyUsers",
	"userriskevents":               "AADUserRiskEvents",
	"riskyserviceprincipals":       "AADRiskyServicePrincipals",
	"serviceprincipalriskevents":   "AADServicePrincipalRiskEvents",
	"microsoftgraphactivitylogs":   "MicrosoftGraphActivityLogs",
}

const (
	signinLogs     = "SigninLogs"
	nonInteractive = "AADNonInteractiveUserSignInLogs"
)

// names knows how tables are spelled, by their names in lower case.
type names map[string]string

func newNames() names {
	n := make(names)
	for _, table := range categories {
		n[strings.ToLower(table)] = table
	}
	for table := range kql.KnownTables() {
		n[strings.ToLower(table)] = table
	}
	return n
}

// add makes a name known and returns it as it was spelled first.
func (n names) add(table string) string {
	key := strings.ToLower(table)
	if known, ok := n[key]; ok {
		return known
	}
	n[key] = table
	return table
}

// plausible is what a table can be called.
var plausible = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

// Names that say nothing about what is in a file: the storage export's, and
// the one the portal gives to every download.
var meaningless = regexp.MustCompile(`(?i)^(PT\d+[HMS]|query_data|export(ed)?|data|logs?|output|results?)$`)

// suffix is what people put after a table's name: a date, a number, a copy.
var suffix = regexp.MustCompile(`([-. ]|_\d).*$`)

// continuesName matches what makes another table's name of a known one put
// before it: letters, and the ending of custom tables. So does a key of a
// key=value folder.
var continuesName = regexp.MustCompile(`^([a-z]|=|\w*_cl\b)`)

// fromPath finds the table that a file's path names: first a table that is
// known, in the file's name or a folder's, innermost first; else whatever the
// name of the file, or of the folder it is in, can be. It returns "" if the
// path names none.
func (n names) fromPath(file string) string {
	parts := strings.Split(path.Clean(strings.ReplaceAll(file, `\`, "/")), "/")
	base := len(parts) - 1
	parts[base] = withoutKind(parts[base])
	for i := base; i >= 0; i-- {
		if table := n.known(parts[i]); table != "" {
			return table
		}
	}
	for i := base; i >= max(0, base-1); i-- {
		part := suffix.ReplaceAllString(cutExportPrefix(parts[i]), "")
		if plausible.MatchString(part) && !meaningless.MatchString(part) {
			return part
		}
	}
	return ""
}

// known reads a part of a path as the name of a known table or category, or of
// one followed by something that is not part of a name.
func (n names) known(part string) string {
	part = strings.ToLower(cutExportPrefix(part))
	best := 0
	found := ""
	for _, spelled := range []map[string]string{n, categories} {
		if table, ok := spelled[part]; ok {
			return table
		}
		for name, table := range spelled {
			rest, ok := strings.CutPrefix(part, name)
			if ok && len(name) > best && !continuesName.MatchString(rest) {
				best, found = len(name), table
			}
		}
	}
	return found
}

// cutExportPrefix removes what the storage exports put before a category or a
// table in the names of their containers.
func cutExportPrefix(part string) string {
	for _, prefix := range []string{"insights-logs-", "am-"} {
		if len(part) > len(prefix) && strings.EqualFold(part[:len(prefix)], prefix) {
			return part[len(prefix):]
		}
	}
	return part
}

// kinds are the endings of the files that are read.
var kinds = []string{".json", ".ndjson", ".jsonl", ".csv"}

const knownKinds = ".json, .ndjson, .jsonl, .csv, each also with .gz"

// withoutKind removes the endings that say what kind a file is.
func withoutKind(name string) string {
	for _, zip := range []string{".gz", ".gzip"} {
		if rest, ok := cutSuffixFold(name, zip); ok {
			name = rest
			break
		}
	}
	for _, kind := range kinds {
		if rest, ok := cutSuffixFold(name, kind); ok {
			return rest
		}
	}
	return name
}

// isKind says whether a file's name is of a kind that is read. A compressed
// file may do without the ending of what is in it.
func isKind(name string) bool {
	inner, zipped := name, false
	for _, zip := range []string{".gz", ".gzip"} {
		if rest, ok := cutSuffixFold(name, zip); ok {
			inner, zipped = rest, true
		}
	}
	for _, kind := range kinds {
		if _, ok := cutSuffixFold(inner, kind); ok {
			return true
		}
	}
	return zipped && !foreignKind.MatchString(inner)
}

// foreignKind is an ending that names some other kind of file. One with
// digits is rather part of a date.
var foreignKind = regexp.MustCompile(`\.[A-Za-z]+$`)

// isCSV says whether the file's name calls it CSV.
func isCSV(name string) bool {
	for _, ending := range []string{".csv", ".csv.gz", ".csv.gzip"} {
		if _, ok := cutSuffixFold(name, ending); ok {
			return true
		}
	}
	return false
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if at := len(s) - len(suffix); at > 0 && strings.EqualFold(s[at:], suffix) {
		return s[:at], true
	}
	return s, false
}
