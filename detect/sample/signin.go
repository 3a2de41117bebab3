package sample

import (
	"encoding/base64"
	"hash/fnv"
	"time"
)

// signIn is one sign-in, of which a record in one of the two tables is made.
type signIn struct {
	story    Story
	at       time.Time
	received time.Time // zero: soon after
	who      *person
	name     string // the user principal name as written, if not as usual
	from     place
	with     device
	to       app
	outcome  outcome
	factor   factor // of the prompt; zero: the person's own
	silent   bool   // non-interactive
	strong   bool   // strong authentication was required
	risk     string // during sign-in, if any

	correlation string // shared with other records of one authentication; empty: its own
	session     string // shared with what uses the session; empty: the authentication's
}

// prompted reports whether a second factor was asked for in this sign-in.
func (s *signIn) prompted() bool {
	return s.outcome == approved || s.outcome.refusedFirst || s.outcome.code == 500121
}

// sessionOf returns the session of an authentication that starts one.
func sessionOf(correlation string) string {
	h := fnv.New128a()
	h.Write([]byte("session of " + correlation))
	return formatGUID([16]byte(h.Sum(nil)))
}

// encoder turns sign-ins into records. It is used by one goroutine at a time.
type encoder struct {
	tenant *tenant
	r      random // identifiers and delays

	// compact leaves out the columns that detections seldom read, which
	// takes a record from some 3,000 bytes to 900.
	compact bool

	row, part jsonWriter
}

// signIn returns the record of a sign-in. It fills in what s leaves open.
func (e *encoder) signIn(s *signIn) Record {
	if s.received.IsZero() {
		s.received = s.at.Add(e.r.between(20*time.Second, 4*time.Minute+30*time.Second))
	}
	if s.correlation == "" {
		s.correlation = e.r.guid()
	}
	if s.session == "" {
		s.session = sessionOf(s.correlation)
	}
	if s.factor == (factor{}) {
		s.factor = s.who.factor
	}
	table := SigninLogs
	if s.silent {
		table = AADNonInteractiveUserSignInLogs
	}
	e.row.reset()
	e.row.open('{')
	e.event(s, table)
	e.subject(s)
	e.origin(s)
	e.result(s)
	if !e.compact {
		e.request(s)
		e.policies(s)
		e.constants(s)
	}
	e.row.close('}')
	return Record{Table: table, Generated: s.at, Received: s.received, Story: s.story, JSON: append([]byte(nil), e.row.buf...)}
}

// structured writes a column that is dynamic in SigninLogs and a string of
// JSON in the other table.
func (e *encoder) structured(s *signIn, column string) {
	if s.silent {
		e.row.valueAsText(column, e.part.buf)
	} else {
		e.row.value(column, e.part.buf)
	}
}

// event writes what identifies the record.
func (e *encoder) event(s *signIn, table string) {
	w := &e.row
	w.instant("TimeGenerated", s.at)
	w.instant("_TimeReceived", s.received)
	w.text("Type", table)
	w.text("CorrelationId", s.correlation)
	if !s.silent {
		w.text("AADTenantId", e.tenant.id)
	}
	if e.compact {
		return
	}
	w.text("TenantId", e.tenant.workspace)
	w.text("SessionId", s.session)
	// The token's identifier is the request's in another writing.
	b := e.r.bytes16()
	id := formatGUID(b)
	w.text("Id", id)
	w.text("OriginalRequestId", id)
	var token [22]byte
	base64.RawURLEncoding.Encode(token[:], b[:])
	w.text("UniqueTokenIdentifier", string(token[:]))
}

// subject writes who signed in to what.
func (e *encoder) subject(s *signIn) {
	w, p := &e.row, s.who
	name := s.name
	if name == "" {
		name = p.upn
	}
	w.text("UserPrincipalName", name)
	w.text("UserId", p.id)
	w.text("AppDisplayName", s.to.name)
	w.text("ResourceDisplayName", s.to.resource)
	w.text("ClientAppUsed", s.to.client)
	w.boolean("IsInteractive", !s.silent)
	if e.compact {
		return
	}
	w.text("UserDisplayName", p.display)
	w.text("UserType", p.userType())
	w.text("AppId", s.to.id)
	w.text("ResourceTenantId", e.tenant.id)
}

// origin writes where the sign-in came from.
func (e *encoder) origin(s *signIn) {
	w, part := &e.row, &e.part
	w.text("IPAddress", s.from.ip)
	w.text("AutonomousSystemNumber", s.from.asn)
	if !e.compact {
		w.text("Location", s.from.country)
	}

	part.reset()
	part.open('{')
	part.text("city", s.from.city)
	part.text("countryOrRegion", s.from.country)
	if !e.compact {
		part.text("state", s.from.state)
		part.key("geoCoordinates")
		part.open('{')
		part.real("latitude", s.from.lat)
		part.real("longitude", s.from.lon)
		part.close('}')
	}
	part.close('}')
	e.structured(s, "LocationDetails")

	part.reset()
	part.open('{')
	if !e.compact {
		part.key("deviceId") // always there, empty for a device the tenant does not know
		part.buf = appendQuoted(part.buf, s.with.id)
		part.text("displayName", s.with.name)
	}
	part.text("operatingSystem", s.with.os)
	part.text("browser", s.with.browser)
	if s.with.id != "" && !e.compact {
		part.boolean("isCompliant", s.with.compliant)
		part.boolean("isManaged", s.with.managed)
		part.text("trustType", s.with.trust)
	}
	part.close('}')
	e.structured(s, "DeviceDetail")
	w.text("UserAgent", s.with.agent)
}

// result writes how the sign-in ended.
func (e *encoder) result(s *signIn) {
	w, part, o := &e.row, &e.part, s.outcome
	code := itoa(o.code)
	w.text("ResultType", code)
	w.text("ResultDescription", o.reason)

	part.reset()
	part.open('{')
	part.integer("errorCode", int64(o.code))
	part.text("failureReason", o.reason)
	part.text("additionalDetails", o.details)
	part.close('}')
	e.structured(s, "Status")

	if s.prompted() && o != unexplained {
		part.reset()
		part.open('{')
		part.text("authMethod", s.factor.method)
		if s.factor == textFactor {
			part.text("authDetail", "+XXX XXXXXX"+last(s.who.phone, 2))
		}
		part.close('}')
		e.structured(s, "MfaDetail")
	}
	risk := s.risk
	if risk == "" {
		risk = "none"
	}
	w.text("RiskLevelDuringSignIn", risk)
	if e.compact {
		return
	}
	w.text("ConditionalAccessStatus", o.conditionalAccess(s.strong))
	if s.strong {
		w.text("AuthenticationRequirement", "multiFactorAuthentication")
	} else {
		w.text("AuthenticationRequirement", "singleFactorAuthentication")
	}
}

// request writes the rest of what a full record says of the request.
func (e *encoder) request(s *signIn) {
	w, p := &e.row, s.who
	w.instant("CreatedDateTime", s.at)
	w.text("Identity", p.display)
	w.text("HomeTenantId", p.homeTenant)
	w.text("ResourceIdentity", s.to.resourceID)
	if s.silent {
		w.text("ProcessingTimeInMs", itoa(40+e.r.IntN(400)))
		w.text("SignInEventTypes", `["nonInteractiveUser"]`)
	} else {
		w.text("ProcessingTimeInMilliseconds", itoa(40+e.r.IntN(400)))
		w.text("AlternateSignInName", p.upn)
		w.text("SignInIdentifier", p.upn)
		w.boolean("FlaggedForReview", false)
	}
	if p.guest {
		w.text("CrossTenantAccessType", "b2bCollaboration")
	} else {
		w.text("CrossTenantAccessType", "none")
	}
	if s.from.network == "" {
		w.text("NetworkLocationDetails", "[]")
	} else {
		part := &e.part
		part.reset()
		part.open('[')
		part.element()
		part.text("networkType", "trustedNamedLocation")
		part.texts("networkNames", []string{s.from.network})
		part.close('}')
		part.close(']')
		w.valueAsText("NetworkLocationDetails", part.buf)
	}
	e.steps(s)
}

// steps writes AuthenticationDetails, which is a string in both tables.
func (e *encoder) steps(s *signIn) {
	w, part, o := &e.row, &e.part, s.outcome
	part.reset()
	part.open('[')
	step := func(n int, at time.Time, method, detail string, succeeded bool, result, requirement string) {
		part.element()
		part.instant("authenticationStepDateTime", at)
		part.text("authenticationMethod", method)
		part.text("authenticationMethodDetail", detail)
		part.boolean("succeeded", succeeded)
		part.text("authenticationStepResultDetail", result)
		part.text("authenticationStepRequirement", requirement)
		part.integer("StatusSequence", 0)
		part.integer("RequestSequence", int64(n))
		part.close('}')
	}
	const primary = "Primary authentication"
	switch {
	case o.passwordRefused():
		step(1, s.at, "Password", "Password in the cloud", false, "Invalid username or password or Invalid on-premise username or password.", primary)
	case s.prompted():
		// The password was right; the prompt went out some time before the
		// record, which is written when the attempt is over.
		step(0, s.at.Add(-18*time.Second), "Password", "Password in the cloud", true, "Correct password", primary)
		result, last := o.details, 1
		if o.refusedFirst {
			step(1, s.at.Add(-12*time.Second), s.factor.method, "", false, declinedText, "Multifactor authentication")
			last++
		}
		went := o.code == 0 || o.refusedFirst
		if went {
			result = "MFA successfully completed"
		}
		if o != unexplained {
			step(last, s.at, s.factor.method, "", went, result, "Multifactor authentication")
		}
	case o == needsStrong || o == needsMFA:
		step(0, s.at, "Password", "Password in the cloud", true, "Correct password", primary)
		step(1, s.at, "", "", false, "MFA required in Azure AD", "Multifactor authentication")
	case s.silent:
		// No step: the client had all it needed.
	case o == claimed || o == keepMe && s.strong:
		step(0, s.at, "Previously satisfied", "", true, "First factor requirement satisfied by claim in the token", primary)
		step(1, s.at, "Previously satisfied", "", true, claimed.details, "Multifactor authentication")
	default:
		step(0, s.at, "Password", "Password in the cloud", true, "Correct password", primary)
	}
	part.close(']')
	w.valueAsText("AuthenticationDetails", part.buf)

	if s.prompted() && o != unexplained {
		part.reset()
		part.open('[')
		part.separate()
		part.buf = appendQuoted(part.buf, "Password")
		part.separate()
		part.buf = appendQuoted(part.buf, s.factor.used)
		part.close(']')
		w.valueAsText("AuthenticationMethodsUsed", part.buf)
	}
}

// policies writes the Conditional Access policies that were looked at.
func (e *encoder) policies(s *signIn) {
	part, status := &e.part, s.outcome.conditionalAccess(s.strong)
	policy := func(id, name, control, result string) {
		part.element()
		part.text("id", id)
		part.text("displayName", name)
		part.texts("enforcedGrantControls", []string{control})
		part.text("result", result)
		part.close('}')
	}
	part.reset()
	part.open('[')
	if s.outcome == refused {
		policy(e.tenant.blockPolicy, "Block legacy clients", "Block", "failure")
	} else {
		policy(e.tenant.strongPolicy, "Require strong authentication", "Mfa", status)
	}
	part.close(']')
	e.structured(s, "ConditionalAccessPolicies")

	if s.strong {
		e.row.text("AuthenticationRequirementPolicies", `[{"requirementProvider":"multiConditionalAccess","detail":"Conditional Access"}]`)
	} else {
		e.row.text("AuthenticationRequirementPolicies", "[]")
	}
}

// constants writes what hardly ever differs between records.
func (e *encoder) constants(s *signIn) {
	w := &e.row
	category, protocol := "SignInLogs", "none"
	if s.silent {
		category = "NonInteractiveUserSignInLogs"
	}
	if s.who.service && s.to.client != browserClient {
		protocol = "ropc"
	}
	w.text("AuthenticationProtocol", protocol)
	w.text("Category", category)
	w.text("OperationName", "Sign-in activity")
	w.text("OperationVersion", "1.0")
	w.text("Level", "4")
	w.integer("DurationMs", 0)
	w.text("ResultSignature", "None")
	w.text("ResourceGroup", "Microsoft.aadiam")
	if !s.silent {
		w.text("Resource", "Microsoft.aadiam")
		w.text("ResourceId", "/tenants/"+e.tenant.id+"/providers/Microsoft.aadiam")
	}
	if s.risk == "" {
		w.text("RiskDetail", "none")
		w.text("RiskLevelAggregated", "none")
		w.text("RiskState", "none")
	} else {
		w.text("RiskDetail", "none")
		w.text("RiskLevelAggregated", s.risk)
		w.text("RiskState", "atRisk")
		w.text("RiskEventTypes_V2", `["unfamiliarFeatures"]`)
	}
	w.text("SourceSystem", "Azure AD")
	w.text("TokenIssuerType", "AzureAD")
}
