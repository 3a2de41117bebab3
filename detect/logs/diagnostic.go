package logs

import (
	"bytes"
	"strings"
)

// The diagnostic settings of Microsoft Entra write a record as a few members
// around an object of properties, in camel case. A workspace that gets the
// same record keeps nearly every member in the column of the same name; this
// file has those that go elsewhere. Where both a member beside the properties
// and one of them have the same column, the property wins, being the specific
// one. A member that no column is known for is kept in a column of its own, in
// Pascal case.
//
// See https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
// and https://learn.microsoft.com/azure/azure-monitor/essentials/resource-logs-schema.

// outerColumn gives the column of a member beside the properties.
func outerColumn(t *table, member string) string {
	if t.name == azureActivity {
		if column := activityColumns[strings.ToLower(member)]; column != "" {
			return column
		}
	}
	switch strings.ToLower(member) {
	case "time":
		return timeGenerated
	case "tenantid":
		// TenantId is the workspace, not the directory.
		return "AADTenantId"
	case "calleripaddress":
		if t.isSignIn() {
			return "IPAddress"
		}
	}
	return ownName(member)
}

// innerColumn gives the column of one of the properties.
func innerColumn(t *table, member string) string {
	key := strings.ToLower(member)
	switch key {
	case "tenantid":
		return "AADTenantId"
	case "ipaddress":
		return "IPAddress"
	case "operationtype":
		if t.name == "AuditLogs" {
			return "AADOperationType"
		}
	}
	if t.isSignIn() {
		switch key {
		case "location":
			return "LocationDetails" // the member beside the properties has the country alone
		case "resourceid":
			return "ResourceIdentity" // ResourceId is the directory that logs
		case "appliedconditionalaccesspolicies":
			return "ConditionalAccessPolicies"
		case "processingtimeinmilliseconds":
			if t.name == nonInteractive {
				return "ProcessingTimeInMs"
			}
		}
	}
	return ownName(member)
}

// ownName keeps members out of the columns that the workspace itself fills.
func ownName(member string) string {
	switch key := strings.ToLower(member); {
	case key == "timegenerated", key == "type", key == "sourcesystem", strings.HasPrefix(key, "_"):
		return properties + "_" + member
	}
	return ""
}

// isSignIn says whether the table has the columns of a sign-in.
func (t *table) isSignIn() bool {
	return strings.HasSuffix(strings.ToLower(t.name), "signinlogs")
}

// pascal turns the name of a member into that of a column.
func pascal(member string) string {
	if member != "" && member[0] >= 'a' && member[0] <= 'z' && !strings.HasPrefix(member, properties+"_") {
		return strings.ToUpper(member[:1]) + member[1:]
	}
	return member
}

// derive fills the columns that a workspace computes for a record of Microsoft
// Entra. They give way to members of the record.
func (w *writer) derive(members []member) {
	if w.table.name == azureActivity {
		w.deriveActivity(members)
		return
	}
	if !w.table.entra {
		return
	}
	w.constant(typeColumn, []byte(w.table.name))
	w.constant("SourceSystem", []byte("Azure AD"))
	id := findMember(members, "resourceId")
	if id == nil || id.value.kind != '"' {
		return
	}
	// Of a resource that is a directory, /tenants/{id}/providers/{provider},
	// the provider is all that the workspace says.
	text := w.file.parser.text(id.value)
	const mark = "/providers/"
	at := bytes.LastIndex(text, []byte(mark))
	if at < 0 || !bytes.HasPrefix(bytes.ToLower(text), []byte("/tenants/")) {
		return
	}
	provider := text[at+len(mark):]
	w.constant("Resource", provider)
	w.constant("ResourceGroup", provider)
}

// openProperties takes apart the properties of a record of the export that has
// them as a text of JSON, or under a name in other case. It reports false if the
// record is no such one.
func (f *file) openProperties(members []member) ([]member, bool) {
	p, category := findMember(members, properties), findMember(members, "category")
	if p == nil || p.value.kind == '{' && string(p.name) == properties || category == nil || findMember(members, "time") == nil {
		return nil, false
	}
	inner := f.insides(p.value)
	if len(inner) == 0 {
		return nil, false
	}
	opened := make([]member, 0, len(members)+len(inner))
	for i := range members {
		switch m := members[i]; {
		case &members[i] == p || m.inner:
		case &members[i] == category:
			m.name = []byte("category")
			opened = append(opened, m)
		default:
			opened = append(opened, m)
		}
	}
	for _, m := range inner {
		m.inner = true
		opened = append(opened, m)
	}
	return opened, true
}
