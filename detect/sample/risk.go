package sample

import "time"

// risk writes one record of AADUserRiskEvents: what was detected of a sign-in, or
// reported by its user.
func (g *generator) risk(r random, s Story, p *person, from place, event, level string, at time.Time) {
	w, received := g.openRow(r, at)
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
	w.text("RiskEventType", event)
	w.text("RiskLevel", level)
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
