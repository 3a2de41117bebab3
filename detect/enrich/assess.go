package enrich

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// mostMoments is how many prompts a timeline has room for.
const mostMoments = 20

// subject is an account of an alert with what it did around the alert.
type subject struct {
	*account
	title   string
	prompts []prompt // until the batch's time, oldest first
}

// assess fills in the context of an alert and sets its severity.
func (b *batch) assess(a *alert.Alert, missing map[string]string) {
	var subjects []subject
	var addresses []string
	seen := map[any]bool{}
	for _, e := range a.Entities {
		id, name := accountOf(e)
		if acc := b.find(id, name); acc != nil && !seen[acc] {
			seen[acc] = true
			s := subject{account: acc, title: cmp.Or(name, id), prompts: slices.Clone(acc.prompts)}
			slices.SortFunc(s.prompts, func(x, y prompt) int {
				return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.kind, y.kind), cmp.Compare(x.session, y.session), cmp.Compare(x.address, y.address))
			})
			// Rows come in any order.
			slices.SortFunc(s.methods, func(x, y method) int { return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.what, y.what)) })
			subjects = append(subjects, s)
		}
		if ip := addressOf(e); ip != "" && !seen[ip] {
			seen[ip] = true
			addresses = append(addresses, ip)
		}
	}
	if len(subjects) == 0 && len(addresses) == 0 {
		return
	}
	c := &alert.Context{RuleSeverity: a.Severity}
	f := findings{}
	for _, s := range subjects {
		b.assessAccount(f, c, *a, s, addresses, missing)
		c.Sections = append(c.Sections, b.sections(s)...)
		c.Timeline = append(c.Timeline, timeline(s)...)
		for _, m := range s.methods {
			c.Timeline = append(c.Timeline, alert.Moment{Time: m.time, Kind: alert.MomentMethod, Text: m.what})
		}
	}
	for _, ip := range addresses {
		b.assessAddress(f, c, ip, subjects)
	}
	slices.SortStableFunc(c.Timeline, func(x, y alert.Moment) int { return x.Time.Compare(y.Time) })
	if len(c.Timeline) > mostMoments { // the last ones matter most
		c.Timeline = c.Timeline[len(c.Timeline)-mostMoments:]
	}
	for _, k := range kinds {
		if why, ok := missing[k.name]; ok && (k.accounts && len(subjects) > 0 || !k.accounts && len(addresses) > 0) {
			c.Unavailable = append(c.Unavailable, fmt.Sprintf("%s: not available, %s", k.name, why))
		}
	}
	list := f.list()
	for _, found := range list {
		c.Findings = append(c.Findings, found.Finding)
	}
	if c.Steps = b.config.Steps.apply(a.Severity, list); len(c.Steps) > 0 {
		a.Severity = c.Steps[len(c.Steps)-1].Severity
	}
	a.Context = c
}

// findings are sentences by kind. An alert has one of each kind: about the
// first entity that it holds for.
type findings map[alert.FindingKind]finding

// finding is a finding with the reason that it gives for another severity, in a
// few words.
type finding struct {
	alert.Finding
	reason string
}

func (f findings) add(kind alert.FindingKind, reason, format string, args ...any) {
	if _, ok := f[kind]; !ok {
		f[kind] = finding{alert.Finding{Kind: kind, Text: fmt.Sprintf(format, args...)}, reason}
	}
}

func (f findings) list() []finding {
	var list []finding
	for _, kind := range alert.FindingKinds() {
		if found, ok := f[kind]; ok {
			list = append(list, found)
		}
	}
	return list
}

// assessAccount adds what stands out about an account of an alert, and the values
// of the alert that are new for it.
func (b *batch) assessAccount(f findings, c *alert.Context, a alert.Alert, s subject, addresses []string, missing map[string]string) {
	r := rejectedOf(a, s, addresses)
	r.assessSuccesses(f, s, addresses)
	r.assessMethods(f, s)
	b.assessStanding(f, a, s)
	// What is new takes something to compare with.
	if _, unknown := missing[signInsBefore]; !unknown && s.signIns > 0 {
		b.assessNovelty(f, c, s, r, addresses)
	}
}

// rejections are the prompts of an account that an alert is about, which were
// not approved, with where and on what they were.
type rejections struct {
	prompts                      []prompt // oldest first
	networks, countries, devices map[string]bool
	// named has the names of the devices, and whether a device of that name is not
	// one of before.
	named map[string]bool
}

// rejectedOf returns the prompts that an alert is about.
func rejectedOf(a alert.Alert, s subject, addresses []string) rejections {
	r := rejections{networks: map[string]bool{}, countries: map[string]bool{}, devices: map[string]bool{}, named: map[string]bool{}}
	for _, p := range s.prompts {
		if p.kind == alert.MomentSuccess || !slices.Contains(addresses, p.address) || p.last.Before(a.Span.Start) || p.time.After(a.Span.End) {
			continue
		}
		if p.network != "" && p.network != "0" {
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
		r.prompts = append(r.prompts, p)
	}
	return r
}

// assessSuccesses finds where the account signed in afterwards. Without a prompt
// that was not approved, a success says nothing.
func (r rejections) assessSuccesses(f findings, s subject, addresses []string) {
	if len(r.prompts) == 0 {
		return
	}
	first := r.prompts[0].time
	for _, p := range s.prompts {
		if p.kind != alert.MomentSuccess || p.last.Before(first) || p.time.Sub(first) > alert.AftermathLasts {
			continue
		}
		var when string
		for _, before := range r.prompts {
			if !before.time.After(p.last) {
				when = ago(p.last.Sub(before.time)) + " after " + inVain[before.kind]
			}
		}
		app := cmp.Or(p.app, "application unknown")
		switch {
		case p.refusedFirst && slices.Contains(addresses, p.address):
			f.add(alert.FoundSuccessSameSignIn, "signed in within the same sign-in "+when, "%s rejected a prompt and then signed in within the same sign-in, from %s, %s (%s)", s.title, p.address, when, app)
		case slices.Contains(addresses, p.address):
			f.add(alert.FoundSuccessSameIP, "signed in from the same address "+when, "%s signed in successfully from the same address, %s, %s (%s)", s.title, p.address, when, app)
		case r.networks[p.network]:
			f.add(alert.FoundSuccessSameNetwork, "signed in from the same network "+when, "%s signed in successfully from the same network, AS%s, %s (%s)", s.title, p.network, when, app)
		default:
			f.add(alert.FoundSuccessElsewhere, "signed in from elsewhere "+when, "%s signed in from elsewhere, %s, %s (%s): ask whether that was the user", s.title, cmp.Or(p.address, "address unknown"), when, app)
		}
	}
}

// inVain is what happened at a prompt that was not approved.
var inVain = map[alert.MomentKind]string{alert.MomentRejected: "rejecting", alert.MomentPrompt: "a prompt in vain"}

// assessMethods finds changes of the account's methods afterwards.
func (r rejections) assessMethods(f findings, s subject) {
	if len(r.prompts) == 0 {
		return
	}
	for _, m := range s.methods {
		if after := m.time.Sub(r.prompts[0].time); after >= 0 && after <= alert.AftermathLasts {
			f.add(alert.FoundMethodChanged, "MFA methods changed "+ago(after)+" after the first prompt", "the MFA methods of %s changed %s after the first prompt: %s", s.title, ago(after), m.what)
		}
	}
}

// assessStanding finds what makes the account matter more, whatever was rejected.
func (b *batch) assessStanding(f findings, a alert.Alert, s subject) {
	if n := busiest(s.prompts, a.Span.End); n >= b.config.Bombing {
		f.add(alert.FoundBombing, fmt.Sprintf("%d prompts within an hour", n), "%d prompts within an hour at %s", n, s.title)
	}
	if i := slices.IndexFunc(s.roles, privileged); i >= 0 {
		f.add(alert.FoundPrivilegedRole, "holds the role "+s.roles[i], "%s holds the role %s", s.title, s.roles[i])
	}
	if strings.EqualFold(s.blast, "High") {
		f.add(alert.FoundHighBlastRadius, "high blast radius", "the blast radius of %s is high", s.title)
	}
	if s.risk != "" {
		f.add(alert.FoundRiskyUser, "at risk in Entra ID", "Entra ID holds %s to be at risk: %s", s.title, s.risk)
	}
	if s.disabled {
		f.add(alert.FoundDisabledAccount, "disabled by now", "%s is disabled by now", s.title)
	}
	earlier := s.rejections
	for _, p := range s.prompts {
		if p.kind == alert.MomentRejected && p.last.Before(a.Span.Start) {
			earlier++
		}
	}
	if earlier > 0 {
		f.add(alert.FoundRepeated, "rejected "+count(earlier, "prompt")+" before", "%s rejected %s before, in %.0f days", s.title, count(earlier, "prompt"), b.config.History.Hours()/24)
	}
	if len(s.insights) > 0 {
		f.add(alert.FoundUnusual, "unusual to UEBA", "UEBA, %s: %s", s.title, strings.Join(s.unusual(3), ", "))
	}
}

// assessNovelty finds which of the alert's places and devices are new for the
// account, or that none is.
func (b *batch) assessNovelty(f findings, c *alert.Context, s subject, r rejections, addresses []string) {
	for _, country := range slices.Sorted(maps.Keys(r.countries)) {
		if s.countries[country] == 0 {
			c.New = append(c.New, country)
			f.add(alert.FoundNewCountry, "a new country, "+country, "%s did not sign in from %s in %.0f days; usual: %s", s.title, country, b.config.History.Hours()/24, strings.Join(ranked(s.countries, 3), ", "))
		}
	}
	known := len(addresses) > 0
	for _, ip := range addresses {
		if s.used[ip] > 0 {
			continue
		}
		known = false
		c.New = append(c.New, ip)
		if f[alert.FoundNewCountry].Text == "" { // which says more
			f.add(alert.FoundNewAddress, "a new address", "%s did not sign in from %s in %.0f days", s.title, ip, b.config.History.Hours()/24)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.named)) {
		if r.named[name] {
			c.New = append(c.New, name)
		}
	}
	for device := range r.devices {
		known = known && s.devices[device] > 0
	}
	if known && len(r.devices) > 0 {
		f.add(alert.FoundKnownDevice, "known address and device", "%s has signed in from this address and device before", s.title)
	}
}

// busiest is the most prompts, rejected or not, in an hour that ends by a time.
func busiest(prompts []prompt, end time.Time) int {
	var times []time.Time
	top := 0
	for _, p := range prompts {
		if p.kind == alert.MomentSuccess || p.time.After(end) {
			continue
		}
		times = append(times, p.time)
		for p.time.Sub(times[0]) > time.Hour {
			times = times[1:]
		}
		top = max(top, len(times))
	}
	return top
}

func (b *batch) assessAddress(f findings, c *alert.Context, ip string, subjects []subject) {
	known := b.addresses[ip]
	if known == nil {
		return
	}
	others := func(names []string) []string {
		names = slices.Compact(slices.Sorted(slices.Values(names)))
		return slices.DeleteFunc(names, func(n string) bool {
			return n == "" || slices.ContainsFunc(subjects, func(s subject) bool { return s.name == n })
		})
	}
	failing, succeeded := others(known.failing), others(known.succeeded)
	if len(failing) > 0 {
		f.add(alert.FoundSharedAddress, count(int64(len(failing)), "other account")+" failed or rejected from the address", "%s failed or rejected from %s too: %s", count(int64(len(failing)), "other account"), ip, strings.Join(head(failing, 3), ", "))
	}
	if known.ueba {
		score := known.sum
		if slices.ContainsFunc(subjects, func(s subject) bool { return strings.EqualFold(s.blast, "High") }) {
			score++
		}
		if c.RiskScore != nil {
			score = max(score, *c.RiskScore)
		}
		c.RiskScore = &score
	}
	var facts []alert.Detail
	facts = append(facts, fact("Failing accounts", failing...)...)
	facts = append(facts, fact("Used before by", succeeded...)...)
	if known.ueba {
		facts = append(facts, fact("Investigation priority", fmt.Sprintf("%d at most, of %s", known.priority, count(known.records, "UEBA record")))...)
	}
	if len(facts) > 0 {
		c.Sections = append(c.Sections, alert.Section{Title: "Address", Subject: ip, Facts: facts})
	}
}

// sections are what is known of an account.
func (b *batch) sections(s subject) []alert.Section {
	var list []alert.Section
	add := func(title string, facts []alert.Detail) {
		if len(facts) > 0 {
			list = append(list, alert.Section{Title: title, Subject: s.title, Facts: facts})
		}
	}
	add("Identity", s.facts)
	if s.records > 0 {
		add("UEBA", append(fact("Investigation priority", fmt.Sprintf("%d at most, of %s", s.priority, count(s.records, "record"))), fact("Insights", s.unusual(most+1)...)...))
	}
	if s.signIns > 0 {
		add(signInsBefore, slices.Concat(fact("Successes", fmt.Sprint(s.signIns)), fact("Countries", ranked(s.countries, 3)...),
			fact("Addresses", ranked(s.used, 3)...), fact("Devices", ranked(s.named, 3)...)))
	}
	return list
}

// timeline lists what an account did around an alert, with what it did many
// times in a row as one moment.
func timeline(s subject) []alert.Moment {
	doing := map[alert.MomentKind][2]string{
		alert.MomentSuccess:  {"signed in", "signed in %d times"},
		alert.MomentRejected: {"rejected a prompt", "rejected %d prompts"},
		alert.MomentPrompt:   {"left a prompt unanswered or failed it", "left %d prompts unanswered or failed them"},
	}
	var list []alert.Moment
	for first := 0; first < len(s.prompts); {
		p, last := s.prompts[first], first
		for last+1 < len(s.prompts) {
			if next := s.prompts[last+1]; next.kind != p.kind || next.address != p.address || next.app != p.app {
				break
			}
			last++
		}
		text := doing[p.kind][0]
		if n := last - first; n > 0 {
			text = fmt.Sprintf(doing[p.kind][1], n+1) + " in " + ago(s.prompts[last].time.Sub(p.time))
		}
		list = append(list, alert.Moment{Time: p.time, Kind: p.kind, Text: fmt.Sprintf("%s from %s (%s)", text, cmp.Or(p.address, "an unknown address"), cmp.Or(p.app, "application unknown"))})
		first = last + 1
	}
	return list
}

// unusual names the insights that UEBA set, the most frequent first.
func (a *account) unusual(n int) []string {
	var list []string
	for _, name := range byCount(a.insights) {
		words := strings.ToLower(spaced(name))
		if a.insights[name] > 1 {
			words += fmt.Sprintf(" (%d)", a.insights[name])
		}
		list = append(list, words)
	}
	return head(list, n)
}

// spaced puts a space before each word of an insight's name.
func spaced(name string) string {
	var b strings.Builder
	runes := []rune(name)
	upper := func(i int) bool { return i >= 0 && i < len(runes) && runes[i] >= 'A' && runes[i] <= 'Z' }
	for i, r := range runes {
		// A word begins behind a small letter, and before the last capital of ISPUsed.
		if i > 0 && upper(i) && (!upper(i-1) || i+1 < len(runes) && !upper(i+1)) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ranked lists the most frequent values with their numbers.
func ranked(counts map[string]int64, n int) []string {
	var list []string
	for _, name := range byCount(counts) {
		list = append(list, fmt.Sprintf("%s (%d)", name, counts[name]))
	}
	return head(list, n)
}

func byCount(counts map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
}

// head is the beginning of a list, with the number of those left out.
func head(list []string, n int) []string {
	if more := len(list) - n; more > 0 {
		return append(slices.Clone(list[:n]), fmt.Sprintf("and %d more", more))
	}
	return list
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ago writes how long something took: 40 s, 3 min, 2 h 5 min.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
