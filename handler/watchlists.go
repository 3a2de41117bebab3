package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/logs"
)

// watchlists are those that the command line names, and the saved functions beside them.
type watchlists struct {
	dir       string
	dates     dateOrder
	functions functions
	data      queryData
	once      sync.Once
	find      func(alias string) (*kql.Table, error)
}

func (w *watchlists) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.dir, "watchlists", "", "folder of watchlists, each a CSV file named after its alias, for _GetWatchlist()")
	w.dates.flag(cmd)
	w.functions.flag(cmd)
}

// library returns what queries can call. A folder that is not there is an error whether
// or not a query reads from it.
func (w *watchlists) library() (library, error) {
	if w.dir != "" {
		info, err := os.Stat(w.dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return library{}, usageError{fmt.Errorf("--watchlists %s: there is no such folder: give the folder of the watchlists", w.dir)}
		case err != nil:
			return library{}, usageError{fmt.Errorf("--watchlists %s: %w", w.dir, withoutPath(err))}
		case !info.IsDir():
			return library{}, usageError{fmt.Errorf("--watchlists %s is a file: name the folder of the watchlists", w.dir)}
		}
	}
	functions, notes, err := w.functions.get()
	l := library{watchlists: w.get, functions: functions, notes: notes}
	if err == nil {
		err = w.data.into(&l)
	}
	return l, err
}

// dateOrder is the order of dates that the command line says the logs and the
// watchlists have.
type dateOrder struct{ logs.DateOrder }

func (o *dateOrder) flag(cmd *cobra.Command) {
	cmd.Flags().Var(o, "date-order", "order of day and month in dates such as 04/03/2026, where the files themselves do not show it: dmy or mdy")
}

// Set makes it a flag's value.
func (o *dateOrder) Set(text string) error {
	order, ok := logs.ParseDateOrder(text)
	if !ok {
		return errors.New("expected dmy (the day first) or mdy (the month first)")
	}
	o.DateOrder = order
	return nil
}

// Type names the value in the help.
func (o *dateOrder) Type() string { return "dmy|mdy" }

// get reads each watchlist once: a whole run sees the same items.
func (w *watchlists) get(alias string) (*kql.Table, error) {
	if w.dir == "" {
		return nil, errors.New("_GetWatchlist() needs --watchlists DIR, a folder of CSV files named after the watchlists' aliases")
	}
	w.once.Do(func() { w.find = logs.Watchlists(w.dir, w.dates.DateOrder) })
	return w.find(alias)
}
