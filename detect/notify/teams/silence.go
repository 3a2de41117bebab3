package teams

import (
	"pushback/detect/alert"
	"pushback/detect/silence"
)

// silenceLines is the command that silences exactly the story of an alert for a day, to
// copy: one line if it is the same in both shells. What it holds of a log is written in
// letters, digits and few signs; see [silence.Commands].
func silenceLines(a alert.Alert) []string {
	switch bash, powershell := silence.Commands(a); {
	case bash == "" || powershell == "":
		return nil
	case bash == powershell:
		return []string{bash}
	default:
		return []string{"bash: " + bash, "PowerShell: " + powershell}
	}
}

// silenceFact is the command beside its name. It is no text of a log that has to be made
// inert, and must be copied as it is.
func silenceFact(lines []string) columnSet {
	f := fact("Silence for a day", lines...)
	for _, item := range f.Columns[1].Items {
		if block, ok := item.(richTextBlock); ok {
			for i := range block.Inlines {
				block.Inlines[i].IsSubtle = true
			}
		}
	}
	return f
}
