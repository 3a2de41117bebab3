package pull

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"pushback/detect/rule"
)

// functionName is the form of a name that a query can call.
var functionName = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// file returns a function as a file that --functions reads, with its extension: KQL,
// or what the API returns if no KQL says the same.
func (f Function) file() (content []byte, extension string, err error) {
	if !functionName.MatchString(f.Alias) {
		return nil, "", fmt.Errorf("the function %s is left out: no query can call it by that name", quoted(f.Alias))
	}
	query := strings.TrimSpace(unixLines(f.Query))
	if query == "" {
		return nil, "", fmt.Errorf("the function %s is left out: its query is empty", quoted(f.Alias))
	}
	parameters := strings.TrimSpace(unixLines(f.Parameters))
	kql := []byte("let " + f.Alias + " = (" + parameters + ") {\n" + query + "\n}\n")
	read, _ := rule.ParseFunctions(f.Alias+".kql", kql)
	if len(read) == 1 && read[0].Names[0] == f.Alias && strings.TrimSpace(read[0].Parameters) == parameters && strings.TrimSpace(read[0].Body.Text) == query {
		return kql, ".kql", nil
	}
	content, err = json.MarshalIndent(map[string]any{"properties": map[string]string{
		"functionAlias": f.Alias, "functionParameters": parameters, "query": query,
	}}, "", "  ")
	if err != nil {
		return nil, "", err
	}
	return append(content, '\n'), ".json", nil
}

// unixLines has a text's lines end as those of a file in a repository do.
func unixLines(text string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// sameFunction reports whether a function in the folder is the one of the workspace.
func sameFunction(here rule.Function, there Function) bool {
	return strings.Join(strings.Fields(here.Parameters), "") == strings.Join(strings.Fields(there.Parameters), "") && sameText(here.Body.Text, there.Query)
}

// sameText reports whether two texts are the same but for how their lines end.
func sameText(a, b string) bool { return plainText(a) == plainText(b) }

// plainText is a text without what the portal changes in one by itself: how its lines
// end, and white space there.
func plainText(text string) string {
	lines := strings.Split(strings.TrimSpace(unixLines(text)), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Join(lines, "\n")
}
