package logs

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"pushback/detect/kql"
)

// categories maps the log categories of Microsoft Entra's diagnostic settings,
// in lower case, to the tables that a workspace keeps them in.
var categories = map[string]string{
	"signinlogs":                   signinLogs,
	"noninteractiveusersigninlogs": nonInteractive,
	"serviceprincipalsigninlogs":   servicePrincipal,
	"managedidentitysigninlogs":    managedIdentity,
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
	signinLogs       = "SigninLogs"
	nonInteractive   = "AADNonInteractiveUserSignInLogs"
	servicePrincipal = "AADServicePrincipalSignInLogs"
	managedIdentity  = "AADManagedIdentitySignInLogs"
)

// downloads maps what the Entra portal and Microsoft Graph call their files and
// lists, in lower case, to tables.
var downloads = map[string]string{
	"signins":                 signinLogs,
	"interactivesignins":      signinLogs,
	"noninteractivesignins":   nonInteractive,
	"applicationsignins":      servicePrincipal,
	"serviceprincipalsignins": servicePrincipal,
	"msisignins":              managedIdentity,
	"managedidentitysignins":  managedIdentity,
	"directoryaudits":         "AuditLogs",
	"riskdetections":          "AADUserRiskEvents",
	"riskyusers":              "AADRiskyUsers",
	"riskysignins":            signinLogs,
}

// categoryOf gives the log category whose records a table of sign-ins keeps.
func categoryOf(table string) string {
	switch table {
	case nonInteractive:
		return "NonInteractiveUserSignInLogs"
	case servicePrincipal:
		return "ServicePrincipalSignInLogs"
	case managedIdentity:
		return "ManagedIdentitySignInLogs"
	}
	return "SignInLogs"
}

// isSignInTable says whether a table holds sign-ins that Graph has, too.
func isSignInTable(name string) bool {
	switch name {
	case signinLogs, nonInteractive, servicePrincipal, managedIdentity:
		return true
	}
	return false
}

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
	for _, table := range huntingTables {
		n[strings.ToLower(table)] = table
	}
	return n
}

// huntingTables are those of advanced hunting that a workspace does not have.
var huntingTables = []string{
	"AADSignInEventsBeta", "AADSpnSignInEventsBeta", "EntraIdSignInEvents", "EntraIdSpnSignInEvents", "ExposureGraphNodes", "ExposureGraphEdges",
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
var plausible = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`) })

// Names that say nothing about what is in a file: the storage export's, those of
// the parts that Spark writes, and the one the portal gives to every download.
var meaningless = regexp.MustCompile(`(?i)^(PT\d+[HMS]|query_data|export(ed)?|data|logs?|output|results?|part)$`)

// suffix is what people put after a table's name: a date, a number, a copy.
var suffix = regexp.MustCompile(`([-. ]|_\d).*$`)

// continuesName matches what makes another table's name of a known one put
// before it: letters, and the ending of custom tables. So does a key of a
// key=value folder.
var continuesName = regexp.MustCompile(`^([a-z]|=|\w*_cl\b)`)

// fromPath finds the table that a file's path names: one that is known, in the
// file's name or a folder's, innermost first, or a custom table in the file's name
// or that of its folder. Else it gives what the file's name can be, which is only
// a guess. It returns "" if the path names none.
func (n names) fromPath(file string) (table string, sure bool) {
	parts := strings.Split(path.Clean(strings.ReplaceAll(file, `\`, "/")), "/")
	base := len(parts) - 1
	parts[base] = withoutKind(parts[base])
	for i := base; i >= 0; i-- {
		if table := n.known(parts[i]); table != "" {
			return table, true
		}
	}
	// Folders such as year=2026 hold no table of their own.
	folders := slices.DeleteFunc(parts[:base:base], func(part string) bool { return strings.Contains(part, "=") })
	parts = append(folders, parts[base])
	base = len(parts) - 1
	guess := ""
	for i := base; i >= max(0, base-1); i-- {
		named := cutExportPrefix(parts[i])
		part := suffix.ReplaceAllString(named, "")
		switch {
		case !plausible().MatchString(part) || meaningless.MatchString(part):
		case named != parts[i] || customTable.MatchString(part):
			return part, true
		case i == base:
			guess = part
		}
	}
	return guess, false
}

// customTable matches the names of tables that are somebody's own.
var customTable = regexp.MustCompile(`(?i)_cl$`)

// exact finds the table that a name or a category is that of, or "".
func (n names) exact(name string) string {
	key := strings.ToLower(name)
	return cmp.Or(n[key], categories[key], downloads[key])
}

// known reads a part of a path as the name of a known table or category, or of
// one followed by something that is not part of a name.
func (n names) known(part string) string {
	part = strings.ToLower(cutExportPrefix(part))
	best := 0
	found := ""
	for _, spelled := range []map[string]string{n, categories, downloads} {
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
var kinds = []string{".json", ".ndjson", ".jsonl", ".csv", ".tsv", ".txt", ".parquet"}

const knownKinds = ".json, .ndjson, .jsonl, .csv, .tsv, .txt, .parquet, each also with .gz or .zst or in a .zip"

// zips are the endings of compressed files.
var zips = []string{".gz", ".gzip", ".zst", ".zstd"}

// withoutZip removes the ending of a compressed file, and reports if there is one.
func withoutZip(name string) (string, bool) {
	for _, zip := range zips {
		if rest, ok := cutSuffixFold(name, zip); ok {
			return rest, true
		}
	}
	return name, false
}

// withoutKind removes the endings that say what kind a file is.
func withoutKind(name string) string {
	name, _ = withoutZip(name)
	if rest, ok := cutSuffixFold(name, ".zip"); ok {
		return rest
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
	inner, zipped := withoutZip(name)
	if isArchive(name) {
		return true
	}
	for _, kind := range kinds {
		if _, ok := cutSuffixFold(inner, kind); ok {
			return true
		}
	}
	return zipped && !foreignKind.MatchString(inner)
}

// isArchive says whether a file's name calls it a zip archive.
func isArchive(name string) bool {
	_, ok := cutSuffixFold(name, ".zip")
	return ok
}

// foreignKinds says what the files are that people have beside their logs, by
// their endings.
var foreignKinds = map[string]string{
	".xlsx": "an Excel workbook: save it as CSV",
	".xls":  "an Excel workbook: save it as CSV",
	".ods":  "a spreadsheet of LibreOffice: save it as CSV",
	".avro": "an Avro file, such as Event Hubs Capture writes, which is not read: convert it to JSON lines",
	".evtx": "a Windows event log, which is not read: convert it to JSON lines",
	".7z":   "a 7-Zip archive, which is not read: unpack it, or make it a zip archive",
	".rar":  "a RAR archive, which is not read: unpack it, or make it a zip archive",
	".tar":  "a tar archive, which is not read: unpack it, or make it a zip archive",
	".tgz":  "a tar archive, which is not read: unpack it, or make it a zip archive",
}

// notKind says why a file of a folder is not read.
func notKind(name string) string {
	inner, _ := withoutZip(name)
	if what, ok := foreignKinds[strings.ToLower(path.Ext(inner))]; ok {
		return what
	}
	return "not a kind that is read (" + knownKinds + ")"
}

// isPlainText says whether a file's name calls it a text of any kind.
func isPlainText(name string) bool {
	inner, _ := withoutZip(name)
	_, ok := cutSuffixFold(inner, ".txt")
	return ok
}

// foreignKind is an ending that names some other kind of file. One with
// digits is rather part of a date.
var foreignKind = regexp.MustCompile(`\.[A-Za-z]+$`)

// isCSV says whether the file's name calls it CSV, or such with tabs.
func isCSV(name string) bool {
	inner, _ := withoutZip(name)
	for _, ending := range []string{".csv", ".tsv"} {
		if _, ok := cutSuffixFold(inner, ending); ok {
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
