package logs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"pushback/detect/kql"
)

// A download is called query_data.csv, and its records do not say their table.
// Then the columns tell it: the known table that has them best. Where several
// have them as well, or none has most of them, nothing is guessed.

// Limits on what makes a table the one that a record is of.
const (
	leastColumns  = 3 // of the record that the table has
	leastOfTied   = 4 // the same, where others have them as well
	leastOfThree  = 2 // so many of three of its columns
	mostSuggested = 4 // tables that an error names
)

// sharedColumns are those that say nothing about a table, since most have them.
var sharedColumns = map[string]bool{
	"timegenerated": true, "type": true, "tenantid": true, "sourcesystem": true, "_resourceid": true, "_subscriptionid": true,
	"_billedsize": true, "_isbillable": true, "_itemid": true, "_timereceived": true, "mg": true, "managementgroupname": true,
	"timestamp": true, "tablename": true,
}

// tablesWith gives the known tables that have a column, by its name in lower case.
var tablesWith = sync.OnceValue(func() map[string][]string {
	with := make(map[string][]string)
	for table, schema := range kql.KnownTables() {
		for _, c := range schema {
			key := strings.ToLower(c.Name)
			with[key] = append(with[key], table)
		}
	}
	return with
})

// tableByColumns finds the known table that has the columns of a record best. If
// there is none it gives the likeliest.
func tableByColumns(members []member) (table string, likeliest []string) {
	have := make(map[string]int)
	total := 0
	for i := range members {
		key := strings.ToLower(string(members[i].name))
		if members[i].inner || sharedColumns[key] {
			continue
		}
		total++
		for _, name := range tablesWith()[key] {
			have[name]++
		}
	}
	for name := range have {
		likeliest = append(likeliest, name)
	}
	slices.SortFunc(likeliest, func(a, b string) int {
		return cmp.Or(have[b]-have[a], usual(a)-usual(b), strings.Compare(a, b))
	})
	if len(likeliest) == 0 {
		return "", nil
	}
	best := likeliest[0]
	least := leastColumns
	if len(likeliest) > 1 && have[likeliest[1]] == have[best] {
		if least = leastOfTied; usual(best) == len(usualTables) {
			least = len(members) + 1 // nothing says which of them
		}
	}
	if have[best] >= least && have[best]*3 >= total*leastOfThree {
		return best, nil
	}
	return "", likeliest[:min(len(likeliest), mostSuggested)]
}

// usualTables are those that people have, of several with the same columns: the
// sign-ins of users, say, and not those of AD FS. The first is the most usual.
var usualTables = []string{signinLogs, "AuditLogs", "AADUserRiskEvents", "SecurityAlert", "DeviceProcessEvents"}

// usual gives a table's place among the usual ones, or their number.
func usual(table string) int {
	if at := slices.Index(usualTables, table); at >= 0 {
		return at
	}
	return len(usualTables)
}

// fileTable finds the table of the records of a file that do not say theirs: by
// its name, by --table, or by the columns of the first such record. What it guesses
// it warns of. It returns ""
// and a reason if there is none.
func (f *file) fileTable(members []member, line int) (table, reason string) {
	if f.pathTable != "" {
		return f.pathTable, ""
	}
	if f.noTable != "" {
		return "", f.noTable
	}
	table, likeliest := tableByColumns(members)
	switch {
	case table != "":
		f.pathTable = table
		f.warn(line, "taken for "+table+" by its columns; --table says otherwise")
		return table, ""
	case f.ownName != "":
		f.pathTable = f.ownName
		if len(members) > 0 {
			f.warn(line, "taken for a table "+f.ownName+" by the file's name, and no such table is known; --table says otherwise")
		}
		return f.ownName, ""
	}
	which := "and its columns are those of no known table"
	if len(likeliest) > 0 {
		which = "and its columns do not tell it either: it may be " + oneOf(likeliest)
	}
	f.noTable = fmt.Sprintf("the record does not say which table it belongs to (it has no Type), nor does its file's name, %s; "+
		"say it with --table NAME, or name the file after the table, such as SigninLogs.json", which)
	return "", f.noTable
}

func oneOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
