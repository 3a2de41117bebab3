package enrich

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// mostMoments is how many moments a timeline has room for.
const mostMoments = 20

// event is what an account did once, or many times in a row, or a change of it.
type event struct {
	first  prompt
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

// events are what an account did within the alert's look, with what it did many
// times in a row as one. Without a prompt that was not approved, it is all that
// is known. That clients use their tokens is of no interest, unless it stands out.
func (r rejections) events(s subject, grave map[int]bool) []event {
	var list []event
	weightOf := func(i int) weight {
		switch p := s.prompts[i]; {
		case grave[i]:
			return weightGrave
		case p.kind == alert.MomentRejected:
			return weightRejected
		case p.kind == alert.MomentSuccess:
			return weightSuccess
		}
		return weightPrompt
	}
	counts := func(p prompt) bool { return len(r.prompts) == 0 || r.counts(p) }
	for i, p := range s.prompts {
		w := weightOf(i)
		if !counts(p) || w == weightSuccess && !p.interactive {
			continue
		}
		if n := len(list) - 1; n >= 0 && list[n].weight == w && list[n].continues(p) {
			list[n].n, list[n].until = list[n].n+1, p.time
			continue
		}
		list = append(list, event{first: p, n: 1, until: p.time, weight: w})
	}
	for _, m := range s.moments() {
		list = append(list, event{change: m, weight: weightMethod})
	}
	return list
}

// continues reports whether a prompt is the same as those of the event.
func (e event) continues(p prompt) bool {
	first := e.first
	return p.kind == first.kind && p.address == first.address && p.app == first.app && p.code == first.code && p.interactive == first.interactive
}

func (e event) time() time.Time {
	if e.n > 0 {
		return e.first.time
	}
	return e.change.Time
}

// timeline lists events in order. If there are too many, it keeps refusals and
// the gravest sign-ins before others, and its last line says what was left out.
func timeline(events []event) []alert.Moment {
	kept := events
	var left [weights]int
	if len(events) > mostMoments {
		kept, left = choose(events)
	}
	slices.SortStableFunc(kept, func(x, y event) int { return x.time().Compare(y.time()) })
	list := make([]alert.Moment, 0, len(kept)+1)
	for _, e := range kept {
		list = append(list, e.moment())
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
	if len(list) == 0 {
		return nil
	}
	return list
}

// choose picks the events that a timeline has room for, and counts what happened
// in the others. Of each weight the first ones go in, of prompts the last.
func choose(events []event) (kept []event, left [weights]int) {
	var by [weights][]event
	for _, e := range events {
		by[e.weight] = append(by[e.weight], e)
	}
	for _, w := range []weight{weightSuccess, weightPrompt} {
		slices.Reverse(by[w])
	}
	var took [weights]int
	room := mostMoments
	for w := range weights {
		took[w] = min(roomFor[w], len(by[w]))
		room -= took[w]
	}
	for w := range weights {
		n := min(room, len(by[w])-took[w])
		took[w], room = took[w]+n, room-n
	}
	for w := range weights {
		kept = append(kept, by[w][:took[w]]...)
		for _, e := range by[w][took[w]:] {
			left[w] += max(e.n, 1)
		}
	}
	return kept, left
}

// doing is what happened once and several times.
var doing = map[alert.MomentKind][2]string{
	alert.MomentSuccess:  {"signed in", "signed in %d times"},
	alert.MomentRejected: {"rejected a prompt", "rejected %d prompts"},
	alert.MomentPrompt:   {"left a prompt unanswered or failed it", "left %d prompts unanswered or failed them"},
}

// approving is what happened where a sign-in ended otherwise after an approval.
var approving = [2]string{"approved a prompt", "approved %d prompts"}

func (e event) moment() alert.Moment {
	if e.n == 0 {
		return e.change
	}
	p := e.first
	words := doing[p.kind]
	stopped := p.kind == alert.MomentSuccess && p.stopped()
	if stopped {
		words = approving
	}
	text := words[0]
	if e.n > 1 {
		text = fmt.Sprintf(words[1], e.n) + " in " + ago(e.until.Sub(p.time))
	}
	if !p.interactive && p.kind == alert.MomentSuccess {
		text += " non-interactively"
	}
	if e.who != "" {
		text = e.who + " " + text
	}
	text = fmt.Sprintf("%s from %s (%s)", text, cmp.Or(p.address, "an unknown address"), cmp.Or(p.app, "application unknown"))
	if stopped {
		text += p.ended()
	}
	return alert.Moment{Time: p.time, Kind: p.kind, Text: text}
}

// prompt is a second factor that was asked for, or a sign-in that succeeded.
type prompt struct {
	time, last         time.Time // of the requests that are one authentication
	logged, lastLogged time.Time // when they were logged
	kind               alert.MomentKind
	refusedFirst       bool   // a success at a step after a rejected one
	interactive        bool   // not by a token that a client had
	code               string // how the sign-in ended
	of                 *account
	account, user      string // whose it is, where that is none of the alerts' accounts
	place              string // see [batch.place]

	address, network, country, device, deviceName, app, session string
}

// title is what an account of no alert is called.
func (p prompt) title() string { return cmp.Or(p.user, p.account, "an unknown account") }

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
		app: r.text("AppDisplayName"), session: r.text("Authentication"),
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
	if p.of != nil {
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
