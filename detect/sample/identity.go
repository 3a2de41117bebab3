package sample

import (
	"strings"
	"time"
)

// directory writes IdentityInfo: what is known of most users, from a full
// synchronisation within the last two weeks, and changes of the day itself.
// The user of IPv6Rejection is not known, nor are some bystanders.
func (g *generator) directory() {
	r := g.begin("directory")
	unknown := g.cast[IPv6Rejection][0]
	all := append(append(append([]*person{}, g.people...), g.guests...), g.services...)
	all = append(all, g.breakGlass)
	for i, p := range all {
		at := g.day.Add(-r.between(24*time.Hour, 13*24*time.Hour))
		if p == unknown || i >= len(cast) && r.chance(0.06) {
			continue
		}
		if p == g.cast[AdminRejection][0] {
			// Before the roles were given, which a rule that does not look
			// for the latest record reports.
			before := *p
			before.roles, before.blast, before.tags = nil, "Low", nil
			before.groups = p.groups[:2]
			g.identity(r, &before, at.Add(-12*time.Hour))
		}
		g.identity(r, p, at)
		if i >= len(cast) && r.chance(0.05) {
			p.groups = append(p.groups, "Project Aurora")
			g.identity(r, p, g.day.Add(r.between(time.Hour, 22*time.Hour)))
		}
	}
}

// identity writes one record of IdentityInfo.
func (g *generator) identity(r random, p *person, at time.Time) {
	w := &g.encoder.row
	received := at.Add(r.between(30*time.Second, 4*time.Minute))
	rid := itoa(1000 + len(g.records))

	w.reset()
	w.open('{')
	w.instant("TimeGenerated", at)
	w.instant("_TimeReceived", received)
	w.text("TenantId", g.workspace)
	w.text("AccountUPN", p.upn)
	w.text("AccountName", p.account())
	w.text("AccountDomain", p.domain())
	w.text("AccountDisplayName", p.display)
	w.text("AccountObjectId", p.id)
	w.text("AccountTenantId", g.id)
	w.text("AccountCloudSID", "S-1-12-1-"+itoa(r.IntN(1<<31))+"-"+itoa(r.IntN(1<<31))+"-"+itoa(r.IntN(1<<31))+"-"+itoa(r.IntN(1<<31)))
	if !p.guest {
		w.text("AccountSID", g.domainSID+"-"+rid)
		w.text("SAMAccountName", p.account())
		w.text("OnPremisesDistinguishedName", "CN="+p.account()+",OU=Accounts,DC=fabrikam,DC=example")
		w.text("CompanyName", company)
	}
	w.instant("AccountCreationTime", p.created)
	w.text("GivenName", p.given)
	w.text("Surname", p.family)
	w.text("EmployeeId", p.employee)
	if !p.service && !p.guest {
		w.text("JobTitle", p.title)
		w.text("Department", p.department.name)
		w.text("City", p.office.city)
		w.text("State", p.office.state)
		w.text("Country", countryNames[p.office.country])
		w.text("MailAddress", p.upn)
		w.text("Phone", p.phone)
	}
	if p.manager != nil {
		w.text("Manager", p.manager.upn)
	}
	w.texts("AdditionalMailAddresses", nil)
	w.texts("AssignedRoles", p.roles)
	w.texts("GroupMembership", p.groups)
	w.text("BlastRadius", p.blast)
	if len(p.tags) > 0 {
		w.text("Tags", `["`+strings.Join(p.tags, `","`)+`"]`)
	}
	w.boolean("IsAccountEnabled", !p.disabled)
	w.boolean("IsMFARegistered", !p.service)
	w.boolean("IsServiceAccount", p.service)
	w.instant("LastSeenDate", at.Add(-r.between(time.Hour, 20*time.Hour)))
	if p.risk == "" {
		w.text("RiskLevel", "None")
		w.text("RiskState", "None")
	} else {
		w.text("RiskLevel", "Medium")
		w.text("RiskState", p.risk)
	}
	w.texts("UserAccountControl", []string{"NormalAccount"})
	w.text("UserType", p.userType())
	if p.guest {
		w.text("UserState", "Accepted")
		w.instant("UserStateChangedOn", p.created.Add(26*time.Hour))
	}
	w.text("ChangeSource", "AzureActiveDirectory")
	w.text("SourceSystem", "Azure AD")
	w.text("Type", IdentityInfo)
	w.close('}')
	g.keep(IdentityInfo, at, received, Directory)
}
