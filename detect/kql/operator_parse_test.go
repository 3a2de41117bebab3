package kql

import (
	"strings"
	"testing"
	"time"
)

var parseQueries = []queryCase{
	{query: `print s = "user=ann port=22 end" | parse s with "user=" user " port=" port:long " " rest`, want: `
		s:string, user:string, port:long, rest:string
		user=ann port=22 end | ann | 22 | end`},
	{query: `print s = "x user=ann" | parse s with "user=" user`, want: "s:string, user:string\nx user=ann | ''"},
	{query: `print s = "x user=ann" | parse s with * "user=" user`, want: "s:string, user:string\nx user=ann | ann"},
	{query: `print s = "a1b2c" | parse s with "a" x "b" *`, want: "s:string, x:string\na1b2c | 1"},
	{query: `print s = "a12b" | parse s with "a" x:long *`, want: "s:string, x:long\na12b | 12"},
	{query: `print s = "at 2026-03-17T09:00:00Z in 00:01:00 by 1.5e1 ok" | parse s with "at " t:datetime * "in " d:timespan * "by " r:real *`, want: `
		s:string, t:datetime, d:timespan, r:real
		at 2026-03-17T09:00:00Z in 00:01:00 by 1.5e1 ok | 2026-03-17T09:00:00.0000000Z | 00:01:00 | 15`},
	{query: `print s = "a=x b=2" | parse s with "a=" a:long " b=" b:long`, want: "s:string, a:long, b:long\na=x b=2 | null | null"},
	{query: `print s = "a=x b=2" | parse kind=relaxed s with "a=" a:long " b=" b:long`, want: "s:string, a:long, b:long\na=x b=2 | null | 2"},
	{query: `print s = "a=x" | parse-where s with "a=" a:long`, want: "s:string, a:long"},
	{query: `range n from 1 to 3 step 1 | parse-where strcat("n", n) with "n" text | where n > 1`, want: "n:long, text:string\n2 | 2\n3 | 3"},
	{query: `print n = 15 | parse n with "1" rest:long`, want: "n:long, rest:long\n15 | 5"},
	{query: `print n = 15, s = "q7" | parse s with "q" n:long`, want: "n:long, s:string\n7 | q7", official: "the parser gives the column twice; the reference says that parse replaces it"},
	{query: `print s = "(a)(b)c" | parse s with "(" x ")(" y ")" ['the rest']`, want: "s:string, x:string, y:string, the rest:string\n(a)(b)c | a | b | c"},
	{query: `print s = "k=1, k=2," | parse kind=regex s with * "k=" v ","`, want: "s:string, v:string\nk=1, k=2, | 1, k=2"},
	{query: `print s = "K=1, k=2," | parse kind=regex flags=Ui s with "k=" v ","`, want: "s:string, v:string\nK=1, k=2, | 1"},
	{query: `print s = "ab12cd" | parse kind=regex s with "(a|x)(?P<own>b)" n:long "c|d" rest`, want: "s:string, n:long, rest:string\nab12cd | 12 | d"},
	{query: `print s = "ab" | parse s with x:string * "b"`, err: "1:40 * after a column"},
	{query: `print s = "ab" | parse s with "a" x y`, err: "1:37 a column must follow a string"},
	{query: `print s = "ab" | parse s with * * "a"`, err: "1:31 a string must stand between"},
	{query: `print s = "ab" | parse s with * x`, err: "1:31 a string must stand between"},
	{query: `print s = "ab" | parse s with "a" x "b" x`, err: "1:41 the pattern fills the column 'x' twice"},
	{query: `print s = "ab" | parse s with `, err: "1:31 the query ends here; expected a pattern", official: "the parser takes an empty pattern"},
	{query: `print s = "ab" | parse kind=fuzzy s with x`, err: "1:29 the kind of parse is simple, relaxed or regex"},
	{query: `print s = "ab" | parse flags=i s with x`, err: "1:24 flags are for parse kind=regex", official: "the parser does not ask what options mean together"},
	{query: `print s = "ab" | parse kind=regex flags=x s with x`, err: "1:41 the flags of a regular expression are", official: "the parser does not look at the value"},
	{query: `print s = "ab" | parse kind=regex s with "(" x`, err: "1:42 the regular expression is not valid", official: "the parser does not look into a regular expression"},
	{query: `print s = "ab" | parse hint.foo=1 s with x`, err: "1:24 the hint 'hint.foo' of parse is not supported"},
}

var parseKVQueries = []queryCase{
	{query: `print s = "a=1; b = two ;c=" | parse-kv s as (b:string, a:long, c:string, d:long) with (pair_delimiter=";", kv_delimiter="=") | project-away s`,
		want: "b:string, a:long, c:string, d:long\ntwo | 1 | '' | null"},
	{query: `print s = "a=1,a=2,skip" | parse-kv s as (a:long) with (pair_delimiter=",", kv_delimiter="=") | project a`, want: "a:long\n1"},
	{query: `print s = "a=x" | parse-kv s as (a:long) with (pair_delimiter=",", kv_delimiter="=") | project a`, want: "a:long\nnull"},
	{query: `print s = @"a='x,y',b=[p=q]" | parse-kv s as (a:string, b:string) with (pair_delimiter=",", kv_delimiter="=", quote="'", quote="[]") | project a, b`,
		want: "a:string, b:string\nx,y | p=q"},
	{query: `print s = "a='never closed,b=1" | parse-kv s as (a:string, b:long) with (pair_delimiter=",", kv_delimiter="=", quote="'") | project a, b`,
		want: "a:string, b:long\n'never closed | 1"},
	{query: `print s = "a::1||b::2" | parse-kv s as (a:long, b:long) with (pair_delimiter="||", kv_delimiter="::") | project a, b`, want: "a:long, b:long\n1 | 2"},
	{query: `print s = "msg=all is well, mostly, code=7" | parse-kv s as (msg:string, code:long) with (pair_delimiter=",", kv_delimiter="=", greedy=true) | project msg, code`,
		want: "msg:string, code:long\nall is well, mostly | 7"},
	{query: `print s = "msg=all is well, mostly, code=7" | parse-kv s as (msg:string, code:long) with (pair_delimiter=",", kv_delimiter="=", greedy=false) | project msg, code`,
		want: "msg:string, code:long\nall is well | 7"},
	{query: `print s = "[x] a:1 ## b:(2)" | parse-kv s as (a:long, b:long) | project a, b`, want: "a:long, b:long\n1 | 2"},
	{query: `print s = "a-1 b-2" | parse-kv s as (a:long, b:long) with (regex=@"(\w)-(\d)") | project a, b`, want: "a:long, b:long\n1 | 2"},
	{query: `print s = "a=1" | parse-kv s as (s:string, a:long) with (pair_delimiter=" ", kv_delimiter="=")`, want: "s:string, a:long\n'' | 1", official: "the parser gives the column twice; a table can not have it twice"},
	{query: `print s = "" | parse-kv s as (a:long, a:string)`, err: "1:39 the key 'a' is named twice"},
	{query: `print s = "" | parse-kv s as (a)`, err: `1:32 unexpected ")"; expected ":" after the key`},
	{query: `print s = "" | parse-kv s as (a:long) with (sep=",")`, err: "1:45 unknown option 'sep' of parse-kv"},
	{query: `print s = "" | parse-kv s as (a:long) with (pair_delimiter=",")`, err: "1:45 parse-kv takes pair_delimiter only together with kv_delimiter", official: "the parser does not ask what options mean together"},
	{query: `print s = "" | parse-kv s as (a:long) with (escape="x")`, err: "1:45 parse-kv takes escape only together with quote", official: "the parser does not ask what options mean together"},
	{query: `print s = "" | parse-kv s as (a:long) with (regex="(a)")`, err: "1:51 the regular expression needs two groups", official: "the parser does not look into a regular expression"},
	{query: `print s = "" | parse-kv s as (a:long) with (regex="(a)(b)", quote="x")`, err: "1:45 with regex parse-kv takes no other option", official: "the parser does not ask what options mean together"},
	{query: `print s = "" | parse-kv s as (a:long) with (quote="abc")`, err: "1:51 quote is one character", official: "the parser does not look at the value"},
	{query: `print s = "" | parse-kv s as (a:long) with (greedy=1)`, err: "1:52 greedy is true or false"},
}

// However a text is made, reading it takes time in proportion to its length.
func TestParseKVHostileTexts(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"a=(x,", "a=", "a= , ", "(a)=(", "((((", ",,,,", `\\(`} {
		text := strings.Repeat(piece, 300_000)
		for _, greedy := range []bool{false, true} {
			n := &parseKVNode{of: &literal{typ: String}, keys: Schema{{"a", String}, {"b", String}}, pair: ",", kv: "=", quotes: []quotePair{{'(', ')'}}, escapes: []rune{'\\'}, greedy: greedy}
			start := time.Now()
			n.bind(&binder{scope: &scope{}}, &oneRow{}).(*extraction).match(text, make([]Value, 2))
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%q, greedy %v: %s", piece, greedy, took)
			}
		}
	}
}
