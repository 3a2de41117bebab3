package sample

import "time"

// risk writes one record of AADUserRiskEvents: the user reported the prompt of a
// sign-in as suspicious.
func (g *generator) risk(r random, s Story, p *person, from place, at time.Time) {
	w := &g.encoder.row
	received := at.Add(r.between(2*time.Minute, 5*time.Minute))
	w.reset()
	w.open('{')
	w.instant("TimeGenerated", at)
	w.instant("_TimeReceived", received)
	w.text("TenantId", g.workspace)
	w.instant("ActivityDateTime", at)
	w.instant("DetectedDateTime", at)
	w.instant("LastUpdatedDateTime", at)
	w.text("Activity", "signin")
	w.text("DetectionTimingType", "realtime")
	w.text("Id", r.guid())
	w.text("IpAddress", from.ip)
	w.text("OperationName", "User Risk Detection")
	w.text("RequestId", r.guid())
	w.text("RiskDetail", "none")
	w.text("RiskEventType", "userReportedSuspiciousActivity")
	w.text("RiskLevel", "high")
	w.text("RiskState", "atRisk")
	w.text("Source", "IdentityProtection")
	w.text("UserDisplayName", p.display)
	w.text("UserId", p.id)
	w.text("UserPrincipalName", p.upn)
	w.text("SourceSystem", "Azure AD")
	w.text("Type", AADUserRiskEvents)
	w.close('}')
	g.keep(AADUserRiskEvents, at, received, s)
}
