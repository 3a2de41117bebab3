package kql

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// prints Go query cases for a file of queries
func TestScratchGen(t *testing.T) {
	file := os.Getenv("GEN")
	if file == "" {
		t.Skip()
	}
	data, _ := os.ReadFile(file)
	var queries []string
	for _, q := range strings.Split(string(data), "\n---\n") {
		if q = strings.TrimSpace(q); q != "" {
			queries = append(queries, q)
		}
	}
	schemas := schemasOf(testTables())
	for i, v := range askOfficialParser(t, schemas, queries) {
		q := queries[i]
		out, err := runTestQuery(q)
		problem := ""
		fmt.Printf("\t{query: %s, ", quoteGo(q))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				fmt.Printf("NOT AN ERROR %T %v},\n", err, err)
				continue
			}
			fmt.Printf("err: %s", quoteGo(fmt.Sprintf("%d:%d %s", e.Line, e.Column, e.Message)))
			if e.Kind != UnsupportedError {
				problem = v.rejects(e)
			}
		} else {
			fmt.Printf("want: %s", quoteGo(render(out)))
			problem = v.accepts(q, schemas)
		}
		fmt.Println("},")
		if problem != "" {
			fmt.Println("\t\t//DIFF", strings.ReplaceAll(problem, "\n", " "))
		}
	}
}

func quoteGo(s string) string {
	if !strings.Contains(s, "`") && strings.Contains(s, `"`) && !strings.Contains(s, "\n") {
		return "`" + s + "`"
	}
	return fmt.Sprintf("%q", s)
}
