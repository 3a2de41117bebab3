package sample

import "time"

// audit writes one record of AuditLogs: somebody registered a method for the
// second factor in the user's name.
func (g *generator) audit(r random, s Story, p *person, from place, at time.Time) {
	w := &g.encoder.row
	received := at.Add(r.between(2*time.Minute, 5*time.Minute))
	user := func(part *jsonWriter) {
		part.open('{')
		part.text("id", p.id)
		part.text("ipAddress", from.ip)
		part.text("userPrincipalName", p.upn)
		part.close('}')
	}
	w.reset()
	w.open('{')
	w.instant("TimeGenerated", at)
	w.instant("_TimeReceived", received)
	w.text("TenantId", g.workspace)
	w.text("AADTenantId", g.id)
	w.instant("ActivityDateTime", at)
	w.text("ActivityDisplayName", "User registered security info")
	w.text("OperationName", "User registered security info")
	w.text("AADOperationType", "Add")
	w.text("Category", "UserManagement")
	w.text("LoggedByService", "Authentication Methods")
	w.text("CorrelationId", r.guid())
	w.text("Id", r.guid())
	w.text("Result", "success")
	w.text("ResultReason", "User registered Authenticator App with Notification and Code")
	part := &g.encoder.part
	part.reset()
	part.open('{')
	part.key("user")
	user(part)
	part.close('}')
	w.value("InitiatedBy", part.buf)
	part.reset()
	part.open('[')
	user(part)
	part.close(']')
	w.value("TargetResources", part.buf)
	w.text("SourceSystem", "Azure AD")
	w.text("Type", AuditLogs)
	w.close('}')
	g.keep(AuditLogs, at, received, s)
}
