package enrich

import (
	"maps"
	"slices"
	"strings"

	"pushback/detect/notify/text"
)

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

// phrases say what an insight of UEBA means, the most telling first. The names are
// those of the reference.
// https://learn.microsoft.com/azure/sentinel/ueba-reference#activityinsights-field
var phrases = []struct{ insight, phrase string }{
	{"FirstTimeUserConnectedFromCountry", "first country"},
	{"FirstTimeConnectionFromCountryObservedInTenant", "country new to the tenant"},
	{"CountryUncommonlyConnectedFromByUser", "country rare for the user"},
	{"CountryUncommonlyConnectedFromAmongPeers", "country rare among peers"},
	{"CountryUncommonlyConnectedFromInTenant", "country rare in the tenant"},
	{"FirstTimeUserConnectedViaISP", "first ISP"},
	{"FirstTimeConnectionViaISPInTenant", "ISP new to the tenant"},
	{"ISPUncommonlyUsedByUser", "ISP rare for the user"},
	{"ISPUncommonlyUsedAmongPeers", "ISP rare among peers"},
	{"ISPUncommonlyUsedInTenant", "ISP rare in the tenant"},
	{"FirstTimeUserConnectedFromDevice", "first device"},
	{"FirstTimeUserLoggedOnToDevice", "first logon to the device"},
	{"FirstTimeDeviceObservedInTenant", "device new to the tenant"},
	{"DeviceUncommonlyUsedByUser", "device rare for the user"},
	{"DeviceUncommonlyUsedAmongPeers", "device rare among peers"},
	{"DeviceUncommonlyUsedInTenant", "device rare in the tenant"},
	{"DeviceFamilyUncommonlyUsedInTenant", "kind of device rare in the tenant"},
	{"FirstTimeUserConnectedViaBrowser", "first browser"},
	{"FirstTimeBrowserObservedInTenant", "browser new to the tenant"},
	{"BrowserUncommonlyUsedByUser", "browser rare for the user"},
	{"BrowserUncommonlyUsedAmongPeers", "browser rare among peers"},
	{"BrowserUncommonlyUsedInTenant", "browser rare in the tenant"},
	{"FirstTimeUserUsedApp", "first application"},
	{"FirstTimeAppObservedInTenant", "application new to the tenant"},
	{"AppUncommonlyUsedByUser", "application rare for the user"},
	{"AppUncommonlyUsedAmongPeers", "application rare among peers"},
	{"AppUncommonlyUsedInTenant", "application rare in the tenant"},
	{"FirstTimeUserAccessedResource", "first resource"},
	{"FirstTimeResourceAccessedInTenant", "resource new to the tenant"},
	{"ResourceUncommonlyAccessedByUser", "resource rare for the user"},
	{"ResourceUncommonlyAccessedAmongPeers", "resource rare among peers"},
	{"ResourceUncommonlyAccessedInTenant", "resource rare in the tenant"},
	{"FirstTimeUserPerformedAction", "first action of its kind"},
	{"FirstTimeActionPerformedInTenant", "action new to the tenant"},
	{"ActionUncommonlyPerformedByUser", "action rare for the user"},
	{"ActionUncommonlyPerformedAmongPeers", "action rare among peers"},
	{"ActionUncommonlyPerformedInTenant", "action rare in the tenant"},
	{"SimilarActionWasn'tPerformedInThePast", "no similar action before"},
	{"UncommonHighVolumeOfOperations", "unusually many operations"},
	{"UncommonHighVolumeOfActions", "unusually many actions"},
	{"UnusualNumberOfAADConditionalAccessFailures", "unusually many Conditional Access failures"},
	{"UnusualNumberOfDevicesAdded", "unusually many devices added"},
	{"UnusualNumberOfDevicesDeleted", "unusually many devices deleted"},
	{"UnusualNumberOfUsersAddedToGroup", "unusually many users added to a group"},
}

// unusual says what UEBA set insights for, each once: the known ones as in
// phrases, then the others by their names.
func (a *account) unusual() []string {
	var list, others []string
	known := map[string]bool{}
	for _, p := range phrases {
		for name, n := range a.insights {
			if strings.EqualFold(name, p.insight) {
				known[name] = true
				if n > 0 && !slices.Contains(list, p.phrase) {
					list = append(list, p.phrase)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.insights)) {
		if words := strings.ToLower(spaced(name)); !known[name] && a.insights[name] > 0 && !slices.Contains(others, words) {
			others = append(others, words)
		}
	}
	return append(list, all(others, text.Quoted)...)
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
