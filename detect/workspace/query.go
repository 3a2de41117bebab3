package workspace

import (
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"
)

// Query is a rule's query over a stretch of time.
type Query struct {
	// Text is the KQL as the rule has it.
	Text string
	// Start and End bound TimeGenerated in every table that the query names.
	Start, End time.Time
	// Now is what now() and ago() count from. A rule that runs late must still
	// look at its own window, not at the hour in which it happens to run. If it
	// is zero, the service uses the time at which it runs the query.
	Now time.Time
	// RuleID and RuleVersion mark the query in LAQueryLogs.
	RuleID, RuleVersion string

	build string // of the client
}

// timeLayout writes all the decimals that Log Analytics keeps.
const timeLayout = "2006-01-02T15:04:05.0000000Z"

// text returns what is sent: lines of our own, then the rule's text. The
// number of lines of our own is q.preamble.
func (q Query) text() string {
	var b strings.Builder
	b.WriteString("// Pushback " + commentWord(q.RuleID) + " " + commentWord(q.RuleVersion))
	if q.build != "" {
		b.WriteString(" build " + commentWord(q.build))
	}
	b.WriteByte('\n')
	if !q.Now.IsZero() {
		b.WriteString("set query_now = datetime(" + q.Now.UTC().Format(timeLayout) + ");\n")
	}
	b.WriteString(q.Text)
	return b.String()
}

// preamble returns how many lines text puts in front of the rule's.
func (q Query) preamble() int {
	if q.Now.IsZero() {
		return 1
	}
	return 2
}

// timespan returns the span as the API takes it. azquery's own function would
// cut it to whole seconds. Whether the service includes the end is not
// documented; if it does, a record at that very moment is found by two
// neighbouring windows and the ledger drops it once, and if it does not, none is
// missed. Asking for less than the end could miss one.
func (q Query) timespan() azquery.TimeInterval {
	return azquery.TimeInterval(q.Start.UTC().Format(timeLayout) + "/" + q.End.UTC().Format(timeLayout))
}

// maxCommentWord is longer than a GUID and any sensible version.
const maxCommentWord = 64

// commentWord makes a rule's text fit for a comment: a line break in it would
// end the comment and begin a query.
func commentWord(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '-', r == '.', r == '_':
			return r
		default:
			return '_'
		}
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), maxCommentWord)]
}
