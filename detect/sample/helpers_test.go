package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wholeBytes compares records and files as wholes: byte by byte, go-cmp takes
// minutes for a day.
var wholeBytes = cmp.Comparer(bytes.Equal)

var testDay = time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)

// theDay is the day that most tests look at; they do not change it.
var theDay = sync.OnceValue(func() *Day { return Generate(Options{Seed: 1, Day: testDay}) })

// row is what the tests read of a record. Columns that are structures in one
// table and text in the other are read with detail.
type row struct {
	Time          time.Time `json:"TimeGenerated"`
	Received      time.Time `json:"_TimeReceived"`
	Type          string
	ID            string `json:"Id"`
	User          string `json:"UserPrincipalName"`
	Display       string `json:"UserDisplayName"`
	UserID        string `json:"UserId"`
	UserType      string
	AADTenantID   string `json:"AADTenantId"`
	ResourceID    string `json:"ResourceTenantId"`
	HomeTenantID  string `json:"HomeTenantId"`
	IP            string `json:"IPAddress"`
	SourceIP      string `json:"SourceIPAddress"`
	CorrelationID string `json:"CorrelationId"`
	ResultType    string
	App           string `json:"AppDisplayName"`
	Agent         string `json:"UserAgent"`
	Interactive   bool   `json:"IsInteractive"`
	Status        json.RawMessage
	Device        json.RawMessage `json:"DeviceDetail"`
	Location      json.RawMessage `json:"LocationDetails"`
	SessionID     string          `json:"SessionId"`
	Priority      int             `json:"InvestigationPriority"`
	Activity      string          `json:"ActivityType"`
	AccountUPN    string
	Roles         []string `json:"AssignedRoles"`
	BlastRadius   string
	Steps         string `json:"AuthenticationDetails"`

	story Story
}

// parse reads a record.
func parse(t testing.TB, r Record) row {
	t.Helper()
	var x row
	if err := json.Unmarshal(r.JSON, &x); err != nil {
		t.Fatalf("record %s: %v", r.JSON, err)
	}
	x.story = r.Story
	return x
}

// theRows are the records of theDay, in the same order.
var theRows = sync.OnceValues(func() ([]row, error) {
	rows := make([]row, len(theDay().Records))
	for i, r := range theDay().Records {
		if err := json.Unmarshal(r.JSON, &rows[i]); err != nil {
			return nil, fmt.Errorf("record %s: %w", r.JSON, err)
		}
		rows[i].story = r.Story
	}
	return rows, nil
})

// allRows returns theRows.
func allRows(t testing.TB) []row {
	t.Helper()
	rows, err := theRows()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rowsOf returns the rows of a story.
func rowsOf(t testing.TB, s Story) []row {
	t.Helper()
	var rows []row
	for _, x := range allRows(t) {
		if x.story == s {
			rows = append(rows, x)
		}
	}
	return rows
}

// detail reads a text of a structured column, whichever way it is written.
func detail(t testing.TB, column json.RawMessage, name string) string {
	t.Helper()
	if len(column) == 0 {
		return ""
	}
	if column[0] == '"' {
		var text string
		if err := json.Unmarshal(column, &text); err != nil {
			t.Fatal(err)
		}
		column = json.RawMessage(text)
	}
	var object map[string]any
	if err := json.Unmarshal(column, &object); err != nil {
		t.Fatalf("column %s: %v", column, err)
	}
	s, _ := object[name].(string)
	return s
}

func (x row) details(t testing.TB) string { return detail(t, x.Status, "additionalDetails") }

// rejected is the rule's condition in the tests' own words.
func (x row) rejected(t testing.TB) bool {
	if x.ResultType != "500121" {
		return strings.Contains(x.Steps, "user declined the authentication") // and gave in at the next
	}
	d := strings.ToLower(x.details(t))
	return d == "mfa denied; user declined the authentication" || strings.Contains(d, "fraud")
}

// signIns returns those rows that are sign-ins.
func signIns(rows []row) []row {
	var s []row
	for _, x := range rows {
		if x.Type == SigninLogs || x.Type == AADNonInteractiveUserSignInLogs {
			s = append(s, x)
		}
	}
	return s
}

func rejectionsOf(d *Day, s Story) []Rejection {
	var rs []Rejection
	for _, r := range d.Rejections {
		if r.Story == s {
			rs = append(rs, r)
		}
	}
	return rs
}
