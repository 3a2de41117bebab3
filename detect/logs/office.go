package logs

import (
	"bytes"
	"strings"
	"sync"

	"pushback/detect/kql"
)

// The unified audit log of Microsoft 365 has the records that a workspace keeps in
// OfficeActivity. Purview, Search-UnifiedAuditLog and the tools around them write a
// few columns beside AuditData, which is the record itself as a text of JSON; the
// Management Activity API gives that alone. A few of its members have other names in
// the table, and some of its numbers are names there.
//
// See https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema.

const (
	officeActivity = "OfficeActivity"
	auditData      = "AuditData"
	creationTime   = "CreationTime"
)

// officeColumns are the columns of members that have other names.
var officeColumns = map[string]string{
	"workload": "OfficeWorkload", "id": "OfficeId", "objectid": "OfficeObjectId", "site": "Site_",
	"azureactivedirectoryeventtype": "AzureActiveDirectory_EventType", "eventdata": "Event_Data",
}

// officeNames gives the columns of the table, by their names in lower case without
// the underscores that the records do not have.
var officeNames = sync.OnceValue(func() map[string]string {
	names := make(map[string]string)
	for _, c := range kql.KnownTables()[officeActivity] {
		if !strings.HasPrefix(c.Name, "_") {
			names[strings.ToLower(strings.ReplaceAll(c.Name, "_", ""))] = c.Name
		}
	}
	return names
})

// userTypes and recordTypes are the names of numbers.
var userTypes = map[string]string{
	"0": "Regular", "1": "Reserved", "2": "Admin", "3": "DcAdmin", "4": "System", "5": "Application", "6": "ServicePrincipal",
	"7": "CustomPolicy", "8": "SystemPolicy", "9": "PartnerTechnician", "10": "Guest",
}

var recordTypes = map[string]string{
	"1": "ExchangeAdmin", "2": "ExchangeItem", "3": "ExchangeItemGroup", "4": "SharePoint", "6": "SharePointFileOperation", "7": "OneDrive",
	"8": "AzureActiveDirectory", "9": "AzureActiveDirectoryAccountLogon", "10": "DataCenterSecurityCmdlet", "11": "ComplianceDLPSharePoint",
	"13": "ComplianceDLPExchange", "14": "SharePointSharingOperation", "15": "AzureActiveDirectoryStsLogon", "18": "SecurityComplianceCenterEOPCmdlet",
	"20": "PowerBIAudit", "21": "CRM", "22": "Yammer", "23": "SkypeForBusinessCmdlets", "24": "Discovery", "25": "MicrosoftTeams",
	"28": "ThreatIntelligence", "29": "MailSubmission", "30": "MicrosoftFlow", "31": "AeD", "32": "MicrosoftStream", "35": "Project",
	"36": "SharePointListOperation", "40": "SecurityComplianceAlerts", "41": "ThreatIntelligenceUrl", "47": "ThreatIntelligenceAtpContent",
	"50": "ExchangeItemAggregated", "54": "SharePointListItemOperation", "55": "SharePointContentTypeOperation", "56": "SharePointFieldOperation",
	"64": "AirInvestigation", "65": "Quarantine", "66": "MicrosoftForms", "68": "ComplianceSupervisionExchange",
}

// office reads the members of a record as one of the unified audit log, and reports
// false if they are none. They are valid until the next object inside another is
// taken apart.
func (f *file) office(members []member) ([]member, bool) {
	if data := findMember(members, auditData); data != nil {
		if inner := f.insides(data.value); given(inner, creationTime) && given(inner, "Operation") {
			return f.officeMembers(inner), true
		}
	}
	if !given(members, creationTime) || !given(members, "Operation") || !given(members, "RecordType") || !given(members, "Workload") {
		return nil, false
	}
	return f.officeMembers(members), true
}

// officeMembers names the members of a record as the columns of the table.
func (f *file) officeMembers(members []member) []member {
	named := make([]member, 0, len(members))
	for _, m := range members {
		if m.inner {
			continue
		}
		key := strings.ToLower(string(m.name))
		switch key {
		case "creationtime":
			m.name = []byte(timeGenerated)
		case "usertype":
			m.value = f.nameOf(m.value, userTypes)
		case "recordtype":
			m.value = f.nameOf(m.value, recordTypes)
		default:
			if column := officeColumns[key]; column != "" {
				m.name = []byte(column)
			} else if column := officeNames()[key]; column != "" {
				m.name = []byte(column)
			}
		}
		named = append(named, m)
	}
	return named
}

// nameOf gives the name of a number, or the value as it is if none is known.
func (f *file) nameOf(v value, names map[string]string) value {
	if name, ok := names[string(bytes.TrimSpace(f.parser.text(v)))]; ok {
		return value{kind: plainText, raw: []byte(name)}
	}
	return v
}
