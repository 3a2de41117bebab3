package kql

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"testing"
	"time"
)

func TestScratchFuzz(t *testing.T) {
	if os.Getenv("FUZZ") == "" {
		t.Skip()
	}
	var queries [][]string
	for _, c := range slices.Concat(searchQueries, scanQueries, partitionQueries, topNestedQueries, pluginQueries, forkQueries, binAutoQueries, toScalarQueries, namedArgumentQueries, numberingQueries, oldFormQueries) {
		func() {
			defer func() { recover() }()
			var toks []string
			for _, tk := range lex(c.query) {
				toks = append(toks, c.query[tk.start:tk.end])
			}
			queries = append(queries, toks)
		}()
	}
	r := rand.New(rand.NewSource(time.Now().UnixNano()))
	db := testTables()
	start := time.Now()
	n := 0
	bad := map[string]bool{}
	for time.Since(start) < 100*time.Second {
		q := slices.Clone(queries[r.Intn(len(queries))])
		for range 1 + r.Intn(3) {
			if len(q) < 2 {
				break
			}
			i := r.Intn(len(q))
			other := queries[r.Intn(len(queries))]
			switch r.Intn(5) {
			case 0:
				q = slices.Delete(q, i, i+1)
			case 1:
				q[i] = other[r.Intn(len(other))]
			case 2:
				q = slices.Insert(q, i, other[r.Intn(len(other))])
			case 3:
				j := r.Intn(len(other))
				k := min(len(other), j+1+r.Intn(8))
				q = slices.Insert(q, i, other[j:k]...)
			case 4: // join by pipe
				for j, tk := range other {
					if tk == "|" {
						q = append(q[:len(q)-1], other[j:]...)
						break
					}
				}
			}
		}
		text := ""
		for _, tk := range q {
			text += tk + " "
		}
		n++
		func() {
			defer func() {
				if p := recover(); p != nil {
					k := fmt.Sprint(p)
					if len(k) > 60 {
						k = k[:60]
					}
					if !bad[k] {
						bad[k] = true
						fmt.Printf("PANIC %v\n   %s\n", p, text)
					}
				}
			}()
			x, done := newExecution(context.Background(), Options{Workers: 1, Limits: Limits{Rows: 5000, Bytes: 64 << 20, Time: 2 * time.Second}})
			defer done()
			begin := time.Now()
			_, err := run(x, text, db, Options{Now: testNow})
			if d := time.Since(begin); d > 6*time.Second {
				fmt.Printf("SLOW %v %s\n", d, text)
			}
			var qe *Error
			var le *LimitError
			if err != nil && !errors.As(err, &qe) && !errors.As(err, &le) {
				fmt.Printf("ERR %T %v\n   %s\n", err, err, text)
			}
			_, cerr := Check(text, schemasOf(db))
			if err == nil && cerr != nil {
				k := "chk" + cerr.Error()[:min(30, len(cerr.Error()))]
				if !bad[k] {
					bad[k] = true
					fmt.Printf("CHECK %v\n   %s\n", cerr, text)
				}
			}
			Catalog{Tables: schemasOf(db)}.CheckAll(text)
			Catalog{Tables: schemasOf(db)}.Explain(text, testNow)
			Catalog{Tables: schemasOf(db)}.RowFilters(text)
		}()
	}
	fmt.Println(n, "queries")
}
