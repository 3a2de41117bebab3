package logs

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Microsoft Graph has the same sign-ins, audits and risk detections as the
// diagnostic export, and so have the downloads of the Entra portal and the
// PowerShell SDK. Graph's resource is what the export calls the properties; what
// the export has beside them is derived from it here. So a record of Graph is
// read as the record of the export that it is.
//
// See https://learn.microsoft.com/graph/api/resources/signin,
// https://learn.microsoft.com/graph/api/resources/directoryaudit and
// https://learn.microsoft.com/graph/api/resources/riskdetection.

// graphRecord is a record of Microsoft Graph written as one of the export.
type graphRecord struct {
	members   []member
	generated *member // the member of the resource that has its time
	pascal    bool    // its members are in Pascal case, as the PowerShell SDK has them
	text      []byte  // of the values that are derived
}

// The members of Graph's resources that have the time of the record.
const (
	createdDateTime  = "createdDateTime"
	activityDateTime = "activityDateTime"
	detectedDateTime = "detectedDateTime"

	riskUpdatedDateTime = "riskLastUpdatedDateTime" // of a user or a workload at risk
)

// ofSignIn are members that a sign-in has and other resources that are created
// have not.
var ofSignIn = []string{
	"ipAddress", "clientAppUsed", "conditionalAccessStatus", "signInEventTypes", "isInteractive", "resourceDisplayName",
	"deviceDetail", "riskLevelDuringSignIn", "appliedConditionalAccessPolicies", "authenticationDetails", "status",
}

// graph reads the members of a record as a resource of Microsoft Graph, and
// reports false if they are none that a workspace has a table of.
func (f *file) graph(members []member) (*graphRecord, bool) {
	g := &f.graphRecord
	*g = graphRecord{members: g.members[:0], text: g.text[:0]}
	switch {
	case f.isSignIn(members):
		g.generated = findMember(members, createdDateTime)
		g.signIn(f, members)
	case given(members, activityDateTime) && given(members, "activityDisplayName"):
		g.generated = findMember(members, activityDateTime)
		g.audit(f, members)
	case (given(members, "riskEventType") || given(members, "riskType")) && (given(members, activityDateTime) || given(members, detectedDateTime)):
		for _, name := range []string{detectedDateTime, activityDateTime} {
			if given(members, name) {
				g.generated = findMember(members, name)
				break
			}
		}
		g.risk(f, members)
	case given(members, riskUpdatedDateTime) && (given(members, "riskLevel") || given(members, "riskState")):
		g.generated = findMember(members, riskUpdatedDateTime)
		g.risky(f, members)
	default:
		return nil, false
	}
	return g, true
}

// given says whether a record has a value for a member.
func given(members []member, name string) bool {
	m := findMember(members, name)
	return m != nil && m.value.kind != 'n'
}

// isSignIn says whether the members are those of a sign-in. Many resources of
// Graph are created at some time; a sign-in is known by what only it has.
func (f *file) isSignIn(members []member) bool {
	if !given(members, createdDateTime) {
		return false
	}
	if typ := findMember(members, "@odata.type"); typ != nil {
		return bytes.EqualFold(f.parser.text(typ.value), []byte("#microsoft.graph.signIn"))
	}
	found := 0
	for _, name := range ofSignIn {
		if findMember(members, name) != nil {
			found++
		}
	}
	return found >= 2 || found == 1 && isSignInTable(f.pathTable)
}

// signIn adds the members of a sign-in.
func (g *graphRecord) signIn(f *file, members []member) {
	g.inner(f, members)
	p := &f.parser
	g.outer("category", categoryOf(f.signInTable(members)))
	g.outer("operationName", "Sign-in activity")
	g.outer("operationVersion", "1.0")
	g.outer("resultSignature", "None")
	if status := findMember(members, "status"); status != nil {
		inner := f.insides(status.value)
		if code := findMember(inner, "errorCode"); code != nil && code.value.kind != 'n' {
			g.outer("resultType", strings.TrimSuffix(string(p.text(code.value)), ".0"))
		}
		if reason := findMember(inner, "failureReason"); reason != nil && reason.value.kind != 'n' {
			g.outer("resultDescription", string(p.text(reason.value)))
		}
	}
	if location := findMember(members, "location"); location != nil {
		if country := findMember(f.insides(location.value), "countryOrRegion"); country != nil && country.value.kind != 'n' {
			g.outer("location", string(p.text(country.value)))
		}
	}
	for _, name := range []string{"userDisplayName", "servicePrincipalName"} {
		if text := f.memberText(members, name); text != "" {
			g.outer("identity", text)
			break
		}
	}
	// A guest's sign-in is logged by the tenant that owns the resource, a
	// member's by the member's own.
	tenants := []string{"homeTenantId", "resourceTenantId"}
	if strings.EqualFold(f.memberText(members, "userType"), "guest") {
		tenants[0], tenants[1] = tenants[1], tenants[0]
	}
	for _, name := range tenants {
		if text := f.memberText(members, name); strings.Trim(text, "0-") != "" {
			g.outer("tenantId", text)
			break
		}
	}
}

// audit adds the members of a directory audit.
func (g *graphRecord) audit(f *file, members []member) {
	g.inner(f, members)
	g.outer("category", "AuditLogs")
	g.outer("operationName", f.memberText(members, "activityDisplayName"))
	g.outer("operationVersion", "1.0")
	g.outer("resultSignature", "None")
	if reason := f.memberText(members, "resultReason"); reason != "" {
		g.outer("resultDescription", reason)
	}
	by := findMember(members, "initiatedBy")
	if by == nil {
		return
	}
	for _, who := range []string{"user", "app"} {
		actor := findMember(f.insides(by.value), who)
		if actor == nil {
			continue
		}
		if name := f.memberText(f.insides(actor.value), "displayName"); name != "" {
			g.outer("identity", name)
			return
		}
	}
}

// risk adds the members of a risk detection: of a user, or of a workload.
func (g *graphRecord) risk(f *file, members []member) {
	g.inner(f, members)
	if !given(members, "riskEventType") {
		// The portal's download has it by the name that Graph had before.
		g.outer("riskEventType", f.memberText(members, "riskType"))
	}
	category, operation := "UserRiskEvents", "User Risk Detection"
	if f.memberText(members, "servicePrincipalId") != "" && f.memberText(members, "userId") == "" {
		category, operation = "ServicePrincipalRiskEvents", "Service Principal Risk Detection"
	}
	g.outer("category", category)
	g.outer("operationName", operation)
}

// risky adds the members of a user at risk, or of a workload.
func (g *graphRecord) risky(f *file, members []member) {
	g.inner(f, members)
	category, operation := "RiskyUsers", "Risky user"
	if given(members, "servicePrincipalType") || given(members, "appId") && !given(members, "userPrincipalName") {
		category, operation = "RiskyServicePrincipals", "Risky service principal"
	}
	g.outer("category", category)
	g.outer("operationName", operation)
}

// inner adds the members of the resource itself. What OData and the SDK say
// about it is no part of it.
func (g *graphRecord) inner(f *file, members []member) {
	g.pascal = g.generated.name[0] >= 'A' && g.generated.name[0] <= 'Z'
	for i := range members {
		m := members[i]
		switch {
		case m.inner || bytes.Contains(m.name, []byte("@odata.")):
			continue
		case g.pascal && string(m.name) == additionalProperties:
			// What the SDK does not know yet is in here.
			for _, more := range f.insides(m.value) {
				g.addInner(f, more)
			}
			continue
		}
		g.addInner(f, m)
	}
}

// additionalProperties is where the PowerShell SDK keeps what it does not know.
const additionalProperties = "AdditionalProperties"

func (g *graphRecord) addInner(f *file, m member) {
	m.inner = true
	if (m.value.kind == '"' || m.value.kind == plainText) && bytes.EqualFold(m.name, []byte("location")) && !isContainer(bytes.TrimSpace(f.parser.text(m.value))) {
		m.inner = false // a country alone, as the export has it beside the properties
	}
	if bytes.EqualFold(m.name, []byte("userType")) {
		// The export writes Member and Guest where Graph has member and guest.
		switch string(f.parser.text(m.value)) {
		case "member":
			m.value = value{kind: '"', raw: []byte(`"Member"`)}
		case "guest":
			m.value = value{kind: '"', raw: []byte(`"Guest"`)}
		}
	}
	if m.value.kind == '{' || m.value.kind == '[' {
		m.value.raw = g.asGraph(m.value.raw)
	}
	g.members = append(g.members, m)
}

// outer adds a member that the export has beside the properties.
func (g *graphRecord) outer(name, text string) {
	from := len(g.text)
	quoted, err := jsontext.AppendQuote(g.text, text)
	if err != nil {
		return // not possible: it comes from a text that was parsed
	}
	g.text = quoted
	g.members = append(g.members, member{name: []byte(name), value: value{kind: '"', raw: quoted[from:]}})
}

// memberText gives the text of a member, or "".
func (f *file) memberText(members []member, name string) string {
	m := findMember(members, name)
	if m == nil || m.value.kind == 'n' {
		return ""
	}
	return string(f.parser.text(m.value))
}

// insides gives the members of a value that is an object, or the text of one.
// They are valid until the next object inside another is taken apart.
func (f *file) insides(v value) []member {
	raw := v.raw
	if v.kind == '"' || v.kind == plainText {
		raw = bytes.TrimSpace(bytes.Clone(f.parser.text(v)))
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	members, err := f.inside.object(raw)
	if err != nil {
		return nil
	}
	return members
}

// signInTable finds the table of a sign-in: by what kind of sign-in it says it
// is, or by the name of the file.
func (f *file) signInTable(members []member) string {
	if types := findMember(members, "signInEventTypes"); types != nil {
		text := bytes.ToLower(types.value.raw)
		switch {
		case bytes.Contains(text, []byte("noninteractiveuser")):
			return nonInteractive
		case bytes.Contains(text, []byte("interactiveuser")):
			return signinLogs
		case bytes.Contains(text, []byte("managedidentity")):
			return managedIdentity
		case bytes.Contains(text, []byte("serviceprincipal")):
			return servicePrincipal
		}
	}
	named := ""
	if isSignInTable(f.pathTable) {
		named = f.pathTable
	}
	user := f.memberText(members, "userId") != "" || f.memberText(members, "userPrincipalName") != ""
	switch interactive := f.memberText(members, "isInteractive"); {
	case strings.EqualFold(interactive, "true"):
		return signinLogs
	case !user && (named == servicePrincipal || named == managedIdentity):
		return named
	case !user && f.memberText(members, "servicePrincipalId") != "":
		return servicePrincipal
	case strings.EqualFold(interactive, "false"):
		return nonInteractive
	case named != "":
		return named
	}
	return signinLogs
}

// asGraph gives a value in JSON as Graph itself writes it: with members in camel
// case, where the PowerShell SDK has Pascal case, and with times in ISO 8601.
func (g *graphRecord) asGraph(raw []byte) []byte {
	if !g.pascal && !bytes.Contains(raw, []byte(`/Date(`)) {
		return raw
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsonOptions...)
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out, jsonOptions...)
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			break // the end: the value was parsed before
		}
		if tok.Kind() == '"' {
			text := tok.String()
			kind, n := dec.StackIndex(dec.StackDepth())
			if kind == '{' && n%2 == 1 {
				if g.pascal {
					if text == additionalProperties {
						if dec.SkipValue() != nil {
							return raw
						}
						continue
					}
					tok = jsontext.String(camel(text))
				}
			} else if at, ok := dotNetDate(text); ok {
				tok = jsontext.String(at.UTC().Format("2006-01-02T15:04:05.9999999Z"))
			}
		}
		if enc.WriteToken(tok) != nil {
			return raw
		}
	}
	return bytes.TrimSpace(out.Bytes())
}

// camel turns a name in Pascal case into camel case.
func camel(name string) string {
	if name != "" && name[0] >= 'A' && name[0] <= 'Z' {
		return strings.ToLower(name[:1]) + name[1:]
	}
	return name
}
