package logs

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"

	"pushback/detect/kql"
	"pushback/detect/rule"
)

// object is a JSON object.
type object = map[string]any

// madeSignIn is a sign-in of an invented person.
type madeSignIn struct {
	at                             time.Time
	name, user, address, app, text string
	city, state, country, agent    string
	code                           int
	guest                          bool
	steps                          []object
}

const (
	ownTenant   = "0a1b2c3d-0000-4000-8000-000000000001"
	otherTenant = "0a1b2c3d-0000-4000-8000-000000000002"
)

// tenSignIns are refusals of three people among other sign-ins. What they hold is
// awkward for files: quotes, commas, semicolons, letters beyond ASCII.
func tenSignIns(steps bool) []madeSignIn {
	const declined, fraud = "MFA denied; user declined the authentication", "MFA denied; Phone App Reported Fraud"
	const chrome, odd = "Mozilla/5.0 (X11; Linux x86_64) Chrome/122.0", `curl/8 "odd, agent"; x`
	at := func(minute int) time.Time { return time.Date(2026, 3, 17, 9, minute, 13, 0, time.UTC) }
	list := []madeSignIn{
		{at(1), "Ana Lima", "ana", "192.0.2.7", "Office 365", "", "Lisboa", "Lisboa", "PT", chrome, 0, false, nil},
		{at(2), "Ana Lima", "ana", "198.51.100.9", "Azure Portal", declined, "Kyiv", "Kyiv", "UA", odd, 500121, false, nil},
		{at(4), "Ana Lima", "ana", "198.51.100.9", "Azure Portal", declined, "Kyiv", "Kyiv", "UA", odd, 500121, false, nil},
		{at(6), "Ana Lima", "ana", "198.51.100.9", "Office 365", "MFA denied; duplicate authentication attempt", "Kyiv", "Kyiv", "UA", odd, 500121, false, nil},
		{at(9), "José Núñez", "jose", "2001:db8::5", "Office 365", fraud, "Málaga", "Andalucía", "ES", chrome, 500121, false, nil},
		{at(11), "José Núñez", "jose", "2001:db8::5", "Office 365", "", "Málaga", "Andalucía", "ES", chrome, 50126, false, nil},
		{at(14), "Guest, One", "guest", "203.0.113.4", "Microsoft Teams", declined, "Bonn, Süd", "NRW", "DE", chrome, 500121, true, nil},
		{at(15), "Guest, One", "guest", "203.0.113.4", "Microsoft Teams", "MFA completed in Azure AD", "Bonn, Süd", "NRW", "DE", chrome, 0, true, nil},
		{at(20), "Bo Ek", "bo", "192.0.2.8", "Office 365", "", "Lund", "Skåne", "SE", chrome, 50140, false, nil},
		{at(31), "Bo Ek", "bo", "192.0.2.8", "Office 365", declined, "Lund", "Skåne", "SE", chrome, 500121, false, nil},
	}
	if steps {
		for i := range list {
			if list[i].text == declined {
				list[i].steps = []object{
					{"authenticationStepDateTime": list[i].at.Format(time.RFC3339), "authenticationMethod": "Password", "succeeded": true, "authenticationStepResultDetail": "Correct password"},
					{"authenticationStepDateTime": list[i].at.Format(time.RFC3339), "authenticationMethod": "Mobile app notification", "succeeded": false, "authenticationStepResultDetail": declined},
				}
			}
		}
	}
	return list
}

func (s *madeSignIn) id(what string, i int) string {
	return fmt.Sprintf("%08x-%04x-4000-8000-00000000000%d", len(s.user)*7919+i, i, len(what)%10)
}

func (s *madeSignIn) tenants() (home, resource, log string) {
	if s.guest {
		return otherTenant, ownTenant, ownTenant
	}
	return ownTenant, ownTenant, ownTenant
}

func (s *madeSignIn) userType() string {
	if s.guest {
		return "Guest"
	}
	return "Member"
}

func (s *madeSignIn) reason() string {
	if s.code == 0 {
		return "Other."
	}
	return "Authentication failed during strong authentication request."
}

// graph gives a sign-in as Microsoft Graph has it.
func (s *madeSignIn) graph(i int) object {
	home, resource, _ := s.tenants()
	o := object{
		"id": s.id("id", i), "createdDateTime": s.at.Format(time.RFC3339), "userDisplayName": s.name,
		"userPrincipalName": s.user + "@contoso.example", "userId": s.id("user", 0), "userType": strings.ToLower(s.userType()),
		"appDisplayName": s.app, "appId": s.id("app", 1), "ipAddress": s.address, "clientAppUsed": "Browser",
		"correlationId": s.id("correlation", i), "conditionalAccessStatus": "notApplied", "isInteractive": true,
		"resourceDisplayName": "Windows Azure Service Management API", "homeTenantId": home, "resourceTenantId": resource,
		"autonomousSystemNumber": 64500, "userAgent": s.agent, "signInEventTypes": []string{"interactiveUser"},
		"authenticationRequirement": "multiFactorAuthentication",
		"status":                    object{"errorCode": s.code, "failureReason": s.reason(), "additionalDetails": s.text},
		"deviceDetail":              object{"deviceId": "", "operatingSystem": "Windows10", "browser": "Edge 122.0"},
		"location":                  object{"city": s.city, "state": s.state, "countryOrRegion": s.country},
		"mfaDetail":                 object{"authMethod": "PhoneAppNotification", "authDetail": ""},
	}
	if s.steps != nil {
		o["authenticationDetails"] = s.steps
	}
	return o
}

// flat gives a sign-in as a workspace has it.
func (s *madeSignIn) flat(i int) object {
	g := s.graph(i)
	_, _, tenant := s.tenants()
	o := object{
		"TimeGenerated": g["createdDateTime"], "Type": "SigninLogs", "AADTenantId": tenant, "ResultType": fmt.Sprint(s.code),
		"ResultDescription": s.reason(), "Location": s.country, "LocationDetails": g["location"], "IPAddress": s.address,
		"Category": "SignInLogs", "OperationName": "Sign-in activity", "Identity": s.name, "UserType": s.userType(),
		"AutonomousSystemNumber": "64500",
	}
	for _, name := range []string{"id", "createdDateTime", "userDisplayName", "userPrincipalName", "userId", "appDisplayName", "appId",
		"clientAppUsed", "correlationId", "conditionalAccessStatus", "isInteractive", "resourceDisplayName", "homeTenantId",
		"resourceTenantId", "userAgent", "authenticationRequirement", "status", "deviceDetail", "mfaDetail", "authenticationDetails"} {
		if v, ok := g[name]; ok {
			o[pascal(name)] = v
		}
	}
	return o
}

// exported gives a sign-in as the diagnostic settings write it.
func (s *madeSignIn) exported(i int) object {
	_, _, tenant := s.tenants()
	inner := s.graph(i)
	inner["userType"] = s.userType()
	return object{
		"time": inner["createdDateTime"], "category": "SignInLogs", "tenantId": tenant, "resultType": fmt.Sprint(s.code),
		"resultDescription": s.reason(), "location": s.country, "operationName": "Sign-in activity", "identity": s.name,
		"properties": inner,
	}
}

// inPascal gives a value as the PowerShell SDK does: members in Pascal case, and
// one for what it does not know.
func inPascal(v any) any {
	switch v := v.(type) {
	case object:
		o := object{"AdditionalProperties": object{}}
		for name, inner := range v {
			o[strings.ToUpper(name[:1])+name[1:]] = inPascal(inner)
		}
		return o
	case []object:
		list := make([]any, len(v))
		for i := range v {
			list[i] = inPascal(v[i])
		}
		return list
	}
	return v
}

// withDates replaces times by what Windows PowerShell writes for them.
func withDates(v any) any {
	switch v := v.(type) {
	case object:
		o := make(object)
		for name, inner := range v {
			o[name] = withDates(inner)
		}
		return o
	case []any:
		for i := range v {
			v[i] = withDates(v[i])
		}
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return fmt.Sprintf("/Date(%d)/", at.UnixMilli())
		}
	}
	return v
}

func marshal(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// each gives the records one by one, in JSON.
func each(list []madeSignIn, form func(s *madeSignIn, i int) any) []string {
	var out []string
	for i := range list {
		out = append(out, marshal(form(&list[i], i)))
	}
	return out
}

func flatOf(s *madeSignIn, i int) any     { return s.flat(i) }
func graphOf(s *madeSignIn, i int) any    { return s.graph(i) }
func exportedOf(s *madeSignIn, i int) any { return s.exported(i) }

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strings.ToUpper(fmt.Sprint(v)[:1]) + fmt.Sprint(v)[1:]
	case nil:
		return ""
	}
	return marshal(v)
}

var workspaceColumns = []string{"TimeGenerated", "Type", "AADTenantId", "ResultType", "ResultDescription", "Location", "LocationDetails", "IPAddress",
	"Category", "OperationName", "Identity", "UserType", "AutonomousSystemNumber", "Id", "CreatedDateTime", "UserDisplayName", "UserPrincipalName",
	"UserId", "AppDisplayName", "AppId", "ClientAppUsed", "CorrelationId", "ConditionalAccessStatus", "IsInteractive", "ResourceDisplayName",
	"HomeTenantId", "ResourceTenantId", "UserAgent", "AuthenticationRequirement", "Status", "DeviceDetail", "MfaDetail", "AuthenticationDetails"}

// workspaceCSV gives the columns of a workspace as CSV.
func workspaceCSV(list []madeSignIn, comma rune, columns ...string) string {
	if columns == nil {
		columns = workspaceColumns
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = comma
	must(w.Write(columns))
	for i := range list {
		o := list[i].flat(i)
		var row []string
		for _, c := range columns {
			row = append(row, asText(o[c]))
		}
		must(w.Write(row))
	}
	w.Flush()
	return b.String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// portalCSV gives what the Entra portal downloads.
func portalCSV(list []madeSignIn) string {
	header := strings.Split("Date (UTC),Request ID,User agent,Correlation ID,User ID,User,Username,User type,Cross tenant access type,Incoming token type,"+
		"Authentication Protocol,Unique token identifier,Original transfer method,Client credential type,Token Protection - Sign In Session,"+
		"Token Protection - Sign In Session StatusCode,Application,Application ID ,App owner tenant ID,Resource,Resource ID ,Resource tenant ID,"+
		"Resource owner tenant ID,Home tenant ID,Home tenant name,IP address,Location,Status,Sign-in error code,Failure reason,Client app,Device ID,Browser,"+
		"Operating System,Compliant,Managed,Join Type,Multifactor authentication result,Multifactor authentication auth method,"+
		"Multifactor authentication auth detail,Authentication requirement,Sign-in identifier,Session ID,IP address (seen by resource),"+
		"Through Global Secure Access,Global Secure Access IP address,Autonomous system  number,Flagged for review,Token issuer type,Incoming token type,"+
		"Token issuer name,Latency,Conditional Access,Managed Identity type,Associated Resource Id,Federated Token Id,Federated Token Issuer", ",")
	var b strings.Builder
	w := csv.NewWriter(&b)
	must(w.Write(header))
	for i := range list {
		s := &list[i]
		g := s.graph(i)
		status := "Failure"
		if s.code == 0 {
			status = "Success"
		}
		cells := map[string]any{
			"Date (UTC)": g["createdDateTime"], "Request ID": g["id"], "User agent": g["userAgent"], "Correlation ID": g["correlationId"],
			"User ID": g["userId"], "User": s.name, "Username": g["userPrincipalName"], "User type": s.userType(), "Application": s.app,
			"Application ID ": g["appId"], "Resource": g["resourceDisplayName"], "Resource tenant ID": g["resourceTenantId"],
			"Home tenant ID": g["homeTenantId"], "IP address": s.address, "Location": s.city + ", " + s.state + ", " + s.country, "Status": status,
			"Sign-in error code": fmt.Sprint(s.code), "Failure reason": s.reason(), "Client app": "Browser", "Browser": "Edge 122.0",
			"Operating System": "Windows10", "Compliant": "No", "Multifactor authentication result": s.text,
			"Multifactor authentication auth method": "PhoneAppNotification", "Authentication requirement": "Multifactor authentication",
			"Autonomous system  number": "64500", "Flagged for review": "No", "Latency": "204", "Conditional Access": "Not Applied",
		}
		var row []string
		for _, h := range header {
			row = append(row, asText(cells[h]))
		}
		must(w.Write(row))
	}
	w.Flush()
	return b.String()
}

// answerIn gives the records as a table of an answer, in the words of a service.
func answerIn(list []madeSignIn, name, columns, column, typ, rows string, extra object) object {
	var header, cells []any
	for _, c := range workspaceColumns {
		kind := "string"
		for _, k := range kql.KnownTables()[signinLogs] {
			if k.Name == c {
				kind = k.Type.String()
			}
		}
		header = append(header, object{column: c, typ: kind})
	}
	for i := range list {
		o := list[i].flat(i)
		var row []any
		for _, c := range workspaceColumns {
			v := o[c]
			if _, ok := v.(object); ok {
				v = marshal(v)
			}
			row = append(row, v)
		}
		cells = append(cells, row)
	}
	table := object{name: "PrimaryResult", columns: header, rows: cells}
	for k, v := range extra {
		table[k] = v
	}
	return table
}

// orderedAnswer writes a table with its columns before its rows, as services do.
func orderedAnswer(table object, first ...string) string {
	var parts []string
	for _, name := range first {
		parts = append(parts, marshal(name)+":"+marshal(table[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func quoted(records []string) []string {
	var out []string
	for _, r := range records {
		out = append(out, marshal(r))
	}
	return out
}

func wrapped(records []string, before, after string) []string {
	var out []string
	for _, r := range records {
		out = append(out, before+r+after)
	}
	return out
}

func lines(records []string) string { return strings.Join(records, "\n") + "\n" }

func indented(text string) string {
	var b bytes.Buffer
	must(json.Indent(&b, []byte(text), "", "  "))
	return b.String() + "\n"
}

// shape is one way in which people have their sign-ins.
type shape struct {
	name, file string
	text       func(list []madeSignIn) string
	noSteps    bool // it has no steps of the authentication
}

const graphPage = `{"@odata.context":"https://graph.microsoft.com/beta/$metadata#auditLogs/signIns",`

func shapes() []shape {
	of := func(form func(*madeSignIn, int) any, join func(records []string) string) func([]madeSignIn) string {
		return func(list []madeSignIn) string { return join(each(list, form)) }
	}
	array := func(records []string) string { return "[" + strings.Join(records, ",\n") + "]\n" }
	page := func(records []string) string { return graphPage + `"value":` + array(records) + "}\n" }
	pages := func(records []string) string {
		return graphPage + `"@odata.nextLink":"https://graph.microsoft.com/beta/auditLogs/signIns?$skiptoken=x","value":` + array(records[:4]) + "}\n" +
			graphPage + `"value":` + array(records[4:]) + "}"
	}
	sdk := func(s *madeSignIn, i int) any { return inPascal(s.graph(i)) }
	old := func(s *madeSignIn, i int) any { return withDates(inPascal(s.graph(i))) }
	textual := func(s *madeSignIn, i int) any {
		o := s.exported(i)
		o["properties"] = marshal(o["properties"])
		return o
	}
	inText := func(s *madeSignIn, i int) any {
		o := s.flat(i)
		for _, c := range []string{"Status", "LocationDetails", "DeviceDetail", "MfaDetail", "AuthenticationDetails"} {
			if o[c] != nil {
				o[c] = marshal(marshal(o[c]))
			}
		}
		return o
	}
	strings_ := func(s *madeSignIn, i int) any {
		o := s.flat(i)
		for c, v := range o {
			o[c] = asText(v)
		}
		return o
	}
	return []shape{
		{"NDJSON", "SigninLogs.ndjson", of(flatOf, lines), false},
		{"a file without an ending that says more", "SigninLogs.txt", of(flatOf, lines), false},
		{"an array", "SigninLogs.json", of(flatOf, array), false},
		{"an array, pretty-printed", "SigninLogs.json", of(flatOf, func(r []string) string { return indented(array(r)) }), false},
		{"Graph, a page", "signIns.json", of(graphOf, page), false},
		{"Graph, a page, pretty-printed", "response.json", of(graphOf, func(r []string) string { return indented(page(r)) }), false},
		{"Graph, pages one after the other", "signIns.json", of(graphOf, pages), false},
		{"Graph, pages in an array", "signIns.json", of(graphOf, func(r []string) string {
			return "[" + page(r[:3]) + "," + page(r[3:]) + "]"
		}), false},
		{"Graph, a page a line", "signIns.jsonl", of(graphOf, func(r []string) string {
			return strings.ReplaceAll(page(r[:3]), ",\n", ",") + strings.ReplaceAll(page(r[3:]), ",\n", ",")
		}), false},
		{"Graph, an array", "x.json", of(graphOf, array), false},
		{"Graph, JSON lines", "x.jsonl", of(graphOf, lines), false},
		{"the portal's JSON", "InteractiveSignIns_2026-03-16_2026-03-17.json", of(graphOf, func(r []string) string { return indented(array(r)) }), false},
		{"the portal's CSV", "InteractiveSignIns_2026-03-16_2026-03-17.csv", portalCSV, true},
		{"the portal's CSV by another name", "export.csv", portalCSV, true},
		{"the PowerShell SDK", "signins.json", of(sdk, func(r []string) string { return indented(array(r)) }), false},
		{"the SDK in Windows PowerShell", "signins.json", of(old, func(r []string) string {
			return indented(strings.ReplaceAll(array(r), `"/Date(`, `"\/Date(`))
		}), false},
		{"Windows PowerShell, an array with its count", "signins.json", of(sdk, func(r []string) string {
			return indented(`{"value":` + array(r) + `,"Count":10}`)
		}), false},
		{"the diagnostic export", "PT1H.json", of(exportedOf, lines), false},
		{"the diagnostic export, properties as text", "PT1H.json", of(textual, lines), false},
		{"event hub, records", "hub.json", of(exportedOf, func(r []string) string { return `{"records":` + array(r) + "}" }), false},
		{"a key around each record", "hub.json", of(exportedOf, func(r []string) string {
			return lines(wrapped(r, `{"eventHubsAzureRecord":`, "}"))
		}), false},
		{"another key around each record", "SigninLogs.json", of(flatOf, func(r []string) string { return lines(wrapped(r, `{"_source":`, "}")) }), false},
		{"two keys around each record", "SigninLogs.json", of(flatOf, func(r []string) string {
			return lines(wrapped(r, `{"message":{"payload":`, "}}"))
		}), false},
		{"a text in a key around each record", "hub.json", of(exportedOf, func(r []string) string {
			return lines(wrapped(quoted(r), `{"offset":12,"body":`, "}"))
		}), false},
		{"lines that are strings", "SigninLogs.json", of(flatOf, func(r []string) string { return lines(quoted(r)) }), false},
		{"strings joined with commas", "SigninLogs.json", of(flatOf, func(r []string) string { return strings.Join(quoted(r), ",") + "\n" }), false},
		{"strings and records joined", "SigninLogs.json", of(flatOf, func(r []string) string {
			return strings.Join(quoted(r[:5]), "") + strings.Join(r[5:], "") + "\n"
		}), false},
		{"an array of strings", "SigninLogs.json", of(flatOf, func(r []string) string { return array(quoted(r)) }), false},
		{"records joined without a line break", "SigninLogs.json", of(flatOf, func(r []string) string { return strings.Join(r, "") }), false},
		{"some joined, some not", "SigninLogs.json", of(flatOf, func(r []string) string { return lines(r[:2]) + r[2] + r[3] + "\n" + lines(r[4:]) }), false},
		{"records with commas after them", "SigninLogs.json", of(flatOf, func(r []string) string { return strings.Join(r, ",\n") + ",\n" }), false},
		{"records joined with commas", "SigninLogs.json", of(flatOf, func(r []string) string { return strings.Join(r, ",") + "," }), false},
		{"a trailing comma in an array", "SigninLogs.json", of(flatOf, func(r []string) string { return "[" + strings.Join(r, ",\n") + ",\n]" }), false},
		{"files joined, each with a byte order mark", "SigninLogs.json", of(flatOf, func(r []string) string {
			return lines(r[:4]) + "\ufeff" + lines(r[4:7]) + "\ufeff" + lines(r[7:])
		}), false},
		{"arrays joined, each with a byte order mark", "SigninLogs.json", of(flatOf, func(r []string) string { return array(r[:4]) + "\ufeff" + array(r[4:]) }), false},
		{"Invoke-AzOperationalInsightsQuery", "SigninLogs.json", of(strings_, func(r []string) string {
			return indented(`{"Results":` + array(r) + `,"Render":null,"Statistics":null,"Error":null}`)
		}), false},
		{"the same in Windows PowerShell", "SigninLogs.json", of(strings_, func(r []string) string {
			return indented(`{"Results":{"value":` + array(r) + `,"Count":10},"Render":null,"Statistics":null}`)
		}), false},
		{"advanced hunting", "SigninLogs.json", of(func(s *madeSignIn, i int) any {
			o := s.flat(i)
			o["Timestamp"] = o["TimeGenerated"]
			delete(o, "TimeGenerated")
			return o
		}, func(r []string) string {
			return `{"Stats":{"ExecutionTime":0.1},"Schema":[{"Name":"Timestamp","Type":"DateTime"}],"Results":` + array(r) + "}"
		}), false},
		{"a batch", "batch.json", of(graphOf, func(r []string) string {
			return `{"responses":[{"id":"1","status":200,"headers":{"Content-Type":"application/json"},"body":` + page(r[:5]) +
				`},{"id":"2","status":200,"body":` + page(r[5:]) + `}]}`
		}), false},
		{"the query API", "answer.json", func(list []madeSignIn) string {
			return `{"tables":[` + orderedAnswer(answerIn(list, "name", "columns", "name", "type", "rows", nil), "name", "columns", "rows") + "]}"
		}, false},
		{"a batch of the query API", "answer.json", func(list []madeSignIn) string {
			one := func(list []madeSignIn) string {
				return `{"tables":[` + orderedAnswer(answerIn(list, "name", "columns", "name", "type", "rows", nil), "name", "columns", "rows") + "]}"
			}
			return `{"responses":[{"id":"1","status":200,"body":` + one(list[:10]) + "}]}"
		}, false},
		{"Azure Data Explorer, version 1", "answer.json", func(list []madeSignIn) string {
			return `{"Tables":[` + orderedAnswer(answerIn(list, "TableName", "Columns", "ColumnName", "ColumnType", "Rows", nil), "TableName", "Columns", "Rows") +
				`,{"TableName":"Table_1","Columns":[{"ColumnName":"Value","DataType":"String","ColumnType":"string"}],"Rows":[["{\"Visualization\":null}"]]}` +
				`,{"TableName":"Table_2","Columns":[{"ColumnName":"Timestamp","DataType":"DateTime"},{"ColumnName":"Severity","DataType":"Int32"},` +
				`{"ColumnName":"StatusCode","DataType":"Int32"}],"Rows":[["2026-03-17T10:00:00Z",4,0]]}]}`
		}, false},
		{"Azure Data Explorer, version 2", "answer.json", func(list []madeSignIn) string {
			table := answerIn(list, "TableName", "Columns", "ColumnName", "ColumnType", "Rows", object{
				"FrameType": "DataTable", "TableId": 1, "TableKind": "PrimaryResult"})
			return `[{"FrameType":"DataSetHeader","IsProgressive":false,"Version":"v2.0"},` +
				`{"FrameType":"DataTable","TableId":0,"TableKind":"QueryProperties","TableName":"@ExtendedProperties","Columns":[` +
				`{"ColumnName":"TableId","ColumnType":"int"},{"ColumnName":"Key","ColumnType":"string"},{"ColumnName":"Value","ColumnType":"dynamic"}],` +
				`"Rows":[[1,"Visualization","{}"]]},` +
				orderedAnswer(table, "FrameType", "TableId", "TableKind", "TableName", "Columns", "Rows") +
				`,{"FrameType":"DataTable","TableId":2,"TableKind":"QueryCompletionInformation","TableName":"QueryCompletionInformation","Columns":[` +
				`{"ColumnName":"Timestamp","ColumnType":"datetime"},{"ColumnName":"Level","ColumnType":"int"}],"Rows":[["2026-03-17T10:00:00Z",4]]}` +
				`,{"FrameType":"DataSetCompletion","HasErrors":false,"Cancelled":false}]`
		}, false},
		{"CSV", "SigninLogs.csv", func(list []madeSignIn) string { return workspaceCSV(list, ',') }, false},
		{"CSV, the portal's time", "SigninLogs.csv", func(list []madeSignIn) string {
			return strings.Replace(workspaceCSV(list, ','), "TimeGenerated", "TimeGenerated [UTC]", 1)
		}, false},
		{"CSV with semicolons", "SigninLogs.csv", func(list []madeSignIn) string { return workspaceCSV(list, ';') }, false},
		{"CSV with sep=", "SigninLogs.csv", func(list []madeSignIn) string { return "sep=;\n" + workspaceCSV(list, ';') }, false},
		{"CSV with sep=,", "SigninLogs.csv", func(list []madeSignIn) string { return "sep=,\n" + workspaceCSV(list, ',') }, false},
		{"CSV of Export-Csv", "SigninLogs.csv", func(list []madeSignIn) string {
			return "#TYPE System.Management.Automation.PSCustomObject\n" + workspaceCSV(list, ',')
		}, false},
		{"TSV", "SigninLogs.tsv", func(list []madeSignIn) string { return workspaceCSV(list, '\t') }, false},
		{"TSV in a text", "SigninLogs.txt", func(list []madeSignIn) string { return workspaceCSV(list, '\t') }, false},
		{"CSV called JSON", "SigninLogs.json", func(list []madeSignIn) string { return workspaceCSV(list, ',') }, false},
		{"CSV joined, each with its header", "SigninLogs.csv", func(list []madeSignIn) string {
			one := workspaceCSV(list[:4], ',')
			header, _, _ := strings.Cut(one, "\n")
			_, rest, _ := strings.Cut(workspaceCSV(list, ','), one)
			return one + "\ufeff" + header + "\n" + rest
		}, false},
		{"JSON encoded twice", "SigninLogs.json", of(inText, lines), false},
		{"CSV of Graph's resource", "signins.csv", func(list []madeSignIn) string {
			columns := []string{"id", "createdDateTime", "userDisplayName", "userPrincipalName", "userId", "userType", "appDisplayName", "appId", "ipAddress",
				"clientAppUsed", "correlationId", "conditionalAccessStatus", "isInteractive", "resourceDisplayName", "homeTenantId", "resourceTenantId",
				"autonomousSystemNumber", "userAgent", "signInEventTypes", "status", "deviceDetail", "location", "mfaDetail", "authenticationDetails"}
			var b strings.Builder
			w := csv.NewWriter(&b)
			must(w.Write(columns))
			for i := range list {
				g := list[i].graph(i)
				var row []string
				for _, c := range columns {
					row = append(row, asText(g[c]))
				}
				must(w.Write(row))
			}
			w.Flush()
			return b.String()
		}, false},
	}
}

// alerts are the rows that the shipped rule finds in some tables.
func alerts(t *testing.T, l *Logs) []string {
	t.Helper()
	found, err := kql.Run(context.Background(), rule.Default().Query.Text, kql.NewDatabase(l.Tables...), kql.Options{
		Now: time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for row := range found.Rows() {
		var cells []string
		for i, c := range found.Schema() {
			cells = append(cells, c.Name+"="+found.Value(row, i).String())
		}
		list = append(list, strings.Join(cells, "\n"))
	}
	return list
}

// TestShapes reads the same ten sign-ins in every shape that people have them in,
// and each in every way that files are stored: the shipped rule gives the very
// same alerts as for NDJSON.
func TestShapes(t *testing.T) {
	t.Parallel()
	want := make(map[bool][]string)
	for _, steps := range []bool{true, false} {
		want[steps] = alerts(t, mustRead(t, Options{}, "SigninLogs.ndjson", lines(each(tenSignIns(steps), flatOf))))
		if len(want[steps]) != 4 {
			t.Fatalf("%d alerts, want 4: %q", len(want[steps]), want[steps])
		}
	}
	for _, s := range append(shapes(), shippers()...) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			text := s.text(tenSignIns(!s.noSteps))
			same := make(map[string]bool) // rows whose alerts are the right ones
			for name, stored := range storedAs(t, text) {
				file := s.file
				if kind, ok := strings.CutPrefix(name, "."); ok {
					file += "." + strings.Fields(kind)[0]
				}
				l, err := read(Options{}, file, stored)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if all := strings.Join(rows(l), "\n"); !same[all] {
					if diff := cmp.Diff(want[!s.noSteps], alerts(t, l)); diff != "" {
						t.Errorf("%s: alerts (-NDJSON +this):\n%s", name, diff)
					}
					same[all] = true
				}
				if l.Report.Records != 10 || l.Report.Bad != 0 || len(l.Report.Problems)+len(l.Report.Conversions) > 0 {
					t.Errorf("%s: %d records, report: %+v", name, l.Report.Records, l.Report)
				}
				if n := len(l.Report.Warnings); n > 0 && !strings.HasPrefix(name, "Windows-1252") {
					t.Errorf("%s: warnings: %v", name, l.Report.Warnings)
				}
			}
		})
	}
}

// storedAs gives a text in the ways that files are stored.
func storedAs(t *testing.T, text string) map[string]string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	all := map[string]string{
		"LF": text, "CRLF": crlf, "LF with a mark": "\ufeff" + text, "CRLF with a mark": "\ufeff" + crlf,
		"CR":             strings.ReplaceAll(text, "\n", "\r"),
		"UTF-16":         utf16(crlf),
		"UTF-16 no mark": strings.TrimPrefix(utf16(crlf), "\xff\xfe"),
		"UTF-16 big":     swapped(strings.TrimPrefix(utf16(text), "\xff\xfe")),
		".zip":           archiveWith(t, "query_data.csv.txt", text),
		".zst":           zstded(t, text),
	}
	for _, name := range []string{"LF", "CRLF", "LF with a mark", "CRLF with a mark", "UTF-16 no mark"} {
		all[".gz "+name] = zipped(t, all[name])
	}
	delete(all, ".zip") // see TestArchives, for the names in it count
	if !strings.Contains(text, "\ufeff") {
		legacy, err := charmap.Windows1252.NewEncoder().String(crlf)
		must(err)
		all["Windows-1252"] = legacy
	}
	return all
}

func swapped(text string) string {
	b := []byte(text)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

func zstded(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	must(err)
	_, err = z.Write([]byte(text))
	must(err)
	must(z.Close())
	return b.String()
}

// archiveWith makes a zip archive of names and texts.
func archiveWith(t testing.TB, nameAndText ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(nameAndText); i += 2 {
		w, err := z.Create(nameAndText[i])
		must(err)
		_, err = w.Write([]byte(nameAndText[i+1]))
		must(err)
	}
	must(z.Close())
	return b.String()
}
