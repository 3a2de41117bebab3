package webhook

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
)

// limits are how much of an alert a body has: how many rows, how many of other
// lists, and how many bytes of a text.
type limits struct{ rows, list, text int }

// levels are tried one after the other until a body is small enough. The last is
// for whatever somebody makes of a log.
var levels = []limits{{20, 200, 4000}, {10, 100, 2000}, {5, 50, 1000}, {1, 20, 500}, {0, 10, 200}, {0, 4, 60}}

// cutter keeps to limits and notes by its name in the body what it cut.
type cutter struct {
	limits
	cut  map[string]bool
	size int // of the texts so far, in bytes
}

func newCutter(l limits) *cutter { return &cutter{limits: l, cut: map[string]bool{}} }

// full reports whether the texts are more than a body has room for. Then nothing
// more is added: it is to be made within lower limits.
func (c *cutter) full() bool { return c.size > mostBody }

// names lists what was cut.
func (c *cutter) names() []string {
	maps.DeleteFunc(c.cut, func(_ string, cut bool) bool { return !cut })
	return slices.Sorted(maps.Keys(c.cut))
}

// value returns a value as it was logged, but for its end if it is long.
func (c *cutter) value(at, v string) string {
	short := text.CutBytes(v, c.text)
	if len(short) != len(v) {
		c.cut[at] = true
	}
	c.size += len(short)
	return short
}

// shown returns a text on one line that is safe to show.
func (c *cutter) shown(at, v string) string { return c.safe(at, v, text.Safe, text.Line) }

// lines is shown for a text of several lines.
func (c *cutter) lines(at, v string) string { return c.safe(at, v, text.SafeLines) }

// safe makes safe no more of a text than there may be, since a text may be very
// long and is longer then.
func (c *cutter) safe(at, v string, safe func(string) string, before ...func(string) string) string {
	if len(v) > c.text {
		v, c.cut[at] = v[:c.text], true
		v = strings.ToValidUTF8(v[:len(v)-cutRune(v)], "\ufffd") + "…"
	}
	for _, f := range before {
		v = f(v)
	}
	return c.value(at, safe(v))
}

// cutRune returns how many bytes at the end of a text are of a character whose end
// is missing.
func cutRune(v string) int {
	for n := 1; n < utf8.UTFMax && n <= len(v); n++ {
		if r := v[len(v)-n]; utf8.RuneStart(r) {
			if !utf8.FullRuneInString(v[len(v)-n:]) {
				return n
			}
			break
		}
	}
	return 0
}

// list returns as many of the items as there may be. It is never nil, so that
// receivers find a list.
func list[T, U any](c *cutter, at string, items []T, write func(at string, item T) U) []U {
	out := []U{}
	for i, item := range items {
		if i == c.list || c.full() {
			c.cut[at] = true
			break
		}
		out = append(out, write(at, item))
	}
	return out
}

// entity returns an entity with its fields by their identifiers.
func (c *cutter) entity(at string, e alert.Entity) entityBody {
	b := entityBody{Type: c.value(at, e.Type), Fields: map[string]string{}}
	for _, f := range e.Fields {
		c.put(at, b.Fields, f.Identifier, f.Value)
	}
	return b
}

// put puts a value under its name, unless there are too many or one of the name.
func (c *cutter) put(at string, into map[string]string, name, value string) {
	name = c.value(at, name)
	if _, twice := into[name]; twice || len(into) == c.list || c.full() {
		c.cut[at] = true
		return
	}
	into[name] = c.value(at, value)
}

// properties returns the properties by their names, or nil if there are none.
func (c *cutter) properties(list []alert.Property) map[string]string {
	b := map[string]string{}
	for _, p := range list {
		c.put("properties", b, p.Name, p.Value)
	}
	return b
}

// details returns the values of custom details by their names.
func (c *cutter) details(all []alert.Detail) map[string][]string {
	const at = "customDetails"
	b := map[string][]string{}
	for _, d := range all {
		name := c.value(at, d.Name)
		if _, twice := b[name]; twice || len(b) == c.list || c.full() {
			c.cut[at] = true
			continue
		}
		b[name] = list(c, at, d.Values, c.value)
	}
	return b
}

// mostLink is how long a link may be. Half of one leads nowhere.
const mostLink = 4000

// links returns the links that are not too long.
func (c *cutter) links(all []portal.Link) []linkBody {
	return list(c, "links", slices.DeleteFunc(slices.Clone(all), func(l portal.Link) bool {
		c.cut["links"] = c.cut["links"] || len(l.URL) > mostLink
		return len(l.URL) > mostLink
	}), func(at string, l portal.Link) linkBody { return linkBody{c.shown(at, l.Title), l.URL} })
}

// rows returns the first rows, each with its values by their columns.
func (c *cutter) rows(all []alert.Row) []map[string]json.RawMessage {
	b := []map[string]json.RawMessage{}
	for i, row := range all {
		if i == c.limits.rows || c.full() {
			c.cut["rows"] = true
			break
		}
		out := map[string]json.RawMessage{}
		for _, cell := range row {
			name := c.value("rows", cell.Column)
			if _, twice := out[name]; twice || len(out) == c.list || c.full() {
				c.cut["rows"] = true
				continue
			}
			out[name] = c.cell(cell)
		}
		b = append(b, out)
	}
	return b
}

// cell returns a value as JSON. A long one that is no text becomes one, since half
// of an object is none.
func (c *cutter) cell(cell alert.Cell) json.RawMessage {
	switch {
	case len(cell.Value) == 0:
		return json.RawMessage("null")
	case len(cell.Value) <= c.text && json.Valid(cell.Value):
		c.size += len(cell.Value)
		return cell.Value
	}
	short, err := json.Marshal(c.value("rows", cell.Text()))
	if err != nil { // a text has no value that JSON lacks
		return json.RawMessage("null")
	}
	return short
}

// context returns what was looked up about the entities, without the findings and
// the severity, which have places of their own.
func (c *cutter) context(of *alert.Context) *contextBody {
	const at = "context"
	return &contextBody{
		RiskScore: of.RiskScore, Prompts: of.Asked,
		New: list(c, at, of.New, c.value),
		Sections: list(c, at, of.Sections, func(at string, s alert.Section) sectionBody {
			return sectionBody{c.shown(at, s.Title), c.value(at, s.Subject), list(c, at, s.Facts, func(at string, d alert.Detail) factBody {
				return factBody{c.shown(at, d.Name), list(c, at, d.Values, c.value)}
			})}
		}),
		Timeline: list(c, at, of.Timeline, func(at string, m alert.Moment) momentBody {
			return momentBody{moment(m.Time), string(m.Kind), c.shown(at, m.Text), m.Count}
		}),
		Unavailable: list(c, at, of.Unavailable, c.shown),
	}
}
