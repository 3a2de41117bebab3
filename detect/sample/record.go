package sample

import "time"

// The tables that records belong to.
const (
	SigninLogs                      = "SigninLogs"
	AADNonInteractiveUserSignInLogs = "AADNonInteractiveUserSignInLogs"
	IdentityInfo                    = "IdentityInfo"
	BehaviorAnalytics               = "BehaviorAnalytics"
	AuditLogs                       = "AuditLogs"
	AADUserRiskEvents               = "AADUserRiskEvents"
	OfficeActivity                  = "OfficeActivity"
)

// Record is one row of one table.
type Record struct {
	// Table is the table's name, also in the record's Type column.
	Table string
	// Generated is the record's TimeGenerated.
	Generated time.Time
	// Received is when the workspace got the record, also in its
	// _TimeReceived column. It is never before Generated.
	Received time.Time
	// Story is why the record is there.
	Story Story
	// JSON is the record as a workspace export writes it: one object with
	// the columns at top level, empty columns left out, on one line without
	// its line break. It is valid UTF-8.
	JSON []byte
}

// Rejection is one authentication that a user pushed back: all the rejection
// rows of one user, tenant, address and CorrelationId, in either table.
type Rejection struct {
	// Time is when the first of its rows was generated, and Received when
	// the first of them reached the workspace.
	Time, Received time.Time
	// User is the user principal name in lower case.
	User string
	// UserID is the user's object id, TenantID that of the tenant signed in to.
	UserID, TenantID string
	// IP is the address the prompt was caused from.
	IP string
	// CorrelationID is what the rows share.
	CorrelationID string
	// Fraud is whether the user reported fraud rather than declining.
	Fraud bool
	// Interactive is whether a row of it is in SigninLogs, as opposed to
	// AADNonInteractiveUserSignInLogs only.
	Interactive bool
	// Story is the story it belongs to.
	Story Story
}
