package logs

import (
	"strings"
)

// The diagnostic settings of a subscription export its activity log. Its records
// are those of AzureActivity, where several members have names of their own.
//
// See https://learn.microsoft.com/azure/azure-monitor/reference/tables/azureactivity
// and https://learn.microsoft.com/azure/azure-monitor/platform/activity-log-schema.

const azureActivity = "AzureActivity"

// activityCategories are the categories of an activity log, in lower case, but for
// those whose names are those of many things.
var activityCategories = map[string]bool{
	"administrative": true, "servicehealth": true, "resourcehealth": true, "autoscale": true, "recommendation": true,
}

// activityColumns are the columns of members that have other names, which are in
// lower case here.
var activityColumns = map[string]string{
	"operationname": "OperationNameValue", "resulttype": "ActivityStatusValue", "resultsignature": "ActivitySubstatusValue",
	"category": "CategoryValue", "resourceid": "_ResourceId", "properties": "Properties_d",
}

// callers are the claims that tell who did something, the best first.
var callers = []string{
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "appid",
}

// deriveActivity fills the columns that a workspace takes out of others.
func (w *writer) deriveActivity(members []member) {
	if properties := findMember(members, properties); properties != nil && properties.value.kind == '{' {
		w.constant("Properties", w.file.parser.compact(properties.value.raw))
	}
	identity := findMember(members, "identity")
	if identity == nil || identity.value.kind != '{' {
		return
	}
	inner := w.file.insides(identity.value)
	var claims, authorization value
	if m := findMember(inner, "claims"); m != nil {
		claims = m.value
	}
	if m := findMember(inner, "authorization"); m != nil {
		authorization = m.value
	}
	for column, v := range map[string]value{"Claims": claims, "Authorization": authorization} {
		if v.kind != '{' {
			continue
		}
		text := w.file.parser.compact(v.raw)
		w.constant(column, text)
		if c := w.table.columns[column+"_d"]; c != nil && w.table.claim(c, rankDerived) {
			w.table.b.SetJSON(c.index, text)
		}
	}
	if claims.kind != '{' {
		return
	}
	inner = w.file.insides(claims)
	for _, name := range callers {
		if text := w.file.memberText(inner, name); strings.TrimSpace(text) != "" {
			w.constant("Caller", []byte(text))
			return
		}
	}
}
