package enrich

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// mostMoments is how many moments a timeline has room for.
const mostMoments = 20

// event is what an account did once, or many times in a row, or a change of it.
type event struct {
	first  *prompt
	n      int // times, of a prompt
	until  time.Time
	change alert.Moment // what happened to the account
	who    string       // if not the account of the alert
	weight weight
}

// weight says which events a timeline keeps before others.
type weight int

const (
	weightGrave    weight = iota // sign-ins that stand out
	weightRejected               // refusals
	weightMethod                 // changes of the account
	weightSuccess                // other sign-ins
	weightPrompt                 // prompts that were not answered
	weights
)

// roomFor is how many events of a weight a timeline keeps at least.
var roomFor = [weights]int{weightGrave: 8, weightRejected: 8, weightMethod: 4}

// events are what happened around an alert: as much of each weight as a timeline
// may have, and how often the rest did.
type events struct {
	by   [weights][]event
	left [weights]int
}

// add takes up an event that came after the others. Of each weight the first ones
// are kept; of what matters least, the last.
func (e *events) add(next event) {
	w := next.weight
	if len(e.by[w]) == mostMoments {
		if w != weightSuccess && w != weightPrompt {
			e.left[w] += next.times()
			return
		}
		e.left[w] += e.by[w][0].times()
		copy(e.by[w], e.by[w][1:])
		e.by[w] = e.by[w][:mostMoments-1]
	}
	e.by[w] = append(e.by[w], next)
}

// join takes up what happened to others, in the order of time.
func (e *events) join(others events) {
	for w := range weights {
		list := slices.Concat(e.by[w], others.by[w])
		slices.SortStableFunc(list, func(x, y event) int { return x.time().Compare(y.time()) })
		e.by[w] = nil
		for _, next := range list {
			e.add(next)
		}
		e.left[w] += others.left[w]
	}
}

// events are what an account did within the alert's look, with what it did many
// times in a row as one. Without a prompt that was not approved, it is all that
// is known. That clients use their tokens is of no interest, unless it stands out.
func (r *rejections) events(s subject, grave []bool) events {
	var list events
	var current event
	flush := func() {
		if current.n > 0 {
			list.add(current)
		}
	}
	for i := range s.prompts {
		p, w := &s.prompts[i], weightPrompt
		switch {
		case grave != nil && grave[i]:
			w = weightGrave
		case p.kind == alert.MomentRejected:
			w = weightRejected
		case p.kind == alert.MomentSuccess:
			w = weightSuccess
		}
		if len(r.prompts) > 0 && !r.counts(p) || w == weightSuccess && !p.interactive {
			continue
		}
		if current.n > 0 && current.weight == w && current.continues(p) {
			current.n, current.until = current.n+1, p.time
			continue
		}
		flush()
		current = event{first: p, n: 1, until: p.time, weight: w}
	}
	flush()
	for _, m := range s.moments() {
		list.add(event{change: m, weight: weightMethod})
	}
	return list
}

// continues reports whether a prompt is the same as those of the event.
func (e *event) continues(p *prompt) bool {
	first := e.first
	return p.kind == first.kind && p.address == first.address && p.app == first.app && p.code == first.code && p.interactive == first.interactive
}

func (e *event) time() time.Time {
	if e.n > 0 {
		return e.first.time
	}
	return e.change.Time
}

// times is how often it happened.
func (e *event) times() int { return max(e.n, 1) }

// timeline lists events in order. If there are too many, it keeps refusals and
// the gravest sign-ins before others, and its last line says what was left out.
func timeline(all events) []alert.Moment {
	kept, left := all.choose()
	slices.SortStableFunc(kept, func(x, y event) int { return x.time().Compare(y.time()) })
	var list []alert.Moment
	for i := range kept {
		list = append(list, kept[i].moment())
	}
	var missing []string
	for w, n := range left {
		if n > 0 {
			missing = append(missing, count(int64(n), [weights]string{"sign-in that stands out", "refusal", "change of the account", "other sign-in", "unanswered prompt"}[w]))
		}
	}
	if len(missing) > 0 {
		list = append(list, alert.Moment{Time: list[len(list)-1].Time, Kind: alert.MomentLeftOut, Text: "left out: " + strings.Join(missing, ", ")})
	}
	return list
}

// choose picks the events that a timeline has room for, and counts what happened
// in the others. Of each weight the first ones go in, of prompts the last.
func (e *events) choose() (kept []event, left [weights]int) {
	var took [weights]int
	room := mostMoments
	for w := range weights {
		took[w] = min(roomFor[w], len(e.by[w]))
		room -= took[w]
	}
	for w := range weights {
		n := min(room, len(e.by[w])-took[w])
		took[w], room = took[w]+n, room-n
	}
	left = e.left
	for w := range weights {
		list, others := e.by[w][:took[w]], e.by[w][took[w]:]
		if w == weightSuccess || w == weightPrompt {
			n := len(e.by[w]) - took[w]
			list, others = e.by[w][n:], e.by[w][:n]
		}
		kept = append(kept, list...)
		for i := range others {
			left[w] += others[i].times()
		}
	}
	return kept, left
}

// signing is a sign-in, once and several times.
var signing = [2]string{"signed in", "signed in %d times"}

// approving is what happened where a sign-in ended otherwise after an approval.
var approving = [2]string{"approved an MFA prompt", "approved %d MFA prompts"}

func (e *event) moment() alert.Moment {
	if e.n == 0 {
		return e.change
	}
	p := e.first
	words := signing
	stopped := p.kind == alert.MomentSuccess && p.stopped()
	if stopped {
		words = approving
	}
	said := words[0]
	if e.n > 1 {
		said = fmt.Sprintf(words[1], e.n)
	}
	said = cmp.Or(text.Prompted(p.kind, e.n), said)
	if e.n > 1 {
		said += " in " + ago(e.until.Sub(p.time))
	}
	if !p.interactive && p.kind == alert.MomentSuccess {
		said += " non-interactively"
	}
	if e.who != "" {
		said = e.who + " " + said
	}
	end := " (" + text.QuotedOr(p.app, "application unknown") + ")"
	if stopped {
		end += p.ended()
	}
	m := alert.Moment{Time: p.time, Kind: p.kind, Text: said + " from " + text.QuotedOr(p.address, "an unknown address") + end, Brief: said + end,
		From: p.address, Ordinary: e.weight == weightSuccess}
	if e.n > 1 {
		m.Count, m.Until = e.n, e.until
	}
	return m
}

// prompt is a second factor that was asked for, or a sign-in that succeeded.
type prompt struct {
	time, last         time.Time // of the requests that are one authentication
	logged, lastLogged time.Time // when they were logged
	kind               alert.MomentKind
	refusedFirst       bool   // a success at a step after a rejected one
	interactive        bool   // not by a token that a client had
	service            bool   // a service signed in, in a session of the account
	inSession          string // the session's id, where that is known
	code               string // how the sign-in ended
	of                 *account
	account, user      string // whose it is, where that is none of the alerts' accounts
	place              string // see [batch.place]
	usual              bool   // see [usual.isUsual]
	strange            int    // see [usual.strangeness]

	address, network, country, device, deviceName, app, session string
}

// at is the same at another time.
func (p *prompt) at(moment time.Time) *prompt {
	moved := *p
	moved.time, moved.last = moment, moment
	return &moved
}

// title is what an account of no alert is called.
func (p prompt) title() string { return text.QuotedOr(cmp.Or(p.user, p.account), "an unknown account") }

func (b *batch) after(r row) {
	if table := r.text("Table"); table != "" {
		b.tables[table] = true
		return
	}
	id, name := strings.ToLower(r.text("UserId")), strings.ToLower(r.text("User"))
	p := prompt{
		time: r.time("TimeGenerated"), last: r.time("Last"), logged: r.time("Logged"), lastLogged: r.time("LastLogged"), kind: alert.MomentKind(r.text("Kind")),
		refusedFirst: r.value("RefusedFirst") == true, interactive: r.value("IsInteractive") == true, code: r.text("ResultType"), of: b.find(id, name),
		address: canonical(r.text("IPAddress")), network: r.text("Network"), country: r.text("Country"), device: r.text("DeviceId"), deviceName: r.text("Device"),
		app: r.text("AppDisplayName"), session: r.text("Authentication"), inSession: r.text("SessionId"), service: r.value("IsService") == true,
	}
	if p.network == "0" {
		p.network = ""
	}
	p.place, p.account = b.place(p.address), cmp.Or(id, name)
	if b.answered != nil {
		key := strings.Join([]string{p.account, p.session, p.address, string(p.kind)}, "\x00")
		if b.answered[key] {
			return
		}
		b.answered[key] = true
	}
	if r.value("IsVisitor") != true && p.of != nil {
		p.of.prompts = append(p.of.prompts, p)
	} else {
		p.user = name
	}
	if _, ok := b.visitors[p.place]; ok && p.kind == alert.MomentSuccess && p.interactive {
		if p.of != nil {
			p.user = p.of.name
		}
		b.visitors[p.place] = append(b.visitors[p.place], p)
	}
}
