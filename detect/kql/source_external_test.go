package kql

import (
	ziparchive "archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// externalFile is a file in memory.
type externalFile struct{ *bytes.Reader }

func (externalFile) Close() error { return nil }

func zipped(t *testing.T, files ...string) string {
	t.Helper()
	var buf bytes.Buffer
	w := ziparchive.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write([]byte(text))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func externalDatabase(files map[string]string) *Database {
	db := NewDatabase()
	db.External = func(uri string) (ExternalFile, error) {
		text, ok := files[uri]
		if !ok {
			return nil, &MissingExternal{"there is no " + ExternalName(uri)}
		}
		return externalFile{bytes.NewReader([]byte(text))}, nil
	}
	return db
}

func TestExternal(t *testing.T) {
	t.Parallel()
	const csv = "name,n\n\"a, b\",1\nc,\n"
	db := externalDatabase(map[string]string{
		"https://h/a.csv": csv, "https://h/b.csv": "d,4\n", "https://h/a.csv.gz": gzipped(t, csv), "https://h/a.tsv": "a\t1\n", "https://h/a.psv": "a|1\n",
		"https://h/a.txt": "one, two\r\nthree\n\nlast", "https://h/raw": "x\ny\n", "https://h/lines.json": "{\"name\":\"a\",\"n\":1,\"d\":{\"k\":[1]}}\n{\"name\":2}\n",
		"https://h/array.json":  " [ {\"Name\":\"a\",\"n\":\"7\"},\n {\"Name\":\"b\"} ]\n{\"name\":\"c\"}",
		"https://h/a.zip":       zipped(t, "../../etc/one.csv", "a,1\n", "two.csv", "b,2\n"),
		"https://h/bom.csv":     "\xef\xbb\xbfa,1\n",
		"https://h/broken.json": "{\"name\":", "https://h/t.csv?sv=secret": "t,2026-03-17 10:00\n", "https://h/broken.gz": "\x1f\x8bnone",
	})
	for _, c := range []struct{ query, want string }{
		{`externaldata (name:string, n:long) ["https://h/a.csv"] with (ignoreFirstRecord=true)`, "a, b | 1\nc | null"},
		{`externaldata (name:string, n:long) [@"https://h/a.csv", h'https://h/b.csv'] with (format="csv", ignoreFirstRecord=true)`, "a, b | 1\nc | null"},
		{`externaldata (name:string, n:long) [@"https://h/a.csv.gz", "https://h/b.csv"] with (format=csv)`, "name | null\na, b | 1\nc | null\nd | 4"},
		{`external_data (name:string, n:long) ["https://h/a.tsv"] | union (externaldata (name:string, n:long) ["https://h/a.psv"])`, "a | 1\na | 1"},
		{`externaldata (line:string) ["https://h/a.txt"]`, "one, two\nthree\n''\nlast"},
		{`externaldata (line:string, more:int) ["https://h/a.txt"] with (format="txt") | where line has "two"`, "one, two | null"},
		{`externaldata (all:string) ["https://h/raw"] with (format="raw") | project strlen(all)`, "4"},
		{`externaldata (name:string, n:long, d:dynamic) ["https://h/lines.json"]`, "a | 1 | {\"k\":[1]}\n2 | null | null"},
		{`externaldata (name:string, n:long) ["https://h/array.json"] with (format="multijson")`, "a | 7\nb | null\nc | null"},
		{`externaldata (x:long, k:string, c:string) ["https://h/lines.json"] with (format="json", ingestionMapping='[{"Column":"x","Properties":{"Path":"$.d.k[0]"}},{"column":"k","path":"$.name"},{"Column":"c","Properties":{"ConstValue":"z"}}]')`, "1 | a | z\nnull | 2 | z"},
		{`externaldata (n:long, name:string) ["https://h/b.csv"] with (ingestionMapping='[{"Column":"n","Properties":{"Ordinal":"1"}},{"Column":"name","Properties":{"Ordinal":0}}]')`, "4 | d"},
		{`externaldata (name:string, n:long) ["https://h/a.zip"] with (format="csv")`, "a | 1\nb | 2"},
		{`externaldata (name:string, n:long) ["https://h/bom.csv"] | where name == "a" | count`, "1"},
		{`externaldata (name:string, t:datetime) [h"https://h/t.csv?sv=secret"]`, "t | 2026-03-17T10:00:00.0000000Z"},
		{`let x = externaldata (name:string) ["https://h/none.csv"]; print 1`, "1"},
		{`union isfuzzy=true (externaldata (name:string) ["https://h/none.csv"] | where name != ""), (print name = "y")`, "y"},
		{`let x = (externaldata (name:string) ["https://h/none.csv"]); union isfuzzy=true x, (print name = "y")`, "y"},
		{`let u = "https://h/b.csv"; externaldata (name:string) [u] | project name`, "d"},
	} {
		out, err := Run(context.Background(), c.query, db, Options{Now: testNow})
		if err != nil {
			t.Errorf("%s\n%v", c.query, err)
			continue
		}
		_, got, _ := strings.Cut(render(out), "\n")
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
		if strings.Contains(c.query, "isfuzzy") != (len(out.Warnings()) > 0) {
			t.Errorf("%s: the warnings are %q", c.query, out.Warnings())
		}
	}
	for _, c := range []struct{ query, at, message string }{
		{`externaldata (name:string) ["https://h/none.csv"]`, `["https://h/none.csv"]`, "there is no https://h/none.csv"},
		{`externaldata (name:string) [h"https://h/none.csv?sig=secret"]`, `h"https://h/none.csv?sig=secret"`, "there is no https://h/none.csv"},
		{`externaldata (name:string) ["https://h/b.csv"] with (format="parquet")`, `"parquet"`, "not supported"},
		{`externaldata (name:string) ["https://h/b.csv"] with (ingestionMapping="x")`, `"x"`, "JSON array"},
		{`externaldata (name:string, name:long) ["https://h/b.csv"]`, "name", "two columns"},
		{`externaldata (name:string) [1]`, "1", "must be a string"},
		{`externaldata (name:string) ["https://h/broken.json"]`, `["https://h/broken.json"]`, "value 1 is no JSON"},
		{`externaldata (name:string) ["https://h/broken.gz"]`, `["https://h/broken.gz"]`, "the gzip file is broken"},
	} {
		_, err := Run(context.Background(), c.query, db, Options{Now: testNow})
		var e *Error
		if !errors.As(err, &e) || e.Token != c.at || !strings.Contains(e.Message, c.message) || strings.Contains(e.Message, "secret") {
			t.Errorf("%s\n got %+v\nwant '%s' at %s", c.query, err, c.message, c.at)
		}
	}
}

// TestExternalBombs has files that stand for much more than they hold end the query.
func TestExternalBombs(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0", 40<<20)
	lines := strings.Repeat("a,1\n", 4<<20)
	db := externalDatabase(map[string]string{
		"https://h/field.csv": "\"" + zeros, "https://h/line.txt.gz": gzipped(t, zeros), "https://h/raw.zip": zipped(t, "x", zeros),
		"https://h/value.json": "{\"name\":\"" + zeros + "\"}", "https://h/rows.csv.gz": gzipped(t, lines),
	})
	for _, query := range []string{
		`externaldata (name:string) ["https://h/field.csv"]`,
		`externaldata (name:string) ["https://h/line.txt.gz"]`,
		`externaldata (name:string) ["https://h/raw.zip"] with (format="raw")`,
		`externaldata (name:string) ["https://h/value.json"]`,
		`externaldata (name:string, n:long) ["https://h/rows.csv.gz"] | sort by n`,
	} {
		_, err := Run(context.Background(), query, db, Options{Now: testNow, Limits: Limits{Bytes: 32 << 20}})
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: got %v, want a *LimitError", query, err)
		}
	}
}

// TestExternalIsChecked knows the columns without any file.
func TestExternalIsChecked(t *testing.T) {
	t.Parallel()
	query := `let x = externaldata (name:string, n:long) [h"https://h/a.csv?sig=1"] with (format="csv"); T | join x on $left.s == $right.name | where nosuch > 1`
	catalog := Catalog{Tables: schemasOf(testTables())}
	if got := fmt.Sprint(catalog.External(query)); got != "[https://h/a.csv?sig=1]" {
		t.Errorf("got %s", got)
	}
	if _, err := catalog.Check(strings.TrimSuffix(query, " | where nosuch > 1")); err != nil {
		t.Error(err)
	}
}
