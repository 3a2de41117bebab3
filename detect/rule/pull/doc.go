// Package pull brings the analytics rules, the saved functions and the watchlists of a
// live workspace into a folder of files, and compares the two.
//
// In the folder each rule is a file in YAML, functions/ has a file of KQL for each
// function, and watchlists/ a CSV file for each watchlist: what the commands read by
// PUSHBACK_RULES, --functions and --watchlists. The names of files and all orders
// depend on what they hold alone, so what did not change in the workspace changes no
// byte in the folder. A rule that is in the folder already stays in its file, whatever
// that is called.
package pull

// Where the files are that are no rules.
const (
	functionsFolder  = "functions"
	watchlistsFolder = "watchlists"
)
