package kql

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// signins makes a SigninLogs table of n rows, of which one in fifty failed at
// the multifactor step, and the empty table of the other leg.
func signins(b *testing.B, n int) *Database {
	b.Helper()
	schema := KnownTables()["SigninLogs"]
	at := func(name string) int {
		i := schema.Index(name)
		if i < 0 {
			b.Fatalf("SigninLogs has no column %s", name)
		}
		return i
	}
	generated, result, status := at("TimeGenerated"), at("ResultType"), at("Status")
	user, id, ip, correlation, app, device := at("UserPrincipalName"), at("UserId"), at("IPAddress"), at("CorrelationId"), at("AppDisplayName"), at("DeviceDetail")
	t := NewTableBuilder("SigninLogs", schema)
	for i := range n {
		t.SetTime(generated, testNow.Add(-time.Duration(i)*time.Second/4))
		code, reason := "0", "MFA requirement satisfied by claim in the token"
		if i%50 == 0 {
			code, reason = "500121", "MFA denied; user declined the authentication"
		}
		t.SetString(result, []byte(code))
		t.SetJSON(status, fmt.Appendf(nil, `{"errorCode":%s,"additionalDetails":%q}`, code, reason))
		t.SetString(user, fmt.Appendf(nil, "Person%d@contoso.com", i%300))
		t.SetString(id, fmt.Appendf(nil, "00000000-0000-0000-0000-%012d", i%300))
		t.SetString(ip, fmt.Appendf(nil, "192.0.2.%d", i%200))
		t.SetString(correlation, fmt.Appendf(nil, "11111111-0000-0000-0000-%012d", i))
		t.SetString(app, []byte("Office 365 Exchange Online"))
		t.SetJSON(device, []byte(`{"displayName":"LAPTOP-1","operatingSystem":"Windows 11","browser":"Edge 133"}`))
		t.Commit()
	}
	return NewDatabase(t.Build(), newEmptyTable("AADNonInteractiveUserSignInLogs", KnownTables()["AADNonInteractiveUserSignInLogs"]))
}

func BenchmarkRun(b *testing.B) {
	const rows = 100_000
	data, err := os.ReadFile("../rule/mfa-rejected-by-user.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var rule struct{ Query string }
	if err := yaml.Unmarshal(data, &rule); err != nil {
		b.Fatal(err)
	}
	db := signins(b, rows)
	for _, bench := range []struct{ name, query string }{
		{"scan and where", `SigninLogs | where ResultType == "500121" | count`},
		{"has", `SigninLogs | where AppDisplayName has "exchange" | count`},
		{"group by", `SigninLogs | summarize Count = count(), Latest = max(TimeGenerated) by UserPrincipalName, IPAddress | count`},
		{"default rule", rule.Query},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Run(b.Context(), bench.query, db, Options{Now: testNow}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
