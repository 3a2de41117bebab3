package enrich

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// batch is what is known of the entities of the alerts of one window.
type batch struct {
	config Config
	now    time.Time
	window alert.Span
	// since is when the first of the alerts began.
	since     time.Time
	accounts  map[string]*account
	byName    map[string]*account
	addresses map[string]*address
}

// account is what is known of an account.
type account struct {
	id, name string // lower case; either may be empty

	known      bool // IdentityInfo has it
	facts      []alert.Detail
	roles      []string
	blast      string
	risk       string
	disabled   bool
	signIns    int64  // that succeeded before
	rejections int64  // before
	used       counts // successful sign-ins by address
	devices    counts // by address and device id
	countries  counts
	named      counts // by the name of the device
	owned      counts // by the id and the name of the device: a name alone is the client's
	prompts    []prompt
	methods    []method
	priority   int64 // of UEBA, the most
	insights   counts
	records    int64
}

// counts counts by name. It has no map until there is something to count: of
// most accounts of a large batch little is known.
type counts map[string]int64

func (c *counts) add(name string, n int64) {
	if *c == nil {
		*c = counts{}
	}
	(*c)[name] += n
}

// prompt is a second factor that was asked for, or a sign-in that succeeded.
type prompt struct {
	time                                                        time.Time
	last                                                        time.Time // of the requests that are one authentication
	kind                                                        alert.MomentKind
	refusedFirst                                                bool // a success at a step after a rejected one
	address, network, country, device, deviceName, app, session string
}

// method is a change of an account's methods for the second factor.
type method struct {
	time time.Time
	what string
}

// address is what is known of an IP address.
type address struct {
	ueba          bool
	priority, sum int64
	records       int64
	failing       []string // accounts that failed since the window began
	succeeded     []string // accounts that signed in before
}

func newBatch(config Config, alerts []alert.Alert, now time.Time) *batch {
	b := &batch{config: config, now: now.UTC(), since: now.UTC(), accounts: map[string]*account{}, byName: map[string]*account{}, addresses: map[string]*address{}}
	for i, a := range alerts {
		if !a.Span.Start.IsZero() && a.Span.Start.Before(b.since) {
			b.since = a.Span.Start.UTC()
		}
		if i == 0 || a.Window.Start.Before(b.window.Start) {
			b.window.Start = a.Window.Start
		}
		for _, e := range a.Entities {
			if id, name := accountOf(e); b.find(id, name) == nil && (id != "" || name != "") {
				acc := &account{id: id, name: name}
				b.accounts[cmp.Or(id, name)] = acc
				if name != "" {
					b.byName[name] = acc
				}
			}
			if ip := addressOf(e); ip != "" {
				b.addresses[ip] = cmp.Or(b.addresses[ip], &address{})
			}
		}
	}
	return b
}

// accountOf returns the id and the user principal name of an Account entity.
func accountOf(e alert.Entity) (id, name string) {
	if e.Type != "Account" {
		return "", ""
	}
	fields := map[string]string{}
	for _, f := range e.Fields {
		fields[f.Identifier] = strings.ToLower(strings.TrimSpace(f.Value))
	}
	name = fields["FullName"]
	if n, suffix := fields["Name"], fields["UPNSuffix"]; name == "" && n != "" {
		name = n
		if suffix != "" && !strings.Contains(n, "@") {
			name += "@" + suffix
		}
	}
	return fields["AadUserId"], name
}

// addressOf returns the address of an IP entity.
func addressOf(e alert.Entity) string {
	if e.Type == "IP" {
		for _, f := range e.Fields {
			if f.Identifier == "Address" {
				return canonical(f.Value)
			}
		}
	}
	return ""
}

// canonical returns what addresses are compared by.
func canonical(address string) string {
	return strings.ToLower(strings.TrimSpace(alert.CanonicalAddress(address)))
}

// find returns the account with an id, or else with a name.
func (b *batch) find(id, name string) *account {
	if a := b.accounts[strings.ToLower(id)]; a != nil && id != "" {
		return a
	}
	if name == "" {
		return nil
	}
	return b.byName[strings.ToLower(name)]
}

func (b *batch) accountKeys() []string { return slices.Sorted(maps.Keys(b.accounts)) }
func (b *batch) addressKeys() []string { return slices.Sorted(maps.Keys(b.addresses)) }

// parts cuts a list where a query's limits are.
func (b *batch) parts(keys []string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for len(keys) > 0 {
			n, size := 0, 0
			for n < len(keys) && n < b.config.MostEntities {
				size += textSize(keys[n])
				if a := b.accounts[keys[n]]; a != nil {
					size += textSize(a.name)
				}
				if n > 0 && size > b.config.MostBytes {
					break
				}
				n++
			}
			if !yield(keys[:n]) {
				return
			}
			keys = keys[n:]
		}
	}
}

// most is how many values of a kind, such as groups, a fact has.
const most = 10

func (b *batch) identity(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	a.known = true
	a.blast, a.roles = r.text("BlastRadius"), r.list("AssignedRoles")
	slices.SortStableFunc(a.roles, func(x, y string) int {
		return cmp.Compare(btoi(privileged(y)), btoi(privileged(x)))
	})
	if state := r.text("RiskState"); strings.EqualFold(state, "AtRisk") || strings.EqualFold(state, "ConfirmedCompromised") {
		a.risk = state
	}
	enabled, isBool := r.value("IsAccountEnabled").(bool)
	a.disabled = isBool && !enabled
	for _, f := range []struct{ name, column string }{
		{"Name", "AccountDisplayName"}, {"Job title", "JobTitle"}, {"Department", "Department"}, {"Manager", "Manager"}, {"Country", "Country"},
		{"Enabled", "IsAccountEnabled"}, {"MFA registered", "IsMFARegistered"}, {"User type", "UserType"}, {"Roles", ""}, {"Groups", "GroupMembership"},
		{"Tags", "Tags"}, {"Blast radius", "BlastRadius"}, {"Risk level", "RiskLevel"}, {"Risk state", "RiskState"}, {"Last seen", "LastSeenDate"},
	} {
		values := a.roles
		if f.column != "" {
			values = r.list(f.column)
		}
		if t, ok := r.value(f.column).(time.Time); ok {
			values = []string{t.UTC().Format(time.DateTime)}
		}
		if len(values) == 1 && strings.EqualFold(values[0], "None") {
			continue // no risk
		}
		a.facts = append(a.facts, fact(f.name, values...)...)
	}
}

// fact is a line of a section, with the values that it has room for, or none
// without a value.
func fact(name string, values ...string) []alert.Detail {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.TrimSpace(v) == "" })
	if len(values) == 0 {
		return nil
	}
	if n := len(values) - most; n > 0 {
		values = append(values[:most:most], "and "+count(int64(n), "other"))
	}
	return []alert.Detail{{Name: name, Values: values}}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// privileged reports whether a directory role lets its holder take over
// others' accounts or the tenant.
func privileged(role string) bool {
	return strings.Contains(strings.ToLower(role), "administrator") || strings.EqualFold(role, "Company Administrator") ||
		strings.EqualFold(role, "Security Operator") || strings.EqualFold(role, "Partner Tier2 Support")
}

func (b *batch) uebaAccount(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	if name := r.text("Insight"); name != "" {
		a.insights.add(name, r.number("Records"))
		return
	}
	a.records += r.number("Records")
	a.priority = max(a.priority, r.number("Priority"))
}

func (b *batch) uebaAddress(r row) {
	if a := b.addresses[canonical(r.text("Address"))]; a != nil {
		a.ueba, a.records = true, a.records+r.number("Records")
		a.sum += r.number("Sum")
		a.priority = max(a.priority, r.number("Priority"))
	}
}

func (b *batch) before(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	n := r.number("Successes")
	a.signIns += n
	a.rejections += r.number("Rejections")
	if n > 0 {
		ip := canonical(r.text("IPAddress"))
		a.used.add(ip, n)
		if device := r.text("DeviceId"); device != "" {
			a.devices.add(ip+" "+device, n)
		}
		if country := r.text("Country"); country != "" {
			a.countries.add(country, n)
		}
		if name := r.text("Device"); name != "" {
			a.named.add(name, n)
			a.owned.add(r.text("DeviceId")+" "+name, n)
		}
	}
}

func (b *batch) after(r row) {
	if a := b.find(r.text("UserId"), r.text("User")); a != nil {
		a.prompts = append(a.prompts, prompt{
			time: r.time("TimeGenerated"), last: r.time("Last"), kind: alert.MomentKind(r.text("Kind")), refusedFirst: r.value("RefusedFirst") == true, address: canonical(r.text("IPAddress")),
			network: r.text("Network"), country: r.text("Country"), device: r.text("DeviceId"), deviceName: r.text("Device"), app: r.text("AppDisplayName"), session: r.text("Authentication"),
		})
	}
}

func (b *batch) method(r row) {
	if a := b.find(r.text("UserId"), r.text("User")); a != nil {
		a.methods = append(a.methods, method{r.time("TimeGenerated"), r.text("OperationName")})
	}
}

func (b *batch) prevalence(r row) {
	a := b.addresses[canonical(r.text("Address"))]
	if a == nil {
		return
	}
	if r.number("Failed") > 0 {
		a.failing = append(a.failing, strings.ToLower(r.text("User")))
	}
	if r.number("Succeeded") > 0 {
		a.succeeded = append(a.succeeded, strings.ToLower(r.text("User")))
	}
}
