package logs

import (
	"maps"
	"strings"
)

// The reports of Identity Protection in the Entra portal name their columns, and
// the values of enumerations, for people, too: "Detection type" is "Unfamiliar
// sign-in properties", and means unfamiliarFeatures.
//
// See https://learn.microsoft.com/entra/id-protection/howto-identity-protection-investigate-risk
// and https://learn.microsoft.com/entra/id-protection/concept-identity-protection-risks.

// personHeaders are the columns of all downloads that say who somebody is, in lower
// case, and riskHeaders those of the reports on risks.
var (
	personHeaders = map[string]portalMember{
		"user":                {path: "userDisplayName"},
		"user display name":   {path: "userDisplayName"},
		"username":            {path: "userPrincipalName"},
		"user principal name": {path: "userPrincipalName"},
	}
	riskHeaders = map[string]portalMember{
		"risk state":  {path: "riskState", convert: riskWord},
		"risk level":  {path: "riskLevel", convert: riskWord},
		"risk detail": {path: "riskDetail", convert: riskWord},
	}
)

// withHeaders adds columns that several downloads have to those of one.
func withHeaders(own map[string]portalMember, shared ...map[string]portalMember) map[string]portalMember {
	for _, s := range shared {
		maps.Copy(own, s)
	}
	return own
}

// detectionHeaders are the columns of the portal's risk detections, in lower case.
var detectionHeaders = withHeaders(map[string]portalMember{
	"date (utc)":                     {path: detectedDateTime},
	"date":                           {path: detectedDateTime},
	"detection time (utc)":           {path: detectedDateTime},
	"detection time":                 {path: detectedDateTime},
	"time detected (utc)":            {path: detectedDateTime},
	"time detected":                  {path: detectedDateTime},
	"detected (utc)":                 {path: detectedDateTime},
	"detected":                       {path: detectedDateTime},
	"sign-in time (utc)":             {path: activityDateTime},
	"sign-in time":                   {path: activityDateTime},
	"activity time (utc)":            {path: activityDateTime},
	"activity time":                  {path: activityDateTime},
	"detection last updated (utc)":   {path: "lastUpdatedDateTime"},
	"detection last updated":         {path: "lastUpdatedDateTime"},
	"last updated (utc)":             {path: "lastUpdatedDateTime"},
	"last updated":                   {path: "lastUpdatedDateTime"},
	"detection id":                   {path: "id"},
	"risk detection id":              {path: "id"},
	"id":                             {path: "id"},
	"request id":                     {path: "requestId"},
	"correlation id":                 {path: "correlationId"},
	"name":                           {path: "userDisplayName"},
	"user id":                        {path: "userId"},
	"ip address":                     {path: "ipAddress"},
	"location":                       {path: "location"},
	"detection type":                 {path: "riskEventType", convert: riskEvent},
	"risk detection type":            {path: "riskEventType", convert: riskEvent},
	"risk event type":                {path: "riskEventType", convert: riskEvent},
	"risk type":                      {path: "riskEventType", convert: riskEvent},
	"detection timing":               {path: "detectionTimingType", convert: timing},
	"detection timing type":          {path: "detectionTimingType", convert: timing},
	"activity":                       {path: "activity", convert: activity},
	"source":                         {path: "source", convert: withoutSpaces},
	"detection source":               {path: "source", convert: withoutSpaces},
	"token issuer type":              {path: "tokenIssuerType", convert: withoutSpaces},
	"additional info":                {path: "additionalInfo"},
	"additional information":         {path: "additionalInfo"},
	"service principal id":           {path: "servicePrincipalId"},
	"service principal name":         {path: "servicePrincipalDisplayName"},
	"service principal display name": {path: "servicePrincipalDisplayName"},
	"workload identity":              {path: "servicePrincipalDisplayName"},
	"application id":                 {path: "appId"},
	"app id":                         {path: "appId"},
}, personHeaders, riskHeaders)

// riskyHeaders are the columns of the portal's risky users and workload identities,
// in lower case.
var riskyHeaders = withHeaders(map[string]portalMember{
	"risk last updated (utc)":      {path: riskUpdatedDateTime},
	"risk last updated":            {path: riskUpdatedDateTime},
	"last updated (utc)":           {path: riskUpdatedDateTime},
	"last updated":                 {path: riskUpdatedDateTime},
	"date (utc)":                   {path: riskUpdatedDateTime},
	"date":                         {path: riskUpdatedDateTime},
	"name":                         {path: "userDisplayName"},
	"user id":                      {path: "id"},
	"object id":                    {path: "id"},
	"id":                           {path: "id"},
	"status":                       {path: "isDeleted", convert: deleted},
	"deleted":                      {path: "isDeleted", convert: yesNo},
	"processing":                   {path: "isProcessing", convert: yesNo},
	"service principal id":         {path: "id"},
	"service principal name":       {path: "displayName"},
	"workload identity":            {path: "displayName"},
	"service principal type":       {path: "servicePrincipalType", convert: withoutSpaces},
	"application id":               {path: "appId"},
	"app id":                       {path: "appId"},
	"account enabled":              {path: "accountEnabled", convert: yesNo},
	"type":                         {path: "userType"}, // Member or Guest, and no table
	"is deleted":                   {path: "isDeleted", convert: yesNo},
	"is processing":                {path: "isProcessing", convert: yesNo},
	"risk state last updated":      {path: riskUpdatedDateTime},
	"risk last updated date time":  {path: riskUpdatedDateTime},
	"risk last updated date (utc)": {path: riskUpdatedDateTime},
}, personHeaders, riskHeaders)

// riskEvents are the names of risk detections, in lower case and without spaces,
// where they are not the values that Microsoft Graph has with spaces between them.
var riskEvents = map[string]string{
	"unfamiliarsign-inproperties":                     "unfamiliarFeatures",
	"anonymousipaddress":                              "anonymizedIPAddress",
	"atypicaltravel":                                  "unlikelyTravel",
	"malwarelinkedipaddress":                          "malwareInfectedIPAddress",
	"impossibletravel":                                "mcasImpossibleTravel",
	"activityfromanonymousipaddress":                  "riskyIPAddress",
	"suspiciousinboxmanipulationrules":                "mcasSuspiciousInboxManipulationRules",
	"suspiciousinboxforwarding":                       "suspiciousInboxForwarding",
	"massaccesstosensitivefiles":                      "mcasFinSuspiciousFileAccess",
	"microsoftentrathreatintelligence":                "investigationsThreatIntelligence",
	"microsoftentrathreatintelligence(sign-in)":       "investigationsThreatIntelligence",
	"microsoftentrathreatintelligence(user)":          "investigationsThreatIntelligence",
	"azureadthreatintelligence":                       "investigationsThreatIntelligence",
	"additionalriskdetected":                          "generic",
	"additionalriskdetected(sign-in)":                 "generic",
	"additionalriskdetected(user)":                    "generic",
	"possibleattempttoaccessprimaryrefreshtoken":      "attemptedPrtAccess",
	"verifiedthreatactorip":                           "nationStateIP",
	"attackerinthemiddle":                             "attackerinTheMiddle",
	"suspiciousapitraffic":                            "suspiciousAPITraffic",
	"anomaloustoken(sign-in)":                         "anomalousToken",
	"anomaloustoken(user)":                            "anomalousToken",
	"anonymizedipaddress":                             "anonymizedIPAddress",
	"maliciousipaddress":                              "maliciousIPAddress",
	"possibleattempttoaccessprimaryrefreshtoken(prt)": "attemptedPrtAccess",
}

// riskEvent turns the portal's name of a risk detection into its value.
func riskEvent(text string) string {
	if value, ok := riskEvents[strings.ToLower(withoutSpaces(text))]; ok {
		return value
	}
	return riskWord(text)
}

// riskWord turns the portal's words for a value of an enumeration about risk into
// the value. A dash stands for none.
func riskWord(text string) string {
	if strings.Trim(text, "-–—") == "" {
		return "none"
	}
	for _, sign := range []string{"sign-in", "Sign-in", "Sign-In"} {
		text = strings.ReplaceAll(text, sign, "signin")
	}
	return enumeration(text)
}

func withoutSpaces(text string) string { return strings.Join(strings.Fields(text), "") }

// timing turns the portal's words for when a detection was made into the value.
func timing(text string) string {
	switch strings.ToLower(withoutSpaces(text)) {
	case "real-time", "realtime":
		return "realtime"
	case "nearreal-time", "near-real-time", "nearrealtime":
		return "nearRealtime"
	case "offline":
		return "offline"
	}
	return enumeration(text)
}

// activity turns what a detection is linked to into the value.
func activity(text string) string {
	return strings.ToLower(strings.ReplaceAll(text, "-", ""))
}

// deleted says whether the status of a user is that of one who was deleted.
func deleted(text string) string {
	switch strings.ToLower(text) {
	case "deleted":
		return "true"
	case "active":
		return "false"
	}
	return text
}
