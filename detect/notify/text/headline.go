package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"pushback/detect/alert"
)

// findingWords name the kinds of findings in a few words.
var findingWords = map[alert.FindingKind]string{
	alert.FoundSuccessSameSignIn:     "signed in after rejecting",
	alert.FoundSuccessSameIP:         "signed in from the same address",
	alert.FoundOtherSuccess:          "another account signed in from the address",
	alert.FoundMethodChanged:         "MFA methods changed",
	alert.FoundInboxRule:             "inbox rule or forwarding",
	alert.FoundAppConsent:            "consent to an application",
	alert.FoundSuccessSameNetwork:    "signed in from the same network",
	alert.FoundSuccessElsewhere:      "signed in from another network",
	alert.FoundSuccessNonInteractive: "non-interactive sign-in",
	alert.FoundBombing:               "MFA fatigue",
	alert.FoundPrivilegedRole:        "privileged role",
	alert.FoundHighBlastRadius:       "high blast radius",
	alert.FoundRiskDetection:         "risk detected",
	alert.FoundRiskyUser:             "user at risk",
	alert.FoundSharedAddress:         "other accounts failed from the address",
	alert.FoundDisabledAccount:       "disabled account",
	alert.FoundPasswordReset:         "password reset",
	alert.FoundNewCountry:            "new country",
	alert.FoundNewAddress:            "new address",
	alert.FoundRepeated:              "rejected before",
	alert.FoundUnusual:               "unusual to UEBA",
	alert.FoundKnownDevice:           "known address and device",
}

// Finding names a kind of finding in a few words: MFA fatigue. One of a rule's own is
// named in its words.
func Finding(kind alert.FindingKind) string {
	return cmp.Or(findingWords[kind], strings.ReplaceAll(string(kind), "-", " "))
}

// Brief says a finding where it is known whom it is about, as a sentence of its
// own.
func Brief(f alert.Finding) string { return Capital(cmp.Or(f.Brief, f.Text)) }

// Capital writes the first letter large.
func Capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 || first == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// decisive say what happened at the second factor or after it. Each makes a
// verdict whatever rule found the alert: it takes a prompt that was not approved.
var decisive = map[alert.FindingKind]string{
	alert.FoundSuccessSameSignIn:     "Signed in after %s MFA prompt",
	alert.FoundSuccessSameIP:         "Signed in from the address of %s MFA prompt",
	alert.FoundOtherSuccess:          "Another account signed in from the address of %s MFA prompt",
	alert.FoundMethodChanged:         "MFA methods changed after %s prompt",
	alert.FoundInboxRule:             "Inbox rule or forwarding after %s MFA prompt",
	alert.FoundAppConsent:            "Consent to an application after %s MFA prompt",
	alert.FoundSuccessSameNetwork:    "Signed in from the network of %s MFA prompt",
	alert.FoundSuccessElsewhere:      "Signed in from another network after %s MFA prompt",
	alert.FoundSuccessNonInteractive: "Non-interactive sign-in after %s MFA prompt",
}

// qualifying say more of prompts that were rejected.
var qualifying = map[alert.FindingKind]string{
	alert.FoundPrivilegedRole:  " by a privileged account",
	alert.FoundHighBlastRadius: " by an account with a high blast radius",
	alert.FoundRiskDetection:   ", risk detected",
	alert.FoundRiskyUser:       " by a user at risk",
	alert.FoundSharedAddress:   ", other accounts failed too",
	alert.FoundDisabledAccount: " at a disabled account",
	alert.FoundPasswordReset:   ", password reset since",
	alert.FoundNewCountry:      " in a new country",
	alert.FoundNewAddress:      " at a new address",
	alert.FoundRepeated:        ", not for the first time",
	alert.FoundUnusual:         ", unusual to UEBA",
	alert.FoundKnownDevice:     " on a known device",
}

// verdict says in words of ours what is gravest about an alert, and which finding
// says so. It is empty where the title of the rule says it best: of a storm, and of
// a rule that is about something else.
func verdict(a alert.Alert) (said string, from alert.Finding) {
	if a.Storm != nil {
		return "", from
	}
	if news, ok := a.News(); ok {
		return update + cmp.Or(news.Reason, Finding(news.Kind)), news
	}
	said, from = verdictOf(a)
	if said != "" && a.Updates != nil {
		said = update + said
	}
	return said, from
}

// update is what the verdict of an update begins with.
const update = "Update: "

// verdictOf is the verdict of an alert by what it says itself.
func verdictOf(a alert.Alert) (said string, from alert.Finding) {
	var found alert.Finding
	if a.Context != nil {
		// A finding of the rule's own says nothing that there are words of ours for.
		if i := slices.IndexFunc(a.Context.Findings, func(f alert.Finding) bool { return !f.Weak && findingWords[f.Kind] != "" }); i >= 0 {
			found = a.Context.Findings[i]
		}
	}
	did := "an unapproved"
	if a.Count(alert.Rejections) > 0 || a.Context != nil && a.Context.Asked != nil && a.Context.Asked.Rejected > 0 {
		did = "a rejected"
	}
	form, isDecisive := decisive[found.Kind]
	switch {
	case isDecisive && found.Kind.IsOwnSuccess() && a.Context.Says(alert.FoundBombing):
		switch found.Kind {
		case alert.FoundSuccessElsewhere, alert.FoundSuccessNonInteractive: // which may be the user
			return "MFA fatigue, then " + Finding(found.Kind), found
		}
		return "MFA fatigue succeeded", found
	case isDecisive && found.Kind.IsSuccess():
		return fmt.Sprintf(form, did), found
	case a.FraudReported():
		return "MFA prompt reported as fraud", alert.Finding{}
	case isDecisive:
		return fmt.Sprintf(form, did), found
	case found.Kind == alert.FoundBombing:
		return "MFA fatigue attempt", found
	case Approved(a):
		return "MFA fatigue approved", alert.Finding{}
	case a.Count(alert.Rejections) > 0:
		return Rejected(int(a.Count(alert.Rejections))) + qualifying[found.Kind], found
	}
	return "", alert.Finding{}
}

// Approved reports whether an alert is about prompts that an approval ended.
func Approved(a alert.Alert) bool {
	return a.Count(alert.Prompts) > 0 && slices.ContainsFunc(a.CustomDetails, func(d alert.Detail) bool { return d.Name == alert.ApprovedTime })
}

// Rejected says how many prompts were rejected.
func Rejected(n int) string {
	if n == 1 {
		return "MFA prompt rejected"
	}
	return fmt.Sprintf("%d MFA prompts rejected", n)
}

// Headline is what an alert is called where somebody has a second for it. Verdict
// says what is gravest, in words of ours alone, and About who it is about and from
// where: MFA fatigue succeeded, and yoko.tanaka from Bucharest, RO. Where the title
// of the rule says it best there is no verdict, and About is that title.
type Headline struct{ Verdict, About string }

// String returns both on one line. What About has of a log is not safe to show yet.
func (h Headline) String() string {
	switch {
	case h.Verdict == "":
		return h.About
	case h.About == "":
		return h.Verdict
	}
	return h.Verdict + ": " + h.About
}

// Bare returns the verdict where a mark beside it says that the alert is an update.
func (h Headline) Bare() string { return Capital(strings.TrimPrefix(h.Verdict, update)) }

// HeadlineOf returns what an alert is called.
func HeadlineOf(a alert.Alert) Headline {
	said, found := verdict(a)
	own := ownHeadline(a)
	if own != "" && !weightier(a, found) {
		said = ""
	}
	if said == "" {
		h := Headline{About: cmp.Or(own, titleOf(a))}
		if a.Updates != nil && !strings.HasPrefix(h.About, alert.Over) {
			h.About = update + h.About
		}
		return h
	}
	about := Who(a)
	if from := origin(a, found); from != "" {
		about = strings.TrimSpace(about + " from " + from)
	}
	return Headline{Verdict: said, About: about}
}

// ownHeadline is what the rule calls the alert, or nothing. Of a storm it would name one of
// very many.
func ownHeadline(a alert.Alert) string {
	if a.Storm != nil {
		return ""
	}
	return Line(a.Headline())
}

// weightier reports whether what was found says more than what the rule calls the alert:
// that somebody got in, or what is new.
func weightier(a alert.Alert, found alert.Finding) bool {
	_, isNews := a.News()
	_, isDecisive := decisive[found.Kind]
	return isNews || isDecisive
}

// titleOf is the title of an alert. One that is the name of its rule is the same for
// every alert of it, so that whom or what the alert is about stands behind it.
func titleOf(a alert.Alert) string {
	title := cmp.Or(Line(a.Title), Line(a.RuleName))
	if title != Line(a.RuleName) || a.Storm != nil {
		return title
	}
	if about := subject(a); about != "" {
		return title + ": " + about
	}
	return title
}

// The most values that say what an alert is about which names nobody, and the most
// characters of each.
const (
	mostSubjects = 3
	mostSubject  = 60
)

// subject says whom an alert is about and from where, or else what.
func subject(a alert.Alert) string {
	who, from := Who(a), origin(a, alert.Finding{})
	switch {
	case who != "" && from != "":
		return who + " from " + from
	case who+from != "":
		return who + from
	}
	var names []string
	for _, e := range a.Entities {
		if len(e.Fields) > 0 && strings.TrimSpace(e.Fields[0].Value) != "" {
			names = append(names, e.Fields[0].Value)
		}
	}
	if len(names) == 0 && a.NamesNobody() {
		for _, d := range a.Shown() {
			if len(d.Values) == 1 && !SaysNothing(d.Values[0]) && Plain(d.Values[0]) == d.Values[0] {
				names = append(names, d.Values[0])
			}
		}
	}
	for i, name := range names {
		names[i] = Word(CutUnits(strings.TrimSpace(name), mostSubject))
	}
	return strings.Join(names[:min(len(names), mostSubjects)], ", ")
}

// Who names the account that an alert is about without its domain, and how many
// others there are. It is empty if there is none.
func Who(a alert.Alert) string {
	var names []string
	for _, e := range a.Entities {
		if name := Name(e); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	local, _, _ := strings.Cut(names[0], "@")
	who := Word(cmp.Or(local, names[0]))
	if n := len(names) - 1; n > 0 {
		who += " and " + Count(n, "other", "others")
	}
	return who
}

// Name is what an Account entity is called: by its full name, or else by its first
// identifier. It is empty for other entities.
func Name(e alert.Entity) string {
	if e.Type != "Account" || len(e.Fields) == 0 {
		return ""
	}
	if _, name := e.Account(); name != "" {
		for _, f := range e.Fields {
			if strings.EqualFold(strings.TrimSpace(f.Value), name) { // as it is spelled
				return strings.TrimSpace(f.Value)
			}
		}
		return name
	}
	return strings.TrimSpace(e.Fields[0].Value)
}

// Addresses lists the addresses that an alert is about, each once.
func Addresses(a alert.Alert) []string {
	var list []string
	for _, e := range a.Entities {
		if e.Type == "IP" && len(e.Fields) > 0 && e.Fields[0].Value != "" && !slices.Contains(list, e.Fields[0].Value) {
			list = append(list, e.Fields[0].Value)
		}
	}
	return list
}

// origin says from where what was found came: its place, if that is known, or else
// its address.
func origin(a alert.Alert, found alert.Finding) string {
	addresses := Addresses(a)
	switch {
	case found.Address != "" && !slices.Contains(addresses, found.Address):
		return Word(found.Address) // the alert's places are those of others
	case found.Address != "":
		return cmp.Or(item(Place(a, found.Address)), Word(found.Address))
	case len(addresses) == 0:
		return ""
	}
	first := cmp.Or(item(Place(a, addresses[0])), Word(addresses[0]))
	if n := len(addresses) - 1; n > 0 {
		first += " and " + Count(n, "other address", "other addresses")
	}
	return first
}

// item writes a place, which has a comma in it.
func item(place string) string {
	if place == "" || isMade(place, "._-' ,") {
		return place
	}
	return quotedWhole(place)
}

// Place returns where an address of an alert is, as its custom details say, or
// nothing. Locations are those of the only address, and ApprovedLocation is that of
// ApprovedAddress.
func Place(a alert.Alert, address string) string {
	addresses := Addresses(a)
	for _, d := range a.CustomDetails {
		about, ok := cutWord(d.Name, "Location", "Locations")
		if !ok || len(d.Values) != 1 || d.Values[0] == "" {
			continue
		}
		if about == "" && len(addresses) == 1 && addresses[0] == address {
			return d.Values[0]
		}
		for _, other := range a.CustomDetails {
			if of, ok := cutWord(other.Name, "Address", "Addresses", "IP", "IPAddress"); ok && of == about && about != "" && len(other.Values) == 1 && other.Values[0] == address {
				return d.Values[0]
			}
		}
	}
	return ""
}

// cutWord returns what stands before one of the words that a name ends in.
func cutWord(name string, words ...string) (before string, ok bool) {
	for _, w := range words {
		if before, ok = strings.CutSuffix(name, w); ok {
			return before, true
		}
	}
	return "", false
}

// prompted says what became of a prompt, and of several.
var prompted = map[alert.MomentKind][2]string{
	alert.MomentRejected: {"1 MFA prompt rejected", "%d MFA prompts rejected"},
	alert.MomentPrompt:   {"1 MFA prompt unanswered or failed", "%d MFA prompts unanswered or failed"},
}

// Prompted says what became of so many prompts: 2 MFA prompts rejected. It is empty
// for what is no prompt.
func Prompted(kind alert.MomentKind, n int) string {
	words, ok := prompted[kind]
	switch {
	case !ok:
		return ""
	case n == 1:
		return words[0]
	}
	return fmt.Sprintf(words[1], n)
}
