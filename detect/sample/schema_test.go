package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var datetimePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$`)

// fits says what is wrong with a value in a column of a type.
func fits(value any, kind string) error {
	ok := false
	switch kind {
	case "string":
		_, ok = value.(string)
	case "bool":
		_, ok = value.(bool)
	case "real":
		_, ok = value.(float64)
	case "int", "long":
		n, isNumber := value.(float64)
		ok = isNumber && n == math.Trunc(n)
	case "datetime":
		s, _ := value.(string)
		ok = datetimePattern.MatchString(s)
	case "dynamic":
		switch value.(type) {
		case map[string]any, []any:
			ok = true
		}
	}
	if !ok {
		return fmt.Errorf("%v (%T) is no %s", value, value, kind)
	}
	return nil
}

// jsonInText are string columns that hold JSON.
var jsonInText = map[string][]string{
	SigninLogs:                      {"AuthenticationDetails", "NetworkLocationDetails", "AuthenticationRequirementPolicies", "AuthenticationMethodsUsed"},
	AADNonInteractiveUserSignInLogs: {"AuthenticationDetails", "NetworkLocationDetails", "AuthenticationRequirementPolicies", "AuthenticationMethodsUsed", "Status", "DeviceDetail", "LocationDetails", "MfaDetail", "ConditionalAccessPolicies", "SignInEventTypes"},
	IdentityInfo:                    {"Tags"},
}

func TestRecordsConformToSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/tables.json")
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string]map[string]string
	if err := json.Unmarshal(text, &tables); err != nil {
		t.Fatal(err)
	}
	check := func(r Record) {
		if !utf8.Valid(r.JSON) {
			t.Errorf("not UTF-8: %q", r.JSON)
		}
		if bytes.ContainsAny(r.JSON, "\n\r") {
			t.Errorf("more than one line: %q", r.JSON)
		}
		var columns map[string]any
		if err := json.Unmarshal(r.JSON, &columns); err != nil {
			t.Fatalf("%v: %s", err, r.JSON)
		}
		for name, value := range columns {
			kind, ok := tables[r.Table][name]
			if name == "_TimeReceived" {
				kind, ok = "datetime", true
			}
			if !ok {
				t.Errorf("%s has no column %s", r.Table, name)
				continue
			}
			if err := fits(value, kind); err != nil {
				t.Errorf("%s.%s: %v", r.Table, name, err)
			}
			if value == "" {
				t.Errorf("%s.%s is empty and yet there", r.Table, name)
			}
		}
		for _, name := range jsonInText[r.Table] {
			if s, ok := columns[name].(string); ok && !json.Valid([]byte(s)) {
				t.Errorf("%s.%s holds no JSON: %s", r.Table, name, s)
			}
		}
		for name, want := range map[string]string{
			"Type":          r.Table,
			"TimeGenerated": r.Generated.Format(datetime),
			"_TimeReceived": r.Received.Format(datetime),
		} {
			if columns[name] != want {
				t.Errorf("%s is %v, want %s", name, columns[name], want)
			}
		}
		if r.Story.because() == "" {
			t.Errorf("story %q is not listed", r.Story)
		}
	}
	for _, r := range theDay().Records {
		check(r)
	}
	for r := range Stream(Options{Seed: 1}, 2000) {
		check(r)
	}
}

// reserved are the address ranges that nobody on the internet has.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("2001:db8::/32"),
}

func TestNothingIsReal(t *testing.T) {
	t.Parallel()
	for _, x := range allRows(t) {
		for _, user := range []string{x.User, x.AccountUPN} {
			if user != "" && !strings.HasSuffix(user, ".example") {
				t.Errorf("user %s is not in an example domain", user)
			}
		}
		for _, ip := range []string{x.IP, x.SourceIP} {
			if ip == "" {
				continue
			}
			a, err := netip.ParseAddr(ip)
			if err != nil {
				t.Fatal(err)
			}
			ok := false
			for _, p := range reserved {
				ok = ok || p.Contains(a)
			}
			if !ok || a.String() != ip {
				t.Errorf("address %s is not reserved or not in its usual writing", ip)
			}
		}
	}
}
