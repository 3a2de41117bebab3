package sample

import "time"

// change is something that was done to an account, as AuditLogs has it.
type change struct {
	at                                 time.Time
	operation, category, service, kind string
	reason                             string
	by                                 *person
	from                               string // an address
	target                             *person
	application                        string // what the user consents to, if anything
}

// registration is that of a method for the second factor.
func registration(who *person, from place, at time.Time) change {
	return change{
		at: at, operation: "User registered security info", category: "UserManagement", service: "Authentication Methods", kind: "Add",
		reason: "User registered Authenticator App with Notification and Code", by: who, from: from.ip, target: who,
	}
}

// openRow begins a record of something that happened at a time, and says when it
// is received.
func (g *generator) openRow(r random, at time.Time) (w *jsonWriter, received time.Time) {
	w = &g.encoder.row
	received = at.Add(r.between(2*time.Minute, 5*time.Minute))
	w.reset()
	w.open('{')
	w.instant("TimeGenerated", at)
	w.instant("_TimeReceived", received)
	w.text("TenantId", g.workspace)
	return w, received
}

// audit writes one record of AuditLogs.
func (g *generator) audit(r random, s Story, c change) {
	w, received := g.openRow(r, c.at)
	w.text("AADTenantId", g.id)
	w.instant("ActivityDateTime", c.at)
	w.text("ActivityDisplayName", c.operation)
	w.text("OperationName", c.operation)
	w.text("AADOperationType", c.kind)
	w.text("Category", c.category)
	w.text("LoggedByService", c.service)
	w.text("CorrelationId", r.guid())
	w.text("Id", r.guid())
	w.text("Result", "success")
	w.text("ResultReason", c.reason)
	part := &g.encoder.part
	part.reset()
	part.open('{')
	part.key("user")
	part.open('{')
	part.text("id", c.by.id)
	part.text("ipAddress", c.from)
	part.text("userPrincipalName", c.by.upn)
	part.close('}')
	part.close('}')
	w.value("InitiatedBy", part.buf)
	part.reset()
	part.open('[')
	part.element()
	if c.application != "" {
		part.text("id", r.guid())
		part.text("displayName", c.application)
		part.text("type", "ServicePrincipal")
	} else {
		part.text("id", c.target.id)
		part.text("type", "User")
		part.text("userPrincipalName", c.target.upn)
	}
	part.close('}')
	part.close(']')
	w.value("TargetResources", part.buf)
	w.text("SourceSystem", "Azure AD")
	w.text("Type", AuditLogs)
	w.close('}')
	g.keep(AuditLogs, c.at, received, s)
}

// inboxRule writes one record of OfficeActivity: a rule that moves mail of the bank
// out of sight and marks it as read.
func (g *generator) inboxRule(r random, s Story, p *person, from place, at time.Time) {
	w, received := g.openRow(r, at)
	w.text("OrganizationId", g.id)
	w.text("OfficeWorkload", "Exchange")
	w.text("RecordType", "ExchangeAdmin")
	w.text("Operation", "New-InboxRule")
	w.text("ResultStatus", "True")
	w.text("UserId", p.upn)
	w.text("UserKey", p.id)
	w.text("UserType", "Regular")
	w.text("ClientIP", from.ip+":51422")
	w.text("Client_IPAddress", from.ip)
	w.text("OfficeObjectId", p.upn+`\.`)
	part := &g.encoder.part
	part.reset()
	part.open('[')
	for _, of := range [][2]string{{"Name", "."}, {"SubjectContainsWords", "payment;invoice"}, {"MoveToFolder", "RSS Feeds"}, {"MarkAsRead", "True"}} {
		part.element()
		part.text("Name", of[0])
		part.text("Value", of[1])
		part.close('}')
	}
	part.close(']')
	w.valueAsText("Parameters", part.buf)
	w.text("OfficeId", r.guid())
	w.text("SourceSystem", "OfficeActivityManager")
	w.text("Type", OfficeActivity)
	w.close('}')
	g.keep(OfficeActivity, at, received, s)
}
