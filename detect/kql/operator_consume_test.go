package kql

var consumeQueries = []queryCase{
	{query: "T | consume", want: ""},
	{query: "T | where n > 1 | consume decodeblocks=false", want: ""},
	{query: "T | consume decodeblocks=5", err: "1:26 decodeblocks is true or false"},
	{query: "T | consume | where n > 1", err: "1:21 Failed to resolve column or scalar expression named 'n'"},
}
