package kql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// repeating makes a table whose texts repeat each other in all segments: few, some
// that are more than a segment numbers by itself, and identifiers that never do.
func repeating(rows int) *Table {
	b := NewTableBuilder("T", Schema{{"TimeGenerated", DateTime}, {"User", String}, {"Few", String}, {"Each", String}, {"Bag", Dynamic}, {"n", Long}})
	r := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		user := r.IntN(6000)
		b.SetTime(0, time.Date(2026, 3, 17, 0, 0, i, 0, time.UTC))
		if user%50 != 0 {
			b.SetString(1, fmt.Appendf(nil, "User%d@Contoso.example,%d", user, user%7))
		}
		b.SetString(2, fmt.Appendf(nil, "%d", r.IntN(9)))
		b.SetString(3, fmt.Appendf(nil, "%d-%d", i, r.Int64()))
		if user%20 != 0 {
			b.SetJSON(4, fmt.Appendf(nil, `{"city": "C%d", "n": [%d, null]}`, user%40, user%3))
		}
		b.SetLong(5, int64(i))
		b.Commit()
	}
	return b.Build()
}

// apart gives the same table, in which no two rows share an element.
func apart(t *Table) *Table {
	out := *t
	out.indexes = new(textIndexes)
	out.segments = slices.Clone(t.segments)
	for i := range out.segments {
		s := &out.segments[i]
		s.cols = slices.Clone(s.cols)
		for j, c := range s.cols {
			s.cols[j] = c.flat()
		}
	}
	return &out
}

// answerOf writes a query's result, or its error.
func answerOf(t *testing.T, query string, table *Table, workers int, limits Limits) string {
	t.Helper()
	now := time.Date(2026, 3, 18, 0, 0, 0, 0, time.UTC)
	got, err := Run(t.Context(), query, NewDatabase(table), Options{Now: now, Workers: workers, Limits: limits})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for row := range got.Rows() {
		for col := range got.Schema() {
			v := got.Value(row, col)
			fmt.Fprintf(&b, "%s %s|", v.kind, v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// pieces are conditions and values of a row that texts decide, and some that other
// things do.
var pieces = []string{
	`User in~ ("USER7@contoso.example,0", "user99@contoso.example,1")`, `User !in ("User7@Contoso.example,0")`, `User has "contoso"`, `User has_any ("user17", "1")`,
	`User matches regex @"(?i)user\d*7@"`, `tolower(User) == "user3@contoso.example,3"`, `isempty(User)`, `strlen(User) > 20`, `User contains "99"`,
	`tostring(split(User, ",")[1]) == "3"`, `Few == "3" or User endswith ",2"`, `Few in ("1", "2") and tolower(User) startswith "user1"`,
	`Bag.city == "C3"`, `isnull(Bag)`, `tostring(Bag.n[0]) == "1"`, `toint(Bag.n[1]) > 0`, `parse_json(tostring(Bag)).city in~ ("c1", "c5")`, `Each has "17"`, `Each !startswith User`,
	`User in ((T | where n < 9 | project User))`, `strcat(User, tolower(User)) == ""`, `User != prev(User)`, `row_number() % 3 == 1`, `rand() < 2`, `rand(3) >= 0`,
	`isnotempty(new_guid())`, `now() > TimeGenerated`, `n > toscalar(T | count) / 2`, `toint(Few) > 4`, `todouble(Few) / 2 > 2`, `hash_sha256(User) startswith "0"`,
	`User in~ ("user7@contoso.example,0", "USER98@contoso.example,0") or Few == "11" or false`, `User in ("User8@Contoso.example,1") or Few == "3" and n % 5 == 1`,
	`"User9@Contoso.example,2" == User`, `User in ("") or User has_any ("user21", "user1077") and Few != "2"`, `User in (dynamic(["User5@Contoso.example,5", null]))`,
	`iff(Few == "1", User, Few) has "2"`, `parse_url(User).Host == ""`, `countof(User, "o") == 3`, `isnull(toint(User))`, `User =~ Few`,
}

// What is computed once for each text gives what it gives for each row, with one
// goroutine and with several, and also when there is no room to keep it.
func TestDistinctValuesSayWhatRowsSay(t *testing.T) {
	t.Parallel()
	table := repeating(2*chunkRows + 700)
	if v := table.segments[0].cols[1]; v.dict == nil || v.distinct() < maxDistinct || v.dict != table.segments[2].cols[1].dict {
		t.Fatalf("the users have no dictionary of the table: %d", v.distinct())
	}
	if table.segments[1].cols[3].dict != nil {
		t.Fatal("identifiers have a dictionary")
	}
	each := apart(table)
	r := rand.New(rand.NewPCG(3, 4))
	var queries []string
	for _, p := range pieces {
		q := "T | serialize | where " + p + " | summarize count(), sum(n), max(User)"
		a, b := pieces[r.IntN(len(pieces))], pieces[r.IntN(len(pieces))]
		queries = append(queries, q,
			fmt.Sprintf("T | where n %% 3 != 0 | serialize | extend a = %s, b = %s | where (%s) or a | extend c = iff(b, strcat(User, tolower(Few)), Few) | summarize count(), sum(n), max(c) by a, Few | order by a, Few", p, a, b))
	}
	queries = append(queries,
		"T | extend U = tolower(User) | extend V = strcat(U, strlen(User)) | where V has '2' | project U, V, Bag, City = Bag.city | order by U, V | take 500",
		"T | where User startswith 'User1' | summarize arg_max(n, *), dcount(Bag.city) by U = toupper(User), Few | order by U, Few | take 300",
		"T | mv-expand Bag.n to typeof(long) | summarize count() by User, Bag_n | order by User, Bag_n | take 300",
		"T | mv-apply x = Bag.n on (where isnotnull(x) | extend Y = strcat(User, x)) | summarize count(), max(Y) by Few | order by Few",
		"T | parse User with 'User' i:long '@' rest | summarize sum(i), max(rest) by Few | order by Few",
		"T | where Few == '1' | parse User with * '@' rest ',' k | summarize count() by rest, k | order by k",
		"let U = materialize(T | extend L = tolower(User) | where L has '7'); U | join kind=inner (U | where Few == '2' | project L, m = n) on L | summarize count(), sum(m)",
		"T | where n % 7 == 0 | sort by n desc | extend L = tolower(User) | serialize | extend P = prev(L), Q = prev(User, 2) | where P has '1' | join kind=leftouter (T | where Few == '3' | sort by n asc | project User, m = n) on User | order by n, m | take 200",
		"T | where n % 11 == 0 | extend L = tolower(User) | union (T | where n % 13 == 0 | project L = Few, n), (T | take 3 | extend L = User) | sort by L, n | extend M = strcat(L, '!') | take 700",
		"T | where User has '7' | as X | extend U = toupper(User) | fork (where U has '17' | order by n) (summarize count() by U) | take 9",
		"let R = materialize(T | where n % 5 == 0 | extend L = iff(User has '4', tolower(User), '')); R | where L endswith ',4' | make-series c = count() default = 0 on n from 0 to 9000 step 1000 by L | order by L",
		"T | partition by Few (where User in ((T | take 3 | project User)) | summarize count() by Few) | order by Few",
		"T | extend x = assert(strlen(User) < 25, 'too long') | where Few == '77' | count",
		"T | extend x = toint(Few) | where isnotnull(x) | top 20 by User, n | project User, x, n",
		"T | sample 0 | count",
		"T | union (T | where User has 'user3') | summarize count(), dcount(User) by Few | order by Few",
	)
	for i, q := range queries {
		limits := Limits{}
		if i%5 == 4 {
			limits.Bytes = 3 << 20 // no room for answers
		}
		want := answerOf(t, q, each, 1, Limits{})
		for _, workers := range []int{1, 4} {
			got := answerOf(t, q, table, workers, limits)
			if limits.Bytes > 0 && strings.Contains(got, "of memory") {
				continue
			}
			if got != want {
				t.Errorf("%s\nover %d goroutines:\n%.600s\nrow by row:\n%.600s", q, workers, got, want)
			}
		}
	}
}

// An expression that fails does so only for a text that it meets, and again whenever
// it meets it; who waits for it does not wait for ever.
func TestDistinctValuesFailAgain(t *testing.T) {
	t.Parallel()
	table := repeating(3 * chunkRows)
	for _, q := range []string{
		"T | where Few == '77' | where strlen(strrep(User, 1500000)) > 3 | count", "T | where strlen(strrep(User, 1500000)) > 3 | count",
	} {
		want := answerOf(t, q, apart(table), 1, Limits{})
		for range 2 {
			if got := answerOf(t, q, table, 4, Limits{}); got != want {
				t.Errorf("%s: %s, want %s", q, got, want)
			}
		}
	}
}

// Two dictionaries are never the same, so an expression over what a union brings
// together does not take the one for the other.
func TestDictionariesDiffer(t *testing.T) {
	t.Parallel()
	if a, b := new(dictionary), new(dictionary); a == b {
		t.Error("two dictionaries are one")
	}
	table := repeating(2 * chunkRows)
	q := "union (T | project n, X = User), (T | project n, X = Few) | extend L = toupper(X) | summarize count(), max(L) by fifth = n % 5, length = strlen(L) | order by fifth, length"
	if got, want := answerOf(t, q, table, 2, Limits{}), answerOf(t, q, apart(table), 1, Limits{}); got != want {
		t.Errorf("%.300s\nrow by row:\n%.300s", got, want)
	}
}

// TestGatherOfADictionary chooses rows as an outer join does, which has none for some. It
// runs by itself, since what it allocates is counted: no more than for those rows.
func TestGatherOfADictionary(t *testing.T) {
	const elements = 1 << 17
	strs := make([]string, elements)
	for i := range strs {
		strs[i] = fmt.Sprint("text ", i)
	}
	codes := make([]uint32, elements)
	for i := range codes {
		codes[i] = uint32(elements - 1 - i)
	}
	v := &vector{typ: String, n: elements, strs: strs, wide: codes, dict: new(dictionary)}
	sel := []int32{5, -1, 0, elements - 1, -1}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := v.gather(sel)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d bytes for %d rows", n, len(sel))
	}
	for i, flat := 0, v.flat().gather(sel); i < len(sel); i++ {
		if have, want := got.value(i), flat.value(i); have.IsNull() != want.IsNull() || have.String() != want.String() {
			t.Errorf("row %d is %v, want %v", i, have, want)
		}
	}
}

// What is kept of the answers counts for the limit of memory, and only as long as the
// query runs.
func TestAnswersAreCharged(t *testing.T) {
	t.Parallel()
	table := repeating(3 * chunkRows)
	x, done := newExecution(context.Background(), Options{Workers: 1})
	defer done()
	plan, err := compile("T | where tolower(User) has 'user7' or strcat(Few, 'x') == '3x' | project n", NewDatabase(table), time.Time{}, x)
	if err != nil {
		t.Fatal(err)
	}
	prepareAll(plan.root)
	if err := plan.root.run(x, func(*batch) error { return nil }); err != nil {
		t.Fatal(err)
	}
	users := int64(table.segments[0].cols[1].distinct())
	if held := x.held.Load(); held < 8*users || held > 40*users {
		t.Errorf("%d bytes are held for a condition over %d texts", held, users)
	}
}

// BenchmarkDistinctValues is what a dear condition costs a row, where texts repeat
// and where each row has its own.
func BenchmarkDistinctValues(b *testing.B) {
	const rows = 20 * chunkRows
	table := repeating(rows)
	forms := map[string]*Table{"shared": table, "apart": apart(table)}
	for _, q := range []string{`User in~ ("USER7@contoso.example,0", "x")`, `User matches regex @"(?i)user\d*7@"`, `tostring(split(tolower(User), ",")[1]) == "3"`} {
		for _, form := range []string{"shared", "apart"} {
			b.Run(q+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				db := NewDatabase(forms[form])
				for b.Loop() {
					if _, err := Run(b.Context(), "T | where "+q+" | count", db, Options{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}

// ofTexts make a text of a text, and askTexts ask something of one: %s is the text, and %q a literal.
var (
	ofTexts = []string{"tolower(%s)", "strcat(%s, %q)", "substring(%s, strlen(%q))", "iff(%s has %q, User, Few)", "replace_string(%s, %q, '_')", "tostring(split(%s, %q)[0])",
		"coalesce(%s, %q)", "tostring(parse_json(%s)[%q])", "trim(@'\\W', strcat(%s, %q))", "case(%s == %q, Few, Each has '7', User, 'other')", "F(strcat(%s, %q))", "F(%s)"}
	askTexts = []string{"%s has %q", "%s in~ (%q, 'User7@contoso.example,0')", "%s contains_cs %q", "strcmp(%s, %q) < 0", "isempty(%s) or Few == %q", "%s startswith %q", "countof(%s, strcat('7', %q)) > 0", "hash(%s) %% 3 == strlen(%q)"}
)

// FuzzDistinctValues puts expressions over a text together, and asks that what is computed
// once for each distinct one is what each row gives by itself.
func FuzzDistinctValues(f *testing.F) {
	table := repeating(chunkRows + 300)
	each := apart(table)
	f.Add([]byte{0, 1, 2}, byte(0), byte(1), "user7")
	f.Add([]byte{10, 5, 9}, byte(2), byte(0), "@")
	f.Add([]byte{11, 3, 7}, byte(7), byte(2), "")
	f.Fuzz(func(t *testing.T, steps []byte, ask, column byte, literal string) {
		if len(steps) > 6 || len(literal) > 30 || !utf8.ValidString(literal) {
			return
		}
		quoted := literalText(String, stringValue(literal))
		put := func(form, text string) string {
			return strings.NewReplacer("%s", text, "%q", quoted, "%%", "%").Replace(form)
		}
		text := []string{"User", "Few", "Each", "tostring(Bag)"}[column%4]
		for _, step := range steps {
			text = put(ofTexts[int(step)%len(ofTexts)], text)
		}
		q := fmt.Sprintf("let F = (x: string) { strcat(toupper(x), %s) }; T | extend v = %s | where %s or n %% 5 == 0 | summarize count(), sum(n), max(F(v)) by Few, v = iff(strlen(v) < 2, v, '') | order by Few asc, v asc",
			quoted, text, put(askTexts[int(ask)%len(askTexts)], "v"))
		want := answerOf(t, q, each, 1, Limits{})
		if strings.HasPrefix(want, "line ") {
			t.Fatalf("%s: %s", q, want)
		}
		for range 2 { // the second time some of it is known
			if got := answerOf(t, q, table, 2, Limits{}); got != want {
				t.Fatalf("%s gives\n%.500s\nrow by row\n%.500s", q, got, want)
			}
		}
	})
}
