package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"

	"pushback/detect/notify/console"
)

// checkPrinter returns what prints a check: as JSON, or in a table whose last column
// wraps where the output is a terminal or COLUMNS says how wide it is.
func checkPrinter(w io.Writer, asJSON bool) func(checkLine) error {
	style := styleOf(w)
	if !isTerminal(w) && columns() == 0 {
		style.Width = math.MaxInt32 // whoever reads it from a file looks for lines
	}
	return func(l checkLine) error {
		if asJSON {
			text, err := json.Marshal(l)
			if err == nil {
				_, err = fmt.Fprintf(w, "%s\n", escaped(text))
			}
			return err
		}
		_, err := io.WriteString(w, checkText(l, style))
		return err
	}
}

// checkText draws a check: its status, its name, what was found and, on a line of
// its own, what to do.
func checkText(l checkLine, style console.Style) string {
	const status, name = 8, 12
	indent := status + 1 + name + 1
	if style.Width < 60 {
		indent = 4
	}
	found, do := strings.TrimSpace(strings.TrimSuffix(l.Text, l.Do)), l.Do
	lines := console.Wrap(found, style.Width-indent)
	first := len(lines)
	if do != "" {
		lines = append(lines, console.Wrap(do, style.Width-indent)...)
	}
	var sb strings.Builder
	head := style.Status(l.Status) + strings.Repeat(" ", max(status-len(l.Status), 0)) + " " + l.Check
	if indent == 4 {
		sb.WriteString(head + "\n")
	} else {
		sb.WriteString(head + strings.Repeat(" ", max(name-len(l.Check), 0)) + " ")
	}
	for i, line := range lines {
		if i > 0 || indent == 4 {
			sb.WriteString(strings.Repeat(" ", indent))
		}
		if i >= first {
			line = style.Bold(line)
		}
		sb.WriteString(line + "\n")
	}
	return sb.String()
}

// begins is where what to do begins: a command behind the end of a sentence or of a
// clause.
var begins = regexp.MustCompile(`[.:;] (?:(?i:set|run|check|connect|tick|remove|use|give|deploy|make|see|copy|add|change|restart|put|open|choose|create|wait|upgrade|correct|expected)|[Hh]ave an|[Ss]ign in|[Ii]ts first field|[Dd]rop it) `)

// advice parts what a check says into what was found and what to do about it.
func advice(text string) (found, do string) {
	at := begins.FindStringIndex(text)
	if at == nil {
		return text, ""
	}
	return text[:at[0]+1], text[at[0]+2:]
}
