package rule

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Get-AzSentinelAlertRule | ConvertTo-Json writes a rule as an object of PowerShell:
// its keys are in Pascal case, some of lists are in the singular, and a time span is an
// object of its parts.
//
// See https://learn.microsoft.com/powershell/module/az.securityinsights/get-azsentinelalertrule.

// plurals are the keys of lists by what PowerShell calls them.
var plurals = map[string]string{
	"tactic": "tactics", "technique": "techniques", "subTechnique": "subTechniques", "entityMapping": "entityMappings", "fieldMapping": "fieldMappings",
	"customDetail": "customDetails",
}

// isPowerShell reports whether a mapping is a rule as PowerShell writes it.
func isPowerShell(n *yaml.Node) bool {
	pascal := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		pascal[resolve(n.Content[i]).Value] = true
	}
	return pascal["Query"] && pascal["DisplayName"]
}

// fromPowerShell returns a value with the keys and the durations that the API has. What
// custom details are called stays as it is.
func fromPowerShell(n *yaml.Node, depth int) *yaml.Node {
	n = resolve(n)
	if depth > maxCollectDepth || n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return n
	}
	if span, ok := timeSpan(n); ok {
		return textNode(n, span)
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Style: n.Style, Line: n.Line, Column: n.Column}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			out.Content = append(out.Content, fromPowerShell(item, depth+1))
		}
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		name := lowerFirst(key.Value)
		if plural := plurals[name]; plural != "" {
			name = plural
		}
		switch {
		case depth == 0 && (strings.HasPrefix(name, "systemData") || name == "resourceGroupName"):
			continue
		case name != "customDetails":
			value = fromPowerShell(value, depth+1)
		}
		out.Content = append(out.Content, scalarAt(key, name), value)
	}
	return out
}

// timeSpan reads a time span of .NET as ConvertTo-Json writes it: {"Ticks": ...} among
// other parts. A tick is 100 ns.
func timeSpan(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.MappingNode {
		return "", false
	}
	ticks := get(n, "Ticks")
	if ticks == nil || get(n, "TotalSeconds") == nil {
		return "", false
	}
	count, err := strconv.ParseInt(ticks.Value, 10, 64)
	if err != nil {
		return "", false
	}
	seconds := count / 10_000_000
	if seconds%60 == 0 {
		return fmt.Sprintf("PT%dM", seconds/60), true
	}
	return fmt.Sprintf("PT%dS", seconds), true
}

func lowerFirst(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
