package kql

import (
	"strings"
	"testing"
)

// capitals is a pattern with a path, and regions is one without.
const (
	capitals = `declare pattern capital = (country:string)[state:string] { ("USA").["New York"] = { print City = "Albany" }; ("Canada").["Alberta"] = { print City = "Edmonton" }; ("USA").['Ohio'] = { U | project City = strcat(s, " of ", state, ", ", country) | take 1 }; }; `
	regions  = `declare pattern region = (name:string, part:string) { ("all", "") = { U }; ("one", "n") = { let least = 2; U | where n == least; }; }; `
)

// patternQueries declare patterns. The first are of the reference.
var patternQueries = []queryCase{
	{query: capitals + `capital("Canada").Alberta`, want: "City:string\nEdmonton"},
	{query: capitals + `capital("USA").["New York"] | extend n = strlen(City)`, want: "City:string, n:long\nAlbany | 6"},
	{query: `declare pattern map_ip_to_longlat = (address:string) { ("10.10.10.10") = { print Lat=37.405992, Long=-122.078515 }; }; map_ip_to_longlat("10.10.10.10")`, want: "Lat:real, Long:real\n37.405992 | -122.078515"},
	{query: capitals + `capital("USA").Ohio`, want: "City:string\nalpha of Ohio, USA"},
	{query: capitals + `union capital("USA").["New York"], capital('Canada').Alberta | sort by City asc`, want: "City:string\nAlbany\nEdmonton"},
	{query: capitals + `let C = capital("Canada").Alberta; C | join kind=inner (capital("Canada").Alberta) on City | project City`, want: "City:string\nEdmonton"},
	{query: regions + `region("one", "n") | project n`, want: "n:long\n2"},
	{query: regions + `region("all", "") | where s in ((region("one", "n") | project s)) | count`, want: "Count:long\n1"},
	{query: regions + `print toscalar(region("one", "n") | project x)`, want: "print_0:real\n8"},
	{query: `let least = 3; declare pattern p = (a:string) { ("x") = { U | where n > least }; }; p("x") | project n`, want: "n:long\n7"},
	{query: `declare pattern p; print x = 1`, want: "x:long\n1"},
	{query: `declare pattern p; p("a", "b")`, err: `1:20 the pattern 'p' is not declared for ("a", "b")`},
	{query: capitals + `capital("USA").Alberta`, err: `1:259 the pattern 'capital' is not declared for ("USA", "Alberta")`, official: "where the error is"},
	{query: capitals + `capital("USA")`, err: `1:259 the pattern 'capital' is not declared for ("USA")`, official: "the parser takes a pattern without its path"},
	{query: capitals + `let c = "USA"; capital(c).Ohio`, err: "1:282 the values that a pattern is given must be string literals"},
	{query: regions + `print region("one", "n")`, err: "1:142 the pattern 'region' gives a table, and a scalar is expected here"},
	{query: regions + `region("one", "n").x`, err: `1:136 the pattern 'region' is not declared for ("one", "n", "x")`, official: "where the error is"},
	{query: `declare pattern p = (a:long) { (1) = { U }; }; p(1)`, err: "1:24 the arguments of a pattern are strings", official: "where the error is"},
	{query: `declare pattern p = (a:string) { (1) = { U }; }; p("1")`, err: "1:35 the values of a pattern must be string literals"},
	{query: `declare pattern p = (a:string) { ("x") = { U }; ("x") = { T }; }; p("x")`, err: `1:49 the pattern 'p' has two bodies for ("x")`, official: "the parser does not ask which body it is"},
	{query: `declare pattern p = (a:string) { ("x") = { U } }; p("x")`, err: `1:48 unexpected "}"; expected ";" after the body`},
	{query: `declare pattern p = (a:string)[b:string] { ("x") = { U }; }; p("x")`, err: `1:50 unexpected "="; expected "." before the value of the path`},
	{query: `declare pattern p = (a:string, a:string) { ("x", "y") = { U }; }; p("x", "y")`, err: "1:32 the pattern has two arguments named 'a'", official: "the parser takes two arguments of one name"},
	{query: `declare pattern p = (a:string) { ("x") = { nope }; }; p("x")`, err: "1:44 Failed to resolve table or column expression named 'nope'"},
}

// The official parser fails on values that are too many or too few.
func TestPatternTakesAsManyValues(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`declare pattern p = (a:string) { ("x", "y") = { U }; }; p("x")`:            "the pattern 'p' takes 1 argument and got 2",
		`declare pattern p = (a:string, b:string) { ("x") = { U }; }; p("x")`:       "the pattern 'p' takes 2 arguments and got 1",
		`declare pattern p = (a:string)[b:string] { ("x").[5] = { U }; }; p("x").y`: "the values of a pattern must be string literals",
	} {
		if _, err := runTestQuery(query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", query, err, want)
		}
	}
}
