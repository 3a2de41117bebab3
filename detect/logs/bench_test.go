package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pushback/detect/kql"
)

// manySignIns generates sign-ins as a workspace exports them, one per line and
// of about 900 bytes each, from a few hundred users.
func manySignIns(n int) []byte {
	var b bytes.Buffer
	start := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at := start.Add(time.Duration(i) * 800 * time.Millisecond).Format("2006-01-02T15:04:05.0000000Z")
		user := i * 7919 % 300
		fmt.Fprintf(&b, `{"TenantId":"5ac64f95-784a-4cb8-a5d3-ac30ad3aaf7f","SourceSystem":"Azure AD","TimeGenerated":%q,`+
			`"ResourceId":"/tenants/4f95594c-a630-4b9d-b5c1-cc628e2b07e5/providers/Microsoft.aadiam","OperationName":"Sign-in activity",`+
			`"Category":"SignInLogs","ResultType":"%d","ResultSignature":"None","DurationMs":0,"CorrelationId":"%08x-0000-4000-8000-000000000000",`+
			`"Identity":"User %d","Level":"4","Location":"PT","AppDisplayName":"Office 365","ClientAppUsed":"Browser",`+
			`"DeviceDetail":{"deviceId":"","operatingSystem":"Windows 10","browser":"Edge 122.0"},"IPAddress":"192.0.2.%d","IsInteractive":true,`+
			`"LocationDetails":{"city":"Lisboa","state":"Lisboa","countryOrRegion":"PT","geoCoordinates":{"latitude":38.7,"longitude":-9.1}},`+
			`"Status":{"errorCode":%d,"additionalDetails":"MFA completed"},"UserId":"%08x-1111-4111-8111-111111111111",`+
			`"UserPrincipalName":"user%d@contoso.example","UserAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64)","Type":"SigninLogs"}`+"\n",
			at, i%50*10, i, user, user%250, i%50*10, user, user)
	}
	return b.Bytes()
}

// Columns that a rule about rejected MFA prompts reads.
func ruleColumns(string) []string {
	return []string{"ResultType", "Status", "UserPrincipalName", "UserId", "AADTenantId", "IPAddress", "CorrelationId",
		"AppDisplayName", "DeviceDetail", "LocationDetails", "UserAgent"}
}

// Rows that such a rule can use: here one in 50.
func ruleRows(table string) *kql.RowFilter {
	return kql.Catalog{Tables: kql.KnownTables()}.RowFilters(`SigninLogs | where ResultType == "490"`)[table]
}

const benchLines = 100_000

func BenchmarkNDJSON(b *testing.B) {
	data := manySignIns(benchLines)
	for _, bench := range []struct {
		name string
		opts Options
	}{
		{"all columns", Options{}},
		{"columns of a rule", Options{Columns: ruleColumns}},
		{"columns and rows of a rule", Options{Columns: ruleColumns, Rows: ruleRows}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r := NewReader(bench.opts)
				if err := r.File(context.Background(), "SigninLogs.ndjson", bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
				if _, err := r.Finish(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(benchLines*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkStandardJSON is what the above is compared with.
func BenchmarkStandardJSON(b *testing.B) {
	data := manySignIns(benchLines)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		lines := bufio.NewScanner(bytes.NewReader(data))
		for lines.Scan() {
			var record map[string]any
			if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(benchLines*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkLane reads lines that take a lane, and the same lines without one.
func BenchmarkLane(b *testing.B) {
	data := manySignIns(benchLines / 10)
	for _, bench := range []struct {
		name  string
		alone bool
		opts  Options
	}{
		{"none", true, Options{Columns: ruleColumns}},
		{"columns", false, Options{Columns: ruleColumns}},
		{"a text that most lack", false, Options{Columns: ruleColumns, Rows: ruleRows}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r := NewReader(bench.opts)
				r.alone = bench.alone
				if err := r.File(context.Background(), "SigninLogs.ndjson", bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
				if _, err := r.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSkip passes over a line, and decodes it for comparison.
func BenchmarkSkip(b *testing.B) {
	line := manySignIns(1)
	text := append(bytes.Clone(line), make([]byte, padding)...)
	var marks []byte
	b.Run("passed over", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			marks = mark(marks, text, len(line))
			if containerEnd(text, marks, 0, 0) < 0 {
				b.Fatal("not accepted")
			}
		}
	})
	b.Run("taken apart", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		var p parser
		for b.Loop() {
			if _, err := p.object(line); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMark marks a block, and looks for what is to be marked without.
func BenchmarkMark(b *testing.B) {
	data := manySignIns(blockSize / 1000)
	text := append(bytes.Clone(data), make([]byte, padding)...)
	b.Run("before", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		var marks []byte
		for b.Loop() {
			marks = mark(marks, text, len(data))
		}
	})
	b.Run("as needed", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			for i := 0; i < len(data); i = seekMark(text, i) + 1 {
			}
		}
	})
}
