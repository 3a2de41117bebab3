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

// lookBefore is how long before the first prompt of an alert what happened counts:
// who approves one prompt may refuse the next.
const lookBefore = time.Hour

// rejections are the prompts of an account that an alert is about, which were
// not approved, with where and on what they were.
type rejections struct {
	prompts                      []prompt        // oldest first
	places                       map[string]bool // see [batch.place]
	networks, countries, devices map[string]bool
	sessions                     map[string]bool
	// named has the names of the devices, and whether a device of that name is not
	// one of before.
	named map[string]bool
	// from and to are when something counts for the alert: from an hour before the
	// first of the prompts, and of those that led to it, until the aftermath of the
	// last one is over.
	from, to time.Time
	// begun is when the first of the prompts was, and of those that led to it.
	begun time.Time
}

// rejectedOf returns the prompts that an alert is about. An alert without an
// address is about those of any.
func (b *batch) rejectedOf(a alert.Alert, s subject, addresses []string) rejections {
	r := rejections{places: map[string]bool{}, networks: map[string]bool{}, countries: map[string]bool{}, devices: map[string]bool{}, sessions: map[string]bool{}, named: map[string]bool{}}
	of := map[string]bool{}
	for _, ip := range addresses {
		of[ip] = true
	}
	for i := range s.prompts {
		p := &s.prompts[i]
		if p.kind == alert.MomentSuccess || len(addresses) > 0 && !of[p.address] || !p.overlaps(a.Span) {
			continue
		}
		if p.address != "" {
			r.places[p.place] = true
		}
		if p.inSession != "" {
			r.sessions[p.inSession] = true
		}
		if p.network != "" {
			r.networks[p.network] = true
		}
		if p.country != "" {
			r.countries[p.country] = true
		}
		if p.device != "" {
			r.devices[p.address+" "+p.device] = true
		}
		if p.deviceName != "" {
			r.named[p.deviceName] = r.named[p.deviceName] || s.owned[p.device+" "+p.deviceName] == 0
		}
		r.prompts = append(r.prompts, *p)
	}
	if len(r.prompts) == 0 && a.FraudReported() { // in a log of its own
		r.prompts = []prompt{{time: a.Span.Start, last: a.Span.End, kind: alert.MomentRejected}}
		for _, ip := range addresses {
			r.places[b.place(ip)] = true
		}
	}
	if len(r.prompts) > 0 {
		r.begun, r.to = b.looks(r.prompts, s.prompts)
		r.from = earlier(r.begun, r.prompts[0].time.Add(-lookBefore))
	}
	return r
}

// overlaps reports whether a prompt was, or was logged, within a span: a rule goes
// by the one or the other.
func (p *prompt) overlaps(span alert.Span) bool {
	return !p.last.Before(span.Start) && !p.time.After(span.End) || !p.lastLogged.Before(span.Start) && !p.logged.After(span.End)
}

// looks returns when the prompts began that led to refused ones of an account, and
// until when what it did counts for them, given all that it was asked for, oldest
// first.
func (b *batch) looks(refused, all []prompt) (begun, to time.Time) {
	from, to := refused[0].time, refused[len(refused)-1].last.Add(b.config.Aftermath)
	for i := len(all) - 1; i >= 0; i-- {
		p := &all[i]
		if p.kind != alert.MomentSuccess && p.time.Before(from) && from.Sub(p.time) <= lookBefore {
			from = p.time
		}
	}
	for i := range all {
		p := &all[i]
		if p.kind != alert.MomentSuccess && !p.time.Before(refused[0].time) && !p.time.After(to) {
			to = later(to, p.last.Add(b.config.Aftermath))
		}
	}
	return from, to
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// counts reports whether a sign-in is within the look of the alert.
func (r *rejections) counts(p *prompt) bool {
	return !p.last.Before(r.from) && !p.time.After(r.to)
}

// kindOf returns as what a success counts, if it stands out.
func kindOf(r *rejections, p *prompt) (alert.FindingKind, bool) {
	switch {
	case p.refusedFirst && r.places[p.place]:
		return alert.FoundSuccessSameSignIn, true
	case !p.interactive && r.sessions[p.inSession]:
		return alert.FoundSuccessNonInteractive, true
	case p.usual || p.service:
		return "", false
	case p.address != "" && r.places[p.place]:
		if !p.interactive {
			return alert.FoundSuccessNonInteractive, true
		}
		return alert.FoundSuccessSameIP, true
	case !p.interactive && !p.stopped():
		// A device that is on its way refreshes its tokens from everywhere.
		return alert.FoundSuccessNonInteractive, r.networks[p.network] || p.strange&strangeDevice > 0
	case r.networks[p.network]:
		return alert.FoundSuccessSameNetwork, true
	case p.strange > 0:
		return alert.FoundSuccessElsewhere, true
	}
	return "", false
}

// weighed is the gravest success of a kind, and how many there are of it.
type weighed struct {
	*prompt
	n int
}

// assessSuccesses finds where the account signed in around the prompts. Without a
// prompt that was not approved, a success says nothing. It returns which of the
// account's successes stand out.
func (b *batch) assessSuccesses(f findings, s subject, r rejections) (grave []bool) {
	if len(r.prompts) == 0 {
		return nil
	}
	grave = make([]bool, len(s.prompts))
	gravest := map[alert.FindingKind]weighed{}
	for i := range s.prompts {
		p := &s.prompts[i]
		if p.kind != alert.MomentSuccess || !r.counts(p) {
			continue
		}
		kind, ok := kindOf(&r, p)
		if !ok {
			continue
		}
		grave[i] = true
		w := gravest[kind]
		if w.n++; w.n == 1 || graver(&r, p, w.prompt) {
			w.prompt = p
		}
		gravest[kind] = w
	}
	if gravest[alert.FoundSuccessSameSignIn].n+gravest[alert.FoundSuccessSameIP].n > 0 {
		delete(gravest, alert.FoundSuccessNonInteractive) // which says less of the same
	}
	for kind, w := range gravest {
		p, when, app := w.prompt, r.when(w.prompt), text.QuotedOr(w.app, "application unknown")
		how, did := p.ended(), "signed in"
		if p.stopped() {
			did = "approved a prompt"
		}
		rest := fmt.Sprintf("%s%s (%s)%s", when, how, app, more(w.n-1, "such sign-in"))
		briefly := when + how + " (" + app + ")"
		if w.n > 1 {
			briefly += fmt.Sprintf(", and %d more", w.n-1)
		}
		from := text.QuotedOr(p.address, "an unknown address")
		short := when + how
		what := func(reason, brief string) said {
			return said{reason: reason, brief: brief, at: p.last, from: p.address}
		}
		switch kind {
		case alert.FoundSuccessSameSignIn:
			f.add(kind, what("signed in within the same sign-in "+short, did+" within the same sign-in "+briefly), "%s rejected a prompt and then %s within the same sign-in, from %s, %s", s.title, did, from, rest)
		case alert.FoundSuccessSameIP:
			where := "the same address"
			if !r.has(p.address) {
				where = fmt.Sprintf("the same /%d", b.config.IPv6Prefix)
			}
			f.add(kind, what(did+" from "+where+" "+short, did+" from "+where+" "+briefly), "%s %s from %s, %s, %s", s.title, successfully(did), where, from, rest)
		case alert.FoundSuccessNonInteractive:
			switch {
			case p.service:
				f.add(kind, what("a service signed in within the session "+short, "a service signed in within the session, from "+from+", "+briefly), "a service signed in within the session of %s, from %s, %s", s.title, from, rest)
			case !r.places[p.place] && !r.sessions[p.inSession]:
				f.add(kind, what("a non-interactive sign-in from elsewhere "+short, "non-interactive sign-in from elsewhere, "+from+", "+briefly), "%s signed in non-interactively from elsewhere, %s, %s", s.title, from, rest)
			case !r.places[p.place]:
				f.add(kind, what("a non-interactive sign-in within the session "+short, "non-interactive sign-in within the session, from "+from+", "+briefly), "%s signed in non-interactively within the same session, from %s, %s", s.title, from, rest)
			default:
				f.add(kind, what("a non-interactive sign-in from the same address "+short, "non-interactive sign-in from the same address "+briefly), "%s signed in non-interactively from the same address, %s, %s", s.title, from, rest)
			}
		case alert.FoundSuccessSameNetwork:
			f.add(kind, what(did+" from the same network "+short, did+" from the same network, at "+from+", "+briefly), "%s %s from the same network, AS%s, at %s, %s", s.title, successfully(did), text.Item(p.network), from, rest)
		case alert.FoundSuccessElsewhere:
			unseen := b.unseen(s, p)
			f.add(kind, what(did+" from another network "+short, fmt.Sprintf("%s from another network%s, %s, %s: confirm with the user", did, strings.TrimPrefix(", "+unseen, ", on a network"), from, briefly)),
				"%s %s from another network, %s, %s, %s: confirm with the user", s.title, did, from, unseen, rest)
			if s.isNone() {
				f.weaken(kind)
			}
		}
	}
	return grave
}

func successfully(did string) string {
	if did == "signed in" {
		return "signed in successfully"
	}
	return did
}

// more says how many others there are.
func more(n int, noun string) string {
	if n == 0 {
		return ""
	}
	return ", and " + count(int64(n), "more "+noun)
}

// has reports whether one of the prompts was from an address.
func (r *rejections) has(address string) bool {
	return slices.ContainsFunc(r.prompts, func(p prompt) bool { return p.address == address })
}

// when says how long before or after the nearest prompt a success was.
func (r *rejections) when(p *prompt) string {
	// The prompts are in order: the last that was not after it.
	i, _ := slices.BinarySearchFunc(r.prompts, p.last, func(q prompt, t time.Time) int {
		if q.time.After(t) {
			return 1
		}
		return -1
	})
	if i == 0 {
		first := r.prompts[0]
		return ago(first.time.Sub(p.last)) + " before " + inVain[first.kind]
	}
	before := r.prompts[i-1]
	return ago(p.last.Sub(before.time)) + " after " + inVain[before.kind]
}

// graver reports whether a success says more than another of the same kind: it is
// after a prompt, it ended well, it is on what was never seen, and then by time.
func graver(r *rejections, p, than *prompt) bool {
	first := r.prompts[0].time
	return cmp.Or(
		cmp.Compare(btoi(!p.last.Before(first)), btoi(!than.last.Before(first))),
		cmp.Compare(btoi(!p.stopped()), btoi(!than.stopped())),
		cmp.Compare(p.strange, than.strange),
		than.last.Compare(p.last),
	) > 0
}

// inVain is what happened at a prompt that was not approved.
var inVain = map[alert.MomentKind]string{alert.MomentRejected: "rejecting", alert.MomentPrompt: "an unapproved prompt"}

// stopped reports whether the sign-in did not end well although a second factor
// was approved.
func (p *prompt) stopped() bool { return p.code != "" && p.code != "0" }

// ended says how an approved sign-in ended, if not well.
func (p *prompt) ended() string {
	if !p.stopped() {
		return ""
	}
	return ", then " + cmp.Or(endings[p.code], "stopped by an error") + " (" + text.Item(p.code) + ")"
}

// endings say what stops a sign-in behind an approval, by its code. See
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
var endings = map[string]string{
	"50005":  "stopped, as the platform is not supported",
	"50055":  "stopped, as the password has expired",
	"50072":  "asked to register a second factor",
	"50074":  "asked for a second factor",
	"50076":  "asked for a second factor",
	"50079":  "asked to register a second factor",
	"50097":  "asked to authenticate the device",
	"50105":  "stopped, as the user is not assigned to the application",
	"50125":  "interrupted to reset or register the password",
	"50129":  "stopped, as the device is not joined",
	"50131":  "stopped by Conditional Access",
	"50140":  "asked whether to stay signed in",
	"50144":  "stopped, as the password has expired",
	"50158":  "sent on to an external challenge",
	"50173":  "stopped, as the session was revoked",
	"53000":  "stopped, as the device is not compliant",
	"53001":  "stopped, as the device is not joined",
	"53002":  "stopped, as the application is not approved",
	"53003":  "stopped by Conditional Access",
	"53004":  "stopped, as the user must register at once",
	"530002": "stopped, as the device is not compliant",
	"530003": "stopped, as the device is not registered",
	"530032": "stopped by a policy of the tenant",
	"65001":  "stopped for want of consent",
	"65004":  "ended by declining consent",
	"70044":  "stopped, as the session has expired",
	"90094":  "stopped for want of an administrator's consent",
	"90095":  "sent on to ask for an administrator's consent",
}
