package main

import (
	"errors"
	"sync"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/logs"
)

// watchlistSource is where _GetWatchlist() finds a watchlist by its alias.
type watchlistSource = func(alias string) (*kql.Table, error)

// watchlists are those that the command line names.
type watchlists struct {
	dir  string
	once sync.Once
	find watchlistSource
}

func (w *watchlists) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.dir, "watchlists", "", "folder of watchlists, each a CSV file named after its alias, for _GetWatchlist()")
}

// get reads each watchlist once: a whole run sees the same items.
func (w *watchlists) get(alias string) (*kql.Table, error) {
	if w.dir == "" {
		return nil, errors.New("_GetWatchlist() needs --watchlists DIR, a folder of CSV files named after the watchlists' aliases")
	}
	w.once.Do(func() { w.find = logs.Watchlists(w.dir) })
	return w.find(alias)
}
