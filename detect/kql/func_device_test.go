package kql

import (
	"strings"
	"testing"
)

// deviceExpressions take XML, command lines and user agents apart.
var deviceExpressions = []expressionCase{
	{expression: `parse_xml('<?xml version="1.0"?><!-- c --><a:b x="1&amp;2"><c/></a:b>')`, want: `dynamic {"a:b":{"@x":"1&2","c":null}}`},
	{expression: `parse_xml('<a>1</a>')`, want: `dynamic {"a":"1"}`},
	{expression: `parse_xml('<a><b/>tail</a>')`, want: `dynamic {"a":{"b":null,"#text":"tail"}}`},
	{expression: `parse_xml('<a><![CDATA[<x>]]></a>')`, want: `dynamic {"a":"<x>"}`},
	{expression: `parse_xml('<a></b>')`, want: "dynamic null"},
	{expression: `parse_xml('<a/><b/>')`, want: "dynamic null"},
	{expression: `parse_xml('text')`, want: "dynamic null"},
	{expression: `parse_xml('')`, want: "dynamic null"},
	{expression: `parse_xml('<!DOCTYPE a [<!ENTITY x "yyy">]><a>&x;</a>')`, want: "dynamic null"},
	{expression: `parse_xml('<Data Name="Sid">S-1</Data>').Data.['@Name']`, want: "dynamic Sid"},
	{expression: `isnull(parse_xml(strcat(strrep('<a>', 300), strrep('</a>', 300))))`, want: "bool true"},
	{expression: `isnull(parse_xml(strcat('<a>', strrep('x', 131072), '</a>')))`, want: "bool true"},
	{expression: `parse_command_line(@'"C:\Program Files\a.exe" -c "x y" z', 'Windows')`, want: `dynamic ["C:\\Program Files\\a.exe","-c","x y","z"]`},
	{expression: `parse_command_line(@'a.exe c:\x\ "c:\y\\" \\"z" a"b c"d', 'windows')`, want: `dynamic ["a.exe","c:\\x\\","c:\\y\\","\\z","ab cd"]`},
	{expression: `parse_command_line(@'a.exe \"q\" ""', 'windows')`, want: `dynamic ["a.exe","\"q\"",""]`},
	{expression: `parse_command_line(@'a.exe "x""y" z', 'windows')`, want: `dynamic ["a.exe","x\"y z"]`},
	{expression: `parse_command_line('  a', 'windows')`, want: `dynamic ["","a"]`},
	{expression: `parse_command_line('a', 'bash')`, want: "dynamic null"},
	{expression: `parse_user_agent('curl/8.5.0', dynamic(['browser', 'os']))`, want: `dynamic {"Browser":{"Family":"curl","MajorVersion":"8","MinorVersion":"5","Patch":"0"},"OperatingSystem":{"Family":"Other","MajorVersion":"","MinorVersion":"","Patch":"","PatchMinor":""}}`},
	{expression: `parse_user_agent('Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X)', 'device').Device.Model`, want: "dynamic iPhone"},
	{expression: `bag_keys(parse_user_agent('x'))`, want: `dynamic ["Browser","OperatingSystem","Device"]`},
	{expression: `parse_user_agent('x', 'planet')`, want: "dynamic null"},
	{expression: `parse_user_agent('', 'os')`, want: "dynamic null"},
	{expression: `punycode_to_string('é')`, want: "string ''"},
	{expression: `punycode_to_string('99999999')`, want: "string ''"},
	{expression: `punycode_from_string('')`, want: "string ''"},
	{expression: `punycode_domain_to_string('bücher。example')`, want: "string xn--bcher-kva.example"},
	{expression: `punycode_domain_from_string('xn--\\x')`, want: "string ''"},
	{expression: `punycode_to_string(punycode_from_string('日本語 x-y'))`, want: "string 日本語 x-y"},
	{expression: `hash(guid(74be27de-1e4e-49d9-b579-fe0b331d3642)) != hash(guid(74be27de-1e4e-49d9-b579-fe0b331d3643))`, want: "bool true"},
	{expression: `hash(1h) == hash(tolong(1h))`, want: "bool true"},
	{expression: `hash(decimal(1.5)) == hash(decimal(1.5))`, want: "bool true"},
	{expression: `hash(long(null))`, want: "long null"},
	{expression: `hash(5, 0)`, want: "long null"},
	{expression: `round(convert_length(1, 'Foot', 'Inch'), 9)`, want: "real 12"},
	{expression: `round(convert_angle(30, 'Degree', 'Tilt'), 6)`, want: "real 0.5"},
	{expression: `round(convert_angle(0.5, 'Tilt', 'Degree'), 6)`, want: "real 30"},
	{expression: `convert_temperature(10, 'DegreeCelsius', 'DegreeCelsius')`, want: "real 10"},
	{expression: `convert_mass(1.0, 'gram', 'Kilogram')`, want: "real null"},
	{expression: `round(beta_cdf(0.9, 10, 20), 12)`, want: "real 1"},
	{expression: `beta_inv(beta_cdf(0.25, 3, 4), 3, 4)`, want: "real 0.25"},
	{expression: `treepath(parse_json('[1]'))`, want: "dynamic null"},
	{expression: `array_length(datetime_list_timezones()) > 400`, want: "bool true"},
	{expression: `new_guid() != new_guid()`, want: "bool true"},
	{expression: `weekofyear(datetime(null))`, want: "int null"},
	{expression: `assert(strlen('ab') == 2, 'no')`, want: "bool true"},
}

// binAutoQueries round by what set says, and assert over rows.
var binAutoQueries = []queryCase{
	{query: "set query_bin_auto_size = 1h; set query_bin_auto_at = datetime(2026-03-17 00:05); Events | summarize count() by bin_auto(TimeGenerated)", want: "TimeGenerated:datetime, count_:long\n2026-03-17T07:05:00.0000000Z | 1\n2026-03-17T08:05:00.0000000Z | 2\n2026-03-17T09:05:00.0000000Z | 1"},
	{query: "set query_bin_auto_size = 5; U | project bin_auto(n)", want: "n:long\n0\n5\n0"},
	{query: "set query_bin_auto_size; U", err: "1:1 query_bin_auto_size must be set to a constant", official: "the parser does not ask for a value"},
	{query: "U | where assert(n < 7, 'too much')", err: "1:11 assert() failed with message: 'too much'", official: "the parser does not run queries"},
	{query: "U | extend t = iscolumnexists('x'), f = iscolumnexists('y') | take 1 | project t, f", want: "t:bool, f:bool\ntrue | false"},
	{query: "U | project treepath(bag_pack('a', n)), treepath(dynamic({'a':1})) | take 1", want: "tree_:dynamic, tree_1:dynamic\n[\"['a']\"] | [\"['a']\"]"},
	{query: "Scores | project treepath(d) | take 1", want: "tree_d:dynamic\n[\"['b']\",\"['a']\"]"},
	{query: "range x from 1 to 100 step 1 | extend r = rand(), g = new_guid() | summarize dcount(r), dcount(g), max(r) < 1", want: "dcount_r:long, dcount_g:long, Column1:bool\n100 | 100 | true"},
}

// A random number is the same again at the same time, and another later.
func TestRandomNumbersComeOfTheTime(t *testing.T) {
	t.Parallel()
	draw := func(set string) string {
		out, err := runTestQuery(set + "range x from 1 to 5 step 1 | project rand(), new_guid()")
		if err != nil {
			t.Fatal(err)
		}
		return render(out)
	}
	if first := draw(""); first != draw("") {
		t.Error("the numbers differ at the same time")
	} else if first == draw("set query_now = datetime(2020-01-01); ") {
		t.Error("the numbers are the same at another time")
	}
}

// Every name of a time zone is one.
func TestTimezonesLoad(t *testing.T) {
	t.Parallel()
	for name := range strings.FieldsSeq(timezones) {
		if zones.named(name) == nil {
			t.Errorf("there is no time zone %s", name)
		}
	}
}
