package kql

// scanQueries take rows through steps.
var scanQueries = []queryCase{
	{query: "range x from 1 to 5 step 1 | scan declare (sum:long = 10) with (step s: true => sum = sum + x;)", want: "x:long, sum:long\n1 | 11\n2 | 12\n3 | 13\n4 | 14\n5 | 15", official: "the parser always adds match_id; the reference only where the query asks for it"},
	{query: "range x from 1 to 5 step 1 | scan declare (sum:long = 10) with (step s: true => sum = s.sum + x;)", want: "x:long, sum:long\n1 | 11\n2 | 13\n3 | 16\n4 | 20\n5 | 25", official: "the parser always adds match_id; the reference only where the query asks for it"},
	{query: "range x from 1 to 6 step 1 | scan with_match_id=id with (step a: x % 3 == 1; step b: x == a.x + 1;)", want: "x:long, id:long\n1 | 0\n2 | 0\n4 | 1\n5 | 1"},
	{query: "range x from 1 to 6 step 1 | scan with_match_id=id declare (from:long) with (step a output=none: x % 3 == 1; step b output=last: x % 3 != 1 => from = a.x;)", want: "x:long, from:long, id:long\n3 | 1 | 0\n6 | 4 | 1"},
	{query: "range x from 1 to 4 step 1 | scan with (step a: x < 3 => x = x * 10;)", want: "x:long\n10\n20", official: "the parser always adds match_id; the reference only where the query asks for it"},
	{query: "range x from 1 to 4 step 1 | scan with (step a output=last: true;)", want: "x:long\n4", official: "the parser always adds match_id; the reference only where the query asks for it"},
	{query: `range x from 1 to 4 step 1 | scan declare (y:real, z:string = "none") with (step a: x > 2 => y = x; step b: x > a.x => y = a.y + b.y;)`, want: "x:long, y:real, z:string\n3 | 3 | none\n4 | null | none\n4 | 4 | none", official: "the parser always adds match_id; the reference only where the query asks for it"},
	{query: `Events | sort by TimeGenerated asc | scan declare (begun:datetime) with (step denied: Code == "500121" => begun = TimeGenerated; step allowed: Code == "0" and User == denied.User => begun = denied.TimeGenerated;) | project User, Code, begun`, want: "User:string, Code:string, begun:datetime\nann | 500121 | 2026-03-17T08:00:00.0000000Z\nann | 0 | 2026-03-17T08:00:00.0000000Z\nbob | 500121 | 2026-03-17T09:00:00.0000000Z\nann | 500121 | 2026-03-17T09:59:00.0000000Z"},
	{query: "range x from 1 to 4 step 1 | scan with (step a: x > b.x; step b: true;)", want: "x:long", official: "the parser always adds match_id; the reference only where the query asks for it"},
	{query: "U | scan with (step a: nope == 1;)", err: "1:24 Failed to resolve column or scalar expression named 'nope'"},
	{query: "U | scan with (step a: true => nope = 1;)", err: "1:32 Failed to resolve column named 'nope': scan assigns to columns of its input and to those that it declares"},
	{query: "U | scan declare (s:string) with (step a: true;)", err: "1:19 there are two columns named 's'", official: "the parser lets two columns have one name"},
	{query: "U | scan with (step a: true; step a: true;)", err: "1:35 scan has two steps named 'a'", official: "the parser takes two steps of one name; the reference says that it must be unique"},
	{query: "U | scan with (step a: a.nope == 1;)", err: "1:26 Failed to resolve column named 'nope'"},
	{query: "U | scan with (step a: n;)", err: "1:24 a bool is expected here, and this is a long: tobool() converts", official: "the parser takes any value for a condition; the reference says that it is true or false"},
	{query: "U | scan partition by s with (step a: true;)", err: "1:10 'partition' of scan is not supported: sort before it, or put it into partition hint.strategy=native by a column (...)"},
	{query: "U | scan with (step a optional: true;)", err: "1:23 an optional step of scan is not supported: write a scan without it, and join the two by union"},
	{query: "U | scan with ()", err: "1:5 scan needs a step", official: "the parser takes a scan without steps"},
	{query: "U | scan with (step a output=some: true;)", err: `1:30 unexpected "some"; expected all, last or none`},
	{query: "U | scan declare (y:long = n) with (step a: true;)", err: "1:28 Failed to resolve column or scalar expression named 'n'", official: "the parser takes any expression for the default of a column, and does not look into it"},
	{query: `U | scan with (step a: true => n = "x";)`, want: "s:string, n:long, x:real\nalpha | null | 0.5\nalpha | null | 0.25\ngamma | null | 8", official: "the parser always adds match_id; the reference only where the query asks for it"},
}
