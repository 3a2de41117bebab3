package sample

import (
	"encoding/json"
	"fmt"
	"time"
)

// audit writes one record of AuditLogs: somebody registered a method for the
// second factor in the user's name.
func (g *generator) audit(r random, s Story, p *person, from place, at time.Time) {
	w := &g.encoder.row
	received := at.Add(r.between(2*time.Minute, 6*time.Minute))
	who := map[string]string{"id": p.id, "userPrincipalName": p.upn, "ipAddress": from.ip}
	user, err := json.Marshal(who)
	if err != nil {
		panic(err) // texts are always valid
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
	w.value("InitiatedBy", fmt.Appendf(nil, `{"user":%s}`, user))
	w.value("TargetResources", fmt.Appendf(nil, `[%s]`, user))
	w.text("SourceSystem", "Azure AD")
	w.text("Type", AuditLogs)
	w.close('}')
	g.records = append(g.records, Record{
		Table: AuditLogs, Generated: at, Received: received, Story: s,
		JSON: append([]byte(nil), w.buf...),
	})
}
