package kql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a filter right above a scan looks for in texts keeps the scan from rows that lack
// it, where a dictionary says which these are, and from nothing else.
func TestTextBoundsOfScans(t *testing.T) {
	t.Parallel()
	const rows = 8 * chunkRows
	table := repeating(rows)
	if table.segments[7].cols[1].dict == nil {
		t.Fatal("the column has no dictionary")
	}
	few := func(n int) bool { return n > 0 && n < rows/100 }
	all := func(n int) bool { return n == rows }
	for query, want := range map[string]func(int) bool{
		`User in~ ("user7@contoso.example,0", "user8@contoso.example,1")`: few,
		`User == "User7@Contoso.example,0"`:                               few,
		`IsSeven(User)`:                                                   few,
		`IsAny(User) and User == "User1@Contoso.example,1" or User == "User7@Contoso.example,0"`: few,
		`IsAny(User)`:                                                                             all, // an index is to be asked for it
		`"User7@Contoso.example,0" == User`:                                                       few,
		`n >= 0 and User in ("User7@Contoso.example,0")`:                                          few,
		`n >= 0 | where User in ("User7@Contoso.example,0") | where n >= 0`:                       few,
		`User in ("User7@Contoso.example,0") or User has "user8@contoso.example,1"`:               all, // the filter\'s to ask
		`User in ("User7@Contoso.example,0") or Few == "11"`:                                      few,
		`User in ("User7@Contoso.example,0") or User == "User8@Contoso.example,1" and Few == "3"`: few,
		`Few == "1" and User in~ ("User7@Contoso.example,0", "User8@Contoso.example,1", "User9@Contoso.example,2", "User10@Contoso.example,3", "User11@Contoso.example,4")`: few,
		`User in ("User7@Contoso.example,0") or 1 == 2 and n > 0`: few,
		`User in ("nobody")`:                                              func(n int) bool { return n == 0 },
		`User !in ("User7@Contoso.example,0")`:                            all,
		`User != "User7@Contoso.example,0"`:                               all,
		`User in ("User7@Contoso.example,0") or n == 5`:                   all,
		`not(User in ("User7@Contoso.example,0"))`:                        all,
		`tolower(User) == "user7@contoso.example,0" or strlen(User) == 3`: all, // the filter's to ask
		`Each == "1"`:                           all, // it has no dictionary
		`Few in ("1", "2", "3", "4", "5", "6")`: all, // most rows have them
		`n >= 0 | extend User = tolower(User) | where User == "user7@contoso.example,0" | project n, User`: all,
	} {
		query = `let IsSeven = (s: string) { s == "User7@Contoso.example,0" }; let IsAny = (s: string) { s has "example" }; T | where ` + query
		read := 0
		for _, b := range batchesRead(t, query, table) {
			read += b.n
		}
		if !want(read) {
			t.Errorf("%s: %d rows are read", query, read)
		}
		for _, workers := range []int{1, 2} {
			got := answerOf(t, query+" | summarize count(), sum(n)", table, workers, Limits{})
			if diff := cmp.Diff(answerOf(t, query+" | summarize count(), sum(n)", apart(table), workers, Limits{}), got); diff != "" {
				t.Errorf("%s: -without bounds +with:\n%s", query, diff)
			}
		}
	}
	explained, err := Catalog{Tables: schemasOf(NewDatabase(table))}.Explain(`T | where User in ("a") or Few == "b"`, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if note := "rows are chosen by the texts in User or Few"; !strings.Contains(explained, note) {
		t.Errorf("the plan does not say %q:\n%s", note, explained)
	}
}

// A condition that reads a table is for the filter: what it reads may be other rows in each
// part of a partition, and none at all where no row comes to the filter.
func TestTextBoundsReadNoTable(t *testing.T) {
	t.Parallel()
	table := repeating(8 * chunkRows)
	for _, query := range []string{
		`T | where n < 3000 | summarize by Few, User | partition by Few (as P | union (T | where User in~ ((P | top 3 by User asc | project User))) | summarize c = count(), take_any(Few)) | sort by c asc`,
		`let f = (X: (Few: string, User: string)) { T | where User in ((X | top 3 by User asc | project User)) | summarize c = count(), s = sum(n) }; T | where n < 3000 | summarize by Few, User | partition by Few (invoke f()) | sort by c asc`,
		`T | where n < 0 | where User in ((T | where assert(n < 0, "bad") | project User)) | count`,
		`T | where strlen(Each) > 1000 and User in~ ((T | where assert(n < 0, "bad") | project User)) | count`,
	} {
		for _, workers := range []int{1, 2} {
			if diff := cmp.Diff(answerOf(t, query, apart(table), workers, Limits{}), answerOf(t, query, table, workers, Limits{})); diff != "" {
				t.Errorf("%s: -without bounds +with:\n%s", query, diff)
			}
		}
	}
}

// A query that holds next to nothing does not fail for what the bounds would like to keep.
func TestTextBoundsWithinMemory(t *testing.T) {
	t.Parallel()
	table := repeating(8 * chunkRows)
	for _, bytes := range []int64{1000, 5000, 20_000, 1 << 20} {
		got := answerOf(t, `T | where User == "User7@Contoso.example,0" | summarize count()`, table, 1, Limits{Bytes: bytes})
		if want := answerOf(t, `T | where User == "User7@Contoso.example,0" | summarize count()`, apart(table), 1, Limits{}); got != want {
			t.Errorf("with %d bytes: %s, want %s", bytes, got, want)
		}
	}
}
