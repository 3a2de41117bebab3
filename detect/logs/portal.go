package logs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The Entra portal names the columns of its CSV for people: "Date (UTC)",
// "Sign-in error code". Each is a member of the resource of Microsoft Graph that
// the portal's JSON has, or a member of one of its objects. So a record is put
// together as that resource, and read as it.

// portalMember is where a column of the portal's goes: a member of the resource,
// or, after a dot, a member of an object or of each object in an array.
type portalMember struct {
	path    string
	convert func(text string) string // nil to leave the text as it is

	object, inner string // the parts of a path with a dot
}

// signInHeaders are the columns of the portal's sign-ins, in lower case.
var signInHeaders = withHeaders(map[string]portalMember{
	"date (utc)":                         {path: createdDateTime},
	"date":                               {path: createdDateTime},
	"request id":                         {path: "id"},
	"user agent":                         {path: "userAgent"},
	"correlation id":                     {path: "correlationId"},
	"user id":                            {path: "userId"},
	"user type":                          {path: "userType"},
	"cross tenant access type":           {path: "crossTenantAccessType"},
	"incoming token type":                {path: "incomingTokenType"},
	"authentication protocol":            {path: "authenticationProtocol"},
	"unique token identifier":            {path: "uniqueTokenIdentifier"},
	"original transfer method":           {path: "originalTransferMethod"},
	"client credential type":             {path: "clientCredentialType"},
	"token protection - sign in session": {path: "tokenProtectionStatusDetails.signInSessionStatus"},
	"token protection - sign in session statuscode": {path: "tokenProtectionStatusDetails.signInSessionStatusCode"},
	"application":                            {path: "appDisplayName"},
	"application id":                         {path: "appId"},
	"app owner tenant id":                    {path: "appOwnerTenantId"},
	"resource":                               {path: "resourceDisplayName"},
	"resource id":                            {path: "resourceId"},
	"resource tenant id":                     {path: "resourceTenantId"},
	"resource owner tenant id":               {path: "resourceOwnerTenantId"},
	"home tenant id":                         {path: "homeTenantId"},
	"home tenant name":                       {path: "homeTenantName"},
	"ip address":                             {path: "ipAddress"},
	"location":                               {path: "location"},
	"status":                                 {path: "result"}, // for the error code of a success
	"sign-in error code":                     {path: "status.errorCode"},
	"failure reason":                         {path: "status.failureReason"},
	"multifactor authentication result":      {path: "status.additionalDetails"},
	"client app":                             {path: "clientAppUsed"},
	"device id":                              {path: "deviceDetail.deviceId"},
	"browser":                                {path: "deviceDetail.browser"},
	"operating system":                       {path: "deviceDetail.operatingSystem"},
	"compliant":                              {path: "deviceDetail.isCompliant", convert: yesNo},
	"managed":                                {path: "deviceDetail.isManaged", convert: yesNo},
	"join type":                              {path: "deviceDetail.trustType"},
	"multifactor authentication auth method": {path: "mfaDetail.authMethod"},
	"multifactor authentication auth detail": {path: "mfaDetail.authDetail"},
	"authentication requirement":             {path: "authenticationRequirement", convert: enumeration},
	"sign-in identifier":                     {path: "signInIdentifier"},
	"session id":                             {path: "sessionId"},
	"ip address (seen by resource)":          {path: "ipAddressFromResourceProvider"},
	"through global secure access":           {path: "isThroughGlobalSecureAccess", convert: yesNo},
	"global secure access ip address":        {path: "globalSecureAccessIpAddress"},
	"autonomous system number":               {path: "autonomousSystemNumber"},
	"flagged for review":                     {path: "flaggedForReview", convert: yesNo},
	"token issuer type":                      {path: "tokenIssuerType"},
	"token issuer name":                      {path: "tokenIssuerName"},
	"latency":                                {path: "processingTimeInMilliseconds"},
	"conditional access":                     {path: "conditionalAccessStatus", convert: enumeration},
	"service principal id":                   {path: "servicePrincipalId"},
	"service principal name":                 {path: "servicePrincipalName"},
	"credential key id":                      {path: "servicePrincipalCredentialKeyId"},
	"credential thumbprint":                  {path: "servicePrincipalCredentialThumbprint"},
	"managed identity type":                  {path: "managedServiceIdentity.msiType"},
	"associated resource id":                 {path: "managedServiceIdentity.associatedResourceId"},
	"federated token id":                     {path: "managedServiceIdentity.federatedTokenId"},
	"federated token issuer":                 {path: "managedServiceIdentity.federatedTokenIssuer"},

	// Those that the reports of risky sign-ins have beside, and older downloads.
	"sign-in status":             {path: "result"},
	"interactive":                {path: "isInteractive", convert: yesNo},
	"is interactive":             {path: "isInteractive", convert: yesNo},
	"mfa result":                 {path: "status.additionalDetails"},
	"mfa auth method":            {path: "mfaDetail.authMethod"},
	"mfa auth detail":            {path: "mfaDetail.authDetail"},
	"mfa required":               {path: "authenticationRequirement", convert: mfaRequired},
	"city":                       {path: "location.city"},
	"state":                      {path: "location.state"},
	"country":                    {path: "location.countryOrRegion"},
	"country or region":          {path: "location.countryOrRegion"},
	"conditional access status":  {path: "conditionalAccessStatus", convert: enumeration},
	"risk state":                 {path: "riskState", convert: riskWord},
	"risk level (aggregate)":     {path: "riskLevelAggregated", convert: riskWord},
	"risk level (aggregated)":    {path: "riskLevelAggregated", convert: riskWord},
	"risk level - aggregate":     {path: "riskLevelAggregated", convert: riskWord},
	"risk level aggregated":      {path: "riskLevelAggregated", convert: riskWord},
	"risk level (real-time)":     {path: "riskLevelDuringSignIn", convert: riskWord},
	"risk level (sign-in)":       {path: "riskLevelDuringSignIn", convert: riskWord},
	"risk level - sign-in":       {path: "riskLevelDuringSignIn", convert: riskWord},
	"risk level during sign-in":  {path: "riskLevelDuringSignIn", convert: riskWord},
	"risk detail":                {path: "riskDetail", convert: riskWord},
	"detection type(s)":          {path: "riskEventTypes_v2", convert: riskEventList},
	"detection types":            {path: "riskEventTypes_v2", convert: riskEventList},
	"risk event type(s)":         {path: "riskEventTypes_v2", convert: riskEventList},
	"risk event types":           {path: "riskEventTypes_v2", convert: riskEventList},
	"service principal type":     {path: "servicePrincipalType", convert: withoutSpaces},
	"managed identity":           {path: "servicePrincipalName"},
	"managed identity id":        {path: "servicePrincipalId"},
	"managed identity object id": {path: "servicePrincipalId"},
	"managed identity name":      {path: "servicePrincipalName"},
}, personHeaders)

// auditHeaders are the columns of the portal's audits, in lower case, but for
// those that are numbered.
var auditHeaders = map[string]portalMember{
	"date (utc)":                {path: activityDateTime},
	"date":                      {path: activityDateTime},
	"correlationid":             {path: "correlationId"},
	"service":                   {path: "loggedByService"},
	"category":                  {path: "category"},
	"activity":                  {path: "activityDisplayName"},
	"result":                    {path: "result", convert: strings.ToLower},
	"resultreason":              {path: "resultReason"},
	"useragent":                 {path: "userAgent"},
	"user agent":                {path: "userAgent"},
	"actortype":                 {},
	"status":                    {path: "result", convert: strings.ToLower},
	"status reason":             {path: "resultReason"},
	"initiated by (actor)":      {path: "actor.displayName"},
	"actordisplayname":          {path: "actor.displayName"},
	"actorobjectid":             {path: "actor.id"},
	"actoruserprincipalname":    {path: "actor.userPrincipalName"},
	"ipaddress":                 {path: "actor.ipAddress"},
	"actorhometenantid":         {path: "actor.homeTenantId"},
	"actorhometenantname":       {path: "actor.homeTenantName"},
	"actorserviceprincipalid":   {path: "actor.servicePrincipalId"},
	"actorserviceprincipalname": {path: "actor.servicePrincipalName"},
}

// portal puts the records of a download of the portal's together.
type portal struct {
	columns []portalMember
	targets []auditTarget // of each column; the zero value where it is about none
	kind    portalKind
	members []member
	text    []byte
}

// auditTarget is what a numbered column of an audit is about.
type auditTarget struct {
	target, property, detail int
	member                   string
}

// portalKind is what the records of a download are.
type portalKind uint8

const (
	portalSignIns portalKind = iota
	portalAudits
	portalDetections
	portalRisky
)

// kindOfPortal tells by its columns what a download of the portal's is.
func kindOfPortal(has map[string]bool) (portalKind, map[string]portalMember, bool) {
	any := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return has[name] })
	}
	dated := any("date (utc)", "date")
	switch signIn := any("application", "client app", "sign-in error code", "sign-in status", "failure reason", "resource"); {
	case dated && has["activity"] && any("service", "correlationid"):
		return portalAudits, auditHeaders, true
	case !signIn && any("detection type", "risk detection type", "risk event type", "risk type") && any("risk state", "risk level") && timed(has, detectionHeaders):
		return portalDetections, detectionHeaders, true
	case !signIn && any("risk last updated (utc)", "risk last updated", "risk state last updated", "risk last updated date time", "risk last updated date (utc)") && any("risk state", "risk level"):
		return portalRisky, riskyHeaders, true
	case dated && (any("request id", "sign-in error code") || signIn && any("user", "username", "user principal name", "service principal id", "service principal name")):
		return portalSignIns, signInHeaders, true
	}
	return 0, nil, false
}

// timed says whether one of the columns has the time of a record.
func timed(has map[string]bool, headers map[string]portalMember) bool {
	for name, to := range headers {
		if has[name] && (to.path == detectedDateTime || to.path == activityDateTime) {
			return true
		}
	}
	return false
}

// portalHeader reads a header as one of the portal's, and reports false if it is
// none.
func portalHeader(names []string) (*portal, bool) {
	has := make(map[string]bool)
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = strings.ToLower(strings.Join(strings.Fields(name), " "))
		has[keys[i]] = true
	}
	p := &portal{columns: make([]portalMember, len(names)), targets: make([]auditTarget, len(names))}
	var known map[string]portalMember
	var ok bool
	if p.kind, known, ok = kindOfPortal(has); !ok {
		return nil, false
	}
	for i, key := range keys {
		to, ok := known[key]
		if p.kind == portalAudits && !ok {
			p.targets[i] = numbered(key)
			ok = p.targets[i] != auditTarget{}
		}
		if ok {
			to.object, to.inner, _ = strings.Cut(to.path, ".")
		} else {
			to.path = names[i] // a column that is new, which becomes one of the table's
		}
		p.columns[i] = to
	}
	return p, true
}

// hasTime says whether a record has its time.
func (p *portal) hasTime(members []member) bool {
	return slices.ContainsFunc(timeMembers, func(name string) bool { return findMember(members, name) != nil })
}

// numbered takes apart the name of a column such as Target1ModifiedProperty2OldValue
// or AdditionalDetail3Key.
func numbered(key string) (t auditTarget) {
	var rest string
	if n, _ := fmt.Sscanf(key, "additionaldetail%d%s", &t.detail, &rest); n == 2 && (rest == "key" || rest == "value") {
		t.member = rest
		return t
	}
	t = auditTarget{}
	if n, _ := fmt.Sscanf(key, "target%d%s", &t.target, &rest); n != 2 {
		return auditTarget{}
	}
	var inner string
	if n, _ := fmt.Sscanf(rest, "modifiedproperty%d%s", &t.property, &inner); n == 2 {
		rest = inner
	}
	members := map[string]string{"type": "type", "displayname": "displayName", "objectid": "id", "userprincipalname": "userPrincipalName"}
	if t.property > 0 {
		members = map[string]string{"name": "displayName", "oldvalue": "oldValue", "newvalue": "newValue"}
	}
	t.member = members[rest]
	const most = 100 // numbers
	if t.member == "" || t.target < 1 || t.target > most || t.property < 0 || t.property > most {
		return auditTarget{}
	}
	return t
}

// record gives the members of the resource that a record of the file is. They
// are valid until the next call.
func (p *portal) record(fields [][]byte) []member {
	p.members, p.text = p.members[:0], p.text[:0]
	if p.kind == portalSignIns {
		p.add("@odata.type", value{kind: plainText, raw: []byte("#microsoft.graph.signIn")})
	}
	objects := make(map[string][]string) // names and values, by the member that is an object
	var order []string
	result := ""
	for i, field := range fields {
		to := p.columns[i]
		text := string(bytes.TrimSpace(field))
		if to.path == "" || text == "" {
			continue
		}
		if to.convert != nil {
			text = to.convert(text)
		}
		if to.path == "result" && p.kind == portalSignIns {
			result = text
			continue
		}
		if to.inner != "" {
			if objects[to.object] == nil {
				order = append(order, to.object)
			}
			objects[to.object] = append(objects[to.object], to.inner, text)
			continue
		}
		switch {
		case to.path == "location":
			p.object("location", placeOf(text))
			continue
		case to.path == "riskEventTypes_v2":
			p.add(to.path, value{kind: '[', raw: []byte(text)})
			continue
		}
		p.add(to.path, value{kind: plainText, raw: []byte(text)})
	}
	if p.kind == portalSignIns {
		status := objects["status"]
		if strings.EqualFold(result, "Success") && (len(status) < 2 || status[0] != "errorCode" || strings.EqualFold(status[1], "None")) {
			if len(status) >= 2 && status[0] == "errorCode" {
				status = status[2:]
			}
			if objects["status"] == nil {
				order = append(order, "status")
			}
			objects["status"] = append([]string{"errorCode", "0"}, status...)
		}
	}
	for _, object := range order {
		if object == "actor" {
			p.actor(objects[object])
		} else {
			p.object(object, objects[object])
		}
	}
	switch p.kind {
	case portalDetections, portalRisky:
		for _, name := range []string{"riskEventType", "riskLevel"} {
			if findMember(p.members, name) == nil {
				p.add(name, value{kind: plainText}) // it is about a risk all the same
			}
		}
	case portalAudits:
		if findMember(p.members, "activityDisplayName") == nil {
			p.add("activityDisplayName", value{kind: plainText}) // it is an audit all the same
		}
		p.numbered(fields)
	}
	return p.members
}

func (p *portal) add(name string, v value) {
	p.members = append(p.members, member{name: []byte(name), value: v})
}

// object adds a member that is an object, of names and values.
func (p *portal) object(name string, pairs []string) {
	from := len(p.text)
	p.text = appendObject(p.text, pairs)
	p.add(name, value{kind: '{', raw: p.text[from:]})
}

// actor adds who an audit is by: a user, or else an application.
func (p *portal) actor(pairs []string) {
	who, kept := "user", make([]string, 0, len(pairs))
	isUser := false
	for i := 0; i < len(pairs); i += 2 {
		isUser = isUser || pairs[i] == "userPrincipalName" || pairs[i] == "id"
	}
	if !isUser {
		who = "app"
	}
	for i := 0; i < len(pairs); i += 2 {
		if isUser && strings.HasPrefix(pairs[i], "servicePrincipal") {
			continue
		}
		kept = append(kept, pairs[i], pairs[i+1])
	}
	from := len(p.text)
	p.text = append(p.text, `{"`+who+`":`...)
	p.text = appendObject(p.text, kept)
	p.text = append(p.text, '}')
	p.add("initiatedBy", value{kind: '{', raw: p.text[from:]})
}

// numbered adds the targets and the additional details of an audit.
func (p *portal) numbered(fields [][]byte) {
	type object struct {
		pairs      []string
		properties map[int][]string
	}
	targets, details := make(map[int]*object), make(map[int][]string)
	lastTarget, lastDetail, lastProperty := 0, 0, 0
	for i, field := range fields {
		t, text := p.targets[i], string(field)
		switch {
		case t.member == "" || text == "":
		case t.detail > 0:
			details[t.detail] = append(details[t.detail], t.member, text)
			lastDetail = max(lastDetail, t.detail)
		default:
			o := targets[t.target]
			if o == nil {
				o = &object{properties: make(map[int][]string)}
				targets[t.target] = o
			}
			lastTarget = max(lastTarget, t.target)
			if t.property == 0 {
				o.pairs = append(o.pairs, t.member, text)
				continue
			}
			o.properties[t.property] = append(o.properties[t.property], t.member, text)
			lastProperty = max(lastProperty, t.property)
		}
	}
	from := len(p.text)
	p.text = append(p.text, '[')
	for n := range lastTarget + 1 {
		o := targets[n]
		if o == nil {
			continue
		}
		p.text = p.separated(from)
		p.text = appendObject(p.text, o.pairs)
		p.text = p.text[:len(p.text)-1]
		if len(o.pairs) > 0 {
			p.text = append(p.text, ',')
		}
		p.text = append(p.text, `"modifiedProperties":[`...)
		list := len(p.text) - 1
		for k := range lastProperty + 1 {
			if pairs := o.properties[k]; pairs != nil {
				p.text = p.separated(list)
				p.text = appendObject(p.text, pairs)
			}
		}
		p.text = append(p.text, `]}`...)
	}
	p.text = append(p.text, ']')
	p.add("targetResources", value{kind: '[', raw: p.text[from:]})

	from = len(p.text)
	p.text = append(p.text, '[')
	for n := range lastDetail + 1 {
		if pairs := details[n]; pairs != nil {
			p.text = p.separated(from)
			p.text = appendObject(p.text, pairs)
		}
	}
	p.text = append(p.text, ']')
	p.add("additionalDetails", value{kind: '[', raw: p.text[from:]})
}

// separated adds a comma unless the array that began there is empty.
func (p *portal) separated(from int) []byte {
	if len(p.text) > from+1 {
		return append(p.text, ',')
	}
	return p.text
}

// appendObject writes an object of names and values. What is a number or a
// boolean by its member is one; the rest is text.
func appendObject(out []byte, pairs []string) []byte {
	out = append(out, '{')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			out = append(out, ',')
		}
		name, text := pairs[i], pairs[i+1]
		out, _ = jsontext.AppendQuote(out, name)
		out = append(out, ':')
		switch {
		case strings.HasSuffix(name, "Code") && isDigits(text), strings.HasPrefix(name, "is") && (text == "true" || text == "false"):
			out = append(out, text...)
		default:
			out, _ = jsontext.AppendQuote(out, text) // the text of a file is UTF-8 by now
		}
	}
	return append(out, '}')
}

// isDigits says whether a text is an integer as JSON has it.
func isDigits(text string) bool {
	return text == "0" || text != "" && len(text) < 16 && text[0] != '0' && strings.Trim(text, "0123456789") == ""
}

// placeOf takes apart a place as the portal writes it: Lisboa, Lisboa, PT.
func placeOf(text string) []string {
	parts := strings.Split(text, ", ")
	last := len(parts) - 1
	switch {
	case last >= 2:
		return []string{"city", strings.Join(parts[:last-1], ", "), "state", parts[last-1], "countryOrRegion", parts[last]}
	case last == 1:
		return []string{"city", parts[0], "countryOrRegion", parts[1]}
	}
	return []string{"countryOrRegion", text}
}

// yesNo turns the portal's word for a boolean into one.
func yesNo(text string) string {
	switch strings.ToLower(text) {
	case "yes", "true":
		return "true"
	case "no", "false":
		return "false"
	}
	return text
}

// mfaRequired turns whether a second factor was required into the requirement.
func mfaRequired(text string) string {
	switch yesNo(text) {
	case "true":
		return "multiFactorAuthentication"
	case "false":
		return "singleFactorAuthentication"
	}
	return text
}

// riskEventList turns the portal's names of risk detections into an array of their
// values.
func riskEventList(text string) string {
	list := []string{}
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
		if name = strings.TrimSpace(name); strings.Trim(name, "-–—") != "" {
			list = append(list, riskEvent(name))
		}
	}
	out := []byte{'['}
	for i, name := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, name)
	}
	return string(append(out, ']'))
}

// enumeration turns the portal's words for a value of an enumeration into the
// value: Not Applied is notApplied.
func enumeration(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '-' })
	for i, word := range words {
		word = strings.ToLower(word)
		if i > 0 && word != "" {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		words[i] = word
	}
	joined := strings.Join(words, "")
	if joined == "multifactorAuthentication" || joined == "multiFactorAuthentication" {
		return "multiFactorAuthentication"
	}
	if len(words) == 1 {
		return camel(text) // it may be the value already
	}
	return joined
}
