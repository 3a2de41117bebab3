package kql

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// lastingAnswers are the functions of which a column's dictionary keeps the answers, and
// how many these are.
func lastingAnswers(table *Table, column string) (functions, known int) {
	for _, s := range table.segments {
		if d := s.cols[table.schema.Index(column)].dict; d != nil && d.lasting != nil {
			for _, a := range d.lasting.answers {
				functions++
				for _, state := range a.state {
					if state == isKnown {
						known++
					}
				}
			}
			return functions, known
		}
	}
	return 0, 0
}

// TestLasting says which functions' answers are kept for the next query, and that these
// change nothing.
func TestLasting(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, query string
		kept        int
	}{
		{"its parameter alone", "let F = (x: string) { strcat(toupper(x), '!') }; T | summarize count() by F(User)", 1},
		{"with statements of its own", "let F = (x: string) { let y = toupper(x); let z = strcat(y, y); strcat(z, '-', y) }; T | summarize count() by F(User)", 1},
		{"and another function", "let G = (x: string) { toupper(x) }; let F = (x: string) { strcat(G(x), '!') }; T | summarize count() by F(User)", 1},
		{"both of a column", "let G = (x: string) { toupper(x) }; let F = (x: string) { strcat(G(x), '!') }; T | summarize count() by F(User), G(User)", 2},
		{"a pattern", "let F = (x: string) { replace_regex(x, '[0-9]', '_') }; T | where F(User) != '' | summarize count() by F(User)", 1},
		{"no function", "T | summarize count() by toupper(User)", 0},
		{"a value from outside", "let suffix = '!'; let F = (x: string) { strcat(toupper(x), suffix) }; T | summarize count() by F(User)", 0},
		{"a list from outside", "let some = dynamic(['user 1']); let F = (x: string) { x in~ (some) }; T | summarize count() by F(User)", 0},
		{"a table", "let F = (x: string) { x in (T | where n < 10 | project User) }; T | summarize count() by F(User)", 0},
		{"a scalar of a table", "let F = (x: string) { strcat(x, toscalar(T | count)) }; T | summarize count() by F(User)", 0},
		{"of a function of it", "let G = (x: string) { toupper(x) }; let H = 1; let F = (x: string) { strcat(G(x), H) }; T | summarize count() by F(User)", 0},
		{"the query's time", "let F = (x: string) { strcat(x, now()) }; T | summarize count() by F(User)", 0},
		{"and before", "let F = (x: string) { iff(ago(1h) > datetime(2000-01-01), x, '') }; T | summarize count() by F(User)", 0},
		{"chance", "let F = (x: string) { strcat(x, tostring(rand() < 2)) }; T | summarize count() by F(User)", 0},
		{"of more than a column", "let F = (x: string) { toupper(x) }; T | summarize count() by F(strcat(User, '!'))", 0},
		{"two parameters", "let F = (x: string, y: string) { strcat(toupper(x), y) }; T | summarize count() by F(User, 'a')", 0},
		{"a default from outside", "let F = (x: string, y: string = 'a') { strcat(toupper(x), y) }; T | summarize count() by F(User)", 0},
		{"another type", "let F = (x: dynamic) { strcat(x, '!') }; T | summarize count() by F(User)", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := repeating(2 * chunkRows)
			q := tt.query + " | order by Column1 asc, count_ asc"
			if !strings.Contains(tt.query, "by toupper") {
				q = strings.Replace(q, "by F(", "by Column1 = F(", 1)
			} else {
				q = strings.Replace(q, "by ", "by Column1 = ", 1)
			}
			want := answerOf(t, q, apart(table), 1, Limits{})
			for range 2 {
				if got := answerOf(t, q, table, 2, Limits{}); got != want {
					t.Errorf("%.300s\nrow by row:\n%.300s", got, want)
				}
			}
			if n, known := lastingAnswers(table, "User"); n != tt.kept || n > 0 && known == 0 {
				t.Errorf("%d functions with %d answers are kept, want %d functions", n, known, tt.kept)
			}
		})
	}
}

// TestLastingOfName has functions that are called the same and are not: each query gets
// the answers of its own.
func TestLastingOfName(t *testing.T) {
	t.Parallel()
	table := repeating(chunkRows)
	for _, body := range []string{"toupper(x)", "tolower(x)", "strcat(x, x)", "G(x)", "toupper(x)"} {
		for _, g := range []string{"reverse(x)", "strcat('g', x)"} {
			q := fmt.Sprintf("let G = (x: string) { %s }; let F = (x: string) { strcat(%s, '') }; T | summarize count() by Column1 = F(User) | order by Column1 asc", g, body)
			if got, want := answerOf(t, q, table, 2, Limits{}), answerOf(t, q, apart(table), 1, Limits{}); got != want {
				t.Errorf("%s gives %.300s\nrow by row:\n%.300s", q, got, want)
			}
		}
	}
}

// TestLastingIsBounded asks for more functions, and for longer answers, than are kept.
func TestLastingIsBounded(t *testing.T) {
	t.Parallel()
	table := repeating(chunkRows)
	for i := range 3 * maxLasting {
		answerOf(t, fmt.Sprintf("let F = (x: string) { strcat(x, '%d') }; T | summarize count() by F(User)", i), table, 2, Limits{})
	}
	if n, _ := lastingAnswers(table, "User"); n == 0 || n > maxLasting {
		t.Errorf("%d functions are kept", n)
	}
	table = repeating(chunkRows)
	q := "let F = (x: string) { strrep(x, 100) }; T | summarize count() by Column1 = strlen(F(User)) | order by Column1 asc"
	if got, want := answerOf(t, q, table, 2, Limits{}), answerOf(t, q, apart(table), 1, Limits{}); got != want {
		t.Errorf("%.300s\nrow by row:\n%.300s", got, want)
	}
	for _, s := range table.segments {
		for _, a := range s.cols[table.schema.Index("User")].dict.lasting.answers {
			if a.size > 2*maxLastingBytes {
				t.Errorf("%d bytes are kept", a.size)
			}
		}
	}
}

// TestLastingAtOnce has several queries ask for the same answers, some of which are over
// before they have them. It is run under the race detector.
func TestLastingAtOnce(t *testing.T) {
	t.Parallel()
	table := repeating(2 * chunkRows)
	q := "let F = (x: string) { replace_regex(toupper(x), '[0-9]', '_') }; T | summarize count() by Column1 = F(User) | order by Column1 asc"
	want := answerOf(t, q, apart(table), 1, Limits{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if i%2 == 1 {
				_, _ = Run(t.Context(), q, NewDatabase(table), Options{Limits: Limits{Time: time.Duration(i) * 100 * time.Microsecond}})
				return
			}
			if got := answerOf(t, q, table, 2, Limits{}); got != want {
				t.Errorf("%.300s\nrow by row:\n%.300s", got, want)
			}
		})
	}
	wg.Wait()
}
