package kql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logged makes a table that is worth an index, with columns of all kinds and forms: some
// are null, or the same, or hardly ever the same, in some of the segments.
func logged(segments int) *Table {
	b := NewTableBuilder("T", Schema{{"TimeGenerated", DateTime}, {"User", String}, {"Address", String}, {"Each", String}, {"Bag", Dynamic}, {"Mixed", String},
		{"n", Long}, {"Late", Real}, {"Seldom", String}, {"Flag", Bool}, {"Id", GUID}, {"Same", String}, {"Boxed", Dynamic}, {"_TimeReceived", DateTime}})
	r := rand.New(rand.NewPCG(5, 6))
	spellings := []func(string) string{func(s string) string { return s }, strings.ToUpper, func(s string) string { return strings.ReplaceAll(s, "k", "\u212a") }}
	for i := range segments*chunkRows - 1000 {
		at := i / chunkRows
		user := r.IntN(3000)
		t := time.Date(2026, 3, 17, 0, 0, i, 0, time.UTC)
		if i%911 != 0 {
			b.SetTime(0, t)
		}
		b.SetString(1, []byte(spellings[user%3](fmt.Sprintf("kim%d@contoso.example", user/3))))
		switch {
		case user%10 == 0:
			b.SetString(2, fmt.Appendf(nil, "::ffff:192.0.2.%d", user%250))
		case user%10 < 4:
			b.SetString(2, fmt.Appendf(nil, "192.0.%d.%d", user/250, user%250))
		}
		b.SetString(3, fmt.Appendf(nil, "%d-%d", i, r.Int64()))
		if user%20 != 0 {
			b.SetJSON(4, fmt.Appendf(nil, `{"city": "C%d", "n": [%d, 1.0]}`, user%40, user%3))
		}
		switch at % 4 { // few texts, or one, or each its own, or none
		case 0:
			b.SetString(5, fmt.Appendf(nil, "m%d", i%5))
		case 1:
			b.SetString(5, []byte("m1"))
		case 2:
			b.SetString(5, fmt.Appendf(nil, "m%d", i))
		}
		if i%7 != 0 {
			b.SetLong(6, int64(i))
		}
		b.SetReal(7, float64(i)/4)
		if at == 3 {
			b.SetString(8, []byte("seldom"))
		}
		if at%2 == 0 {
			b.SetBool(9, i%3 == 0)
		}
		if i%5 == 0 {
			b.SetText(10, fmt.Appendf(nil, "00000000-0000-0000-0000-%012d", i))
		}
		b.SetString(11, []byte("same"))
		if at == 2 {
			b.SetJSON(12, fmt.Appendf(nil, "%d", i))
		} else {
			b.SetJSON(12, fmt.Appendf(nil, `{"i": %d}`, i))
		}
		b.SetTime(13, t.Add(time.Duration(user%120)*time.Second))
		b.Commit()
	}
	return b.Build()
}

// TestTextIndex compares what queries give of a table that has indexes with what they give
// of the same rows without any index or dictionary.
func TestTextIndex(t *testing.T) {
	t.Parallel()
	const segments = indexedSegments + 3
	table := logged(segments)
	each := apart(table)
	const all = " | summarize count(), sum(n), sum(Late), min(TimeGenerated), max(TimeGenerated), countif(Flag), dcount(Id, 4), max(Each), min(Mixed), max(Seldom), max(Same), dcount(Mixed, 4), dcount(tostring(Bag.city), 4), sum(tolong(Boxed)), sum(tolong(Boxed.i)), countif(isnull(Bag))"
	few := func(n int) bool { return n > 0 && n < segments*chunkRows/4 }
	whole := func(n int) bool { return n == table.rows }
	none := func(n int) bool { return n == 0 }
	const isOdd = `let IsOdd = (Logged: string) { isnull(parse_ipv4(Logged)) or Logged has "ffff" }; `
	for query, want := range map[string]func(int) bool{
		`T | where User in~ ("KIM7@contoso.example", "kim8@Contoso.Example", "nobody")`:                                                        few,
		`T | where User in ("KIM7@contoso.example", "kim9@contoso.example")`:                                                                   few,
		`T | where User == "kim9@contoso.example"`:                                                                                             few,
		`T | where "kim9@contoso.example" == User | where n > 500`:                                                                             few,
		`T | where User =~ "kim9@contoso.example"`:                                                                                             whole, // the filter's to ask
		`T | where User in~ ("kim1@contoso.example") or Address in~ ("192.0.1.1", "192.0.1.51")`:                                               few,
		`T | where User in~ ("kim1@contoso.example") and n % 2 == 0 or Address == "192.0.1.1" and n % 2 == 1`:                                  few,
		`T | where User in~ ("kim1@contoso.example", "kim2@contoso.example", "kim3@contoso.example") | where Address in ("192.0.0.11")`:        few,
		`T | where TimeGenerated between (datetime(2026-03-17 02:00) .. datetime(2026-03-17 07:30)) | where User in~ ("kim1@contoso.example")`: few,
		`T | where TimeGenerated > datetime(2027-01-01) and User in~ ("kim1@contoso.example")`:                                                 none,
		`T | where User in ("")`:                                                             none,
		`T | where User in ("nobody")`:                                                       none,
		`T | where Address in ("", "192.0.1.1")`:                                             whole, // most rows have none
		`T | where User in ("kim1@contoso.example") or n == 5`:                               whole,
		`T | where User in ("kim1@contoso.example") or Each has "7"`:                         whole,
		`T | where Each in ("1")`:                                                            whole, // it has no index
		isOdd + `T | where Address == "192.0.1.1" or IsOdd(Address) and isnotempty(Address)`: whole, // most are odd: empty ones too
		// A function that fails for texts which do not come to it.
		`let F = (Logged: string) { strlen(replace_string(replace_string(replace_string(Logged, "9", strrep("k", 36)), "k", strrep("k", 1000)), "k", strrep("k", 1000))) > 5 }; T | where isempty(Address) | where F(Address) or Address == "192.0.1.51"`: whole,
		`let F = (Logged: string) { Logged has "192.0.1.7" or Logged has "ffff" }; T | where F(Address)`:                                      few,
		`let F = (Logged: string) { Logged has "192.0.1.7" or Logged has "ffff" }; T | where F(Address) and User in ("kim1@contoso.example")`: few,
		`let IsMapped = (Logged: string) { Logged has "ffff" }; T | where IsMapped(Address) or Address == "192.0.1.1"`:                        few,
		isOdd + `T | where isnotempty(Address) | where User in~ ("kim1@contoso.example") and IsOdd(Address)`:                                  few,
	} {
		for range indexedAsked {
			batchesRead(t, query, table)
		}
		read, batches := 0, 0
		for _, b := range batchesRead(t, query, table) {
			read += b.n
			batches++
		}
		if !want(read) {
			t.Errorf("%s: %d rows are read", query, read)
		}
		if read > 0 && read < chunkRows && batches > 2+read/fewRows {
			t.Errorf("%s: %d rows are read in %d batches", query, read, batches)
		}
		scope := Scope{From: time.Date(2026, 3, 17, 1, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 17, 9, 0, 0, 0, time.UTC), ReceivedBy: time.Date(2026, 3, 17, 8, 30, 0, 0, time.UTC)}
		for _, opts := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 2, Scope: scope}, {Workers: 2, Scope: Scope{ReceivedBy: scope.ReceivedBy}}} {
			for _, rest := range []string{all, " | project-away Id | take 700", " | extend C = strcat(User, Bag.city, Mixed) | summarize count() by C, Seldom | sort by C asc | take 400"} {
				want, got := answerWith(t, query+rest, each, opts), answerWith(t, query+rest, table, opts)
				if strings.Contains(want, "SEM") || strings.Contains(want, "SYN") {
					t.Fatalf("%s: %s", query+rest, want)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: -without an index +with:\n%s", query+rest, diff)
				}
			}
		}
	}
}

// answerWith writes a query's result, or its error.
func answerWith(t *testing.T, query string, table *Table, opts Options) string {
	t.Helper()
	opts.Now = time.Date(2026, 3, 18, 0, 0, 0, 0, time.UTC)
	got, err := Run(t.Context(), query, NewDatabase(table), opts)
	if err != nil {
		return err.Error()
	}
	return render(got)
}

// A function is asked for all texts of a column where many rows are left, and once if it
// fails for one of them.
func TestTextIndexAsksFunctions(t *testing.T) {
	t.Parallel()
	const long = `let F = (Logged: string) { strlen(replace_string(replace_string(replace_string(Logged, "9", strrep("k", 36)), "k", strrep("k", 1000)), "k", strrep("k", 1000))) > 5 }; `
	for query, wantFailed := range map[string]int{
		long + `T | where isempty(Address) | where F(Address)`:                                    1,
		long + `T | where isempty(Address) and User == "kim1@contoso.example" | where F(Address)`: 0,
		long + `T | where isempty(Address) | where F(Address) and User == "kim1@contoso.example"`: 0,
	} {
		table := logged(indexedSegments)
		want := answerWith(t, query+" | count", apart(table), Options{})
		for range 2 * indexedAsked {
			if got := answerWith(t, query+" | count", table, Options{}); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
		failed := 0
		table.textIndex(2).failed.Range(func(any, any) bool { failed++; return true })
		if failed != wantFailed {
			t.Errorf("%s: %d functions failed for a text, want %d", query, failed, wantFailed)
		}
	}
}

// An index comes once a table was asked often. Those of a small table, and of a column whose
// texts are in no dictionary, never come.
func TestTextIndexIsWorthIt(t *testing.T) {
	t.Parallel()
	table := logged(indexedSegments)
	for column, name := range []string{1: "User", 3: "Each", 5: "Mixed"} {
		if name == "" {
			continue
		}
		for asked := range indexedAsked + 3 {
			if got, want := table.textIndex(column) != nil, name == "User" && asked >= indexedAsked; got != want {
				t.Errorf("%s, asked %d times before: has an index: %t, want %t", name, asked, got, want)
			}
		}
	}
	table.indexes.made = mostIndexes
	for range indexedAsked + 1 {
		if table.textIndex(2) != nil {
			t.Error("a table has more indexes than it may")
		}
	}
	small := logged(2)
	for range indexedAsked + 1 {
		if small.textIndex(1) != nil {
			t.Error("a small table has an index")
		}
	}
}

// A query that may hold too little for what an index finds goes without it.
func TestTextIndexWithinMemory(t *testing.T) {
	t.Parallel()
	table := logged(indexedSegments)
	for range indexedAsked {
		table.textIndex(1)
	}
	const query = `T | where User in~ ("kim1@contoso.example", "kim2@contoso.example") | where n >= 0`
	for _, limit := range []int64{32 << 10, 128 << 10, 1 << 20} {
		got := answerWith(t, query+" | project n | count", table, Options{Limits: Limits{Bytes: limit}})
		if want := answerWith(t, query+" | project n | count", apart(table), Options{}); got != want {
			t.Errorf("with %d bytes: got %s, want %s", limit, got, want)
		}
	}
}

// Texts of which each row has its own are packed in a table, JSON too.
func TestPackedTexts(t *testing.T) {
	t.Parallel()
	b := NewTableBuilder("T", Schema{{"Id", String}, {"Json", Dynamic}})
	var ids, list []string
	for i := range 2*chunkRows + 5 {
		id := fmt.Sprintf("%d\u00e9", i)
		if i%900 == 0 {
			id = ""
		}
		json := fmt.Sprintf(`{"i":%d}`, i)
		if i%800 == 0 {
			json = ""
		}
		ids, list = append(ids, id), append(list, json)
		b.SetString(0, []byte(id))
		if json != "" {
			b.SetJSON(1, []byte(json))
		}
		b.Commit()
	}
	table := b.Build()
	for _, s := range table.segments[:2] {
		for i, c := range s.cols {
			if c.packed == nil || c.strs != nil {
				t.Errorf("column %d is not packed", i)
			}
		}
	}
	for row := range table.Rows() {
		if got := table.Value(row, 0).String(); got != ids[row] {
			t.Fatalf("row %d: %q, want %q", row, got, ids[row])
		}
		if got := table.Value(row, 1).String(); got != list[row] {
			t.Fatalf("row %d: %q, want %q", row, got, list[row])
		}
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		at := r.IntN(2)
		sel := make([]int32, r.IntN(300))
		for i := range sel {
			sel[i] = int32(r.IntN(chunkRows+1) - 1) // -1 is null
		}
		for col, all := range [][]string{ids, list} {
			got := table.segments[at].cols[col].gather(sel)
			for i, row := range sel {
				want := ""
				if row >= 0 {
					want = all[at*chunkRows+int(row)]
				}
				if got.value(i).String() != want {
					t.Fatalf("column %d, row %d: %q, want %q", col, row, got.value(i), want)
				}
			}
		}
	}
	for _, query := range []string{
		"T | summarize countif(isempty(Id)), countif(isnull(Json)), sum(tolong(Json.i)), dcount(Id, 4), max(Id)",
		"T | where Id has '17' | extend i = Json.i | sort by Id asc | project Id, i",
		"T | take 4100 | summarize arg_max(Id, *)",
		"T | extend L = strlen(Id) | join kind=inner (T | where Id startswith '81' | project Id, J = Json) on Id | sort by Id asc | project Id, L, J.i",
		"T | search '81' | count",
		"T | distinct Id, tostring(Json) | count",
		"T | project Json | mv-expand kind=array Json | take 5000 | count",
	} {
		for _, workers := range []int{1, 2} {
			unpacked := apart(table)
			for i := range unpacked.segments {
				for j, c := range unpacked.segments[i].cols {
					unpacked.segments[i].cols[j] = c.unpacked()
				}
			}
			opts := Options{Workers: workers}
			want, got := answerWith(t, query, unpacked, opts), answerWith(t, query, table, opts)
			if strings.Contains(want, "SEM") || strings.Contains(want, "SYN") {
				t.Fatalf("%s: %s", query, want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -unpacked +packed:\n%s", query, diff)
			}
		}
	}
}

// BenchmarkTextIndex asks a table for the rows of a few users, as it is and with an index.
func BenchmarkTextIndex(b *testing.B) {
	const query = `T | where User in~ (U) | summarize count(), max(Each), dcount(tostring(Bag.city)) by User`
	users := make([]string, 40)
	for i := range users {
		users[i] = fmt.Sprintf("'KIM%d@contoso.example'", i*7)
	}
	text := "let U = dynamic([" + strings.ReplaceAll(strings.Join(users, ", "), "'", `"`) + "]); " + query
	table := logged(60)
	for _, indexed := range []bool{false, true} {
		name := map[bool]string{false: "no index", true: "index"}[indexed]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !indexed {
					table.indexes = new(textIndexes)
				}
				if _, err := Run(b.Context(), text, NewDatabase(table), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
