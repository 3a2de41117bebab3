package logs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushback/detect/kql"
)

func watchlistFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWatchlists(t *testing.T) {
	t.Parallel()
	db := kql.NewDatabase()
	db.Watchlists = Watchlists(watchlistFolder(t, map[string]string{
		"VIPs.csv":    "\ufeffUser,Full name\nann@contoso.com,\"Ann, of\nAccounts\"\nbob@contoso.com,Bob\n",
		"Keyed.csv":   "Range,SearchKey,_DTItemId\n10.0.0.0/8,office,1\n",
		"notes.txt":   "not a watchlist",
		"%61ux.csv":   "User\ndevice\n",
		"100%.csv":    "User\nall\n",
		".hidden.csv": "x\n1\n",
		"Dated.csv":   "User,LastUpdatedTimeUTC [UTC]\nann,\"04/03/2026, 20:26:12\"\nbob,\nzoe,\"16/03/2026, 20:26:12\"\n",
	}), 0)
	tests := []struct{ query, want string }{
		{`_GetWatchlist('VIPs') | summarize by User, SearchKey, ['Full name'], LastUpdatedTimeUTC | sort by User asc | extend r = strcat(User, '|', SearchKey, '|', ['Full name'], '|', LastUpdatedTimeUTC)`,
			"ann@contoso.com|ann@contoso.com|Ann, of\nAccounts|2026-03-17T10:00:00.0000000Z"},
		{`let list = 'Keyed'; _GetWatchlist(list) | extend r = strcat(Range, '|', SearchKey, '|', _DTItemId)`, "10.0.0.0/8|office|1"},
		{`_GetWatchlist('VIPs') | summarize ids = count_distinct(_DTItemId), length = max(strlen(_DTItemId)) | extend r = strcat(ids, '|', length)`, "2|32"},
		{`_GetWatchlist('Dated') | where User == 'ann' | extend r = tostring(LastUpdatedTimeUTC)`, "2026-03-04T20:26:12.0000000Z"},
		{`_GetWatchlist('Dated') | where User == 'bob' | extend r = tostring(isnull(LastUpdatedTimeUTC))`, "true"},
		{`_GetWatchlist('aux') | extend r = User`, "device"},
		{`_GetWatchlist('100%') | extend r = User`, "all"},
		{`print User = 'bob@contoso.com' | lookup kind=inner (_GetWatchlist('VIPs')) on User | extend r = ['Full name']`, "Bob"},
		{`print u = 'ann@contoso.com' | where u in ((_GetWatchlist('VIPs') | project SearchKey)) | extend r = u`, "ann@contoso.com"},
	}
	for _, tt := range tests {
		out, err := kql.Run(context.Background(), tt.query, db, kql.Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if got := out.Value(0, out.Schema().Index("r")).String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.query, got, tt.want)
		}
	}
}

func TestWatchlistErrors(t *testing.T) {
	t.Parallel()
	dir := watchlistFolder(t, map[string]string{
		"VIPs.csv": "User\nann\n", "Empty.csv": "", "Ragged.csv": "a,b\n1,2\n3\n", "Twice.csv": "a,b,a\n",
		"Unnamed.csv": "a,,b\n", "Quote.csv": "a\n\"x\n", "Text.csv": "a\n\xff\n", "Time.csv": "a,LastUpdatedTimeUTC\nx,soon\n",
		"Unclear.csv": "a,LastUpdatedTimeUTC\nx,2026-03-04\ny,04/03/2026\n",
	})
	if err := os.Mkdir(filepath.Join(dir, "Folder.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ alias, want string }{
		{"Nope", "there is no watchlist 'Nope' in " + dir + "; there are Empty, Quote, Ragged, Text, Time, Twice, Unclear, Unnamed, VIPs"},
		{"../VIPs", "there is no watchlist '../VIPs'"},
		{"Folder", "there is no watchlist 'Folder'"},
		{"Empty", "the file is empty"},
		{"Ragged", "record on line 3: wrong number of fields"},
		{"Twice", "line 1: there are two columns named 'a'"},
		{"Unnamed", "line 1: column 2 has no name"},
		{"Quote", "line 2, column 4: extraneous or missing"},
		{"Text", "line 2, column 1: the text is not UTF-8"},
		{"Time", "line 2, column 3: \"soon\" is not a time"},
		{"Unclear", "the watchlist 'Unclear': " + filepath.Join(dir, "Unclear.csv") + ":3: LastUpdatedTimeUTC: \"04/03/2026\" may be day-first or month-first"},
	}
	read := Watchlists(dir, 0)
	for _, tt := range tests {
		if _, err := read(tt.alias); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.alias, err, tt.want)
		}
	}
	if _, err := Watchlists(filepath.Join(dir, "missing"), 0)("x"); err == nil || !strings.Contains(err.Error(), "the watchlists' folder") {
		t.Errorf("a folder that is not there: %v", err)
	}
	_, err := kql.Run(context.Background(), "print x = 1\n| join kind=inner (_GetWatchlist('Nope')) on x", &kql.Database{Watchlists: read}, kql.Options{})
	if err == nil || !strings.Contains(err.Error(), "line 2, column 34: there is no watchlist 'Nope'") {
		t.Errorf("the error in a query: %v", err)
	}
}
