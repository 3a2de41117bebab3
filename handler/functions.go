package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// library is what queries can call beside the tables: the watchlists and the saved
// functions of a workspace.
type library struct {
	watchlists func(alias string) (*kql.Table, error) // nil for none
	functions  *kql.Functions                         // nil for none
	notes      []string                               // what is wrong with some of them

	external func(uri string) (kql.ExternalFile, error) // nil for none
	location func(netip.Addr) (kql.Location, bool)      // nil for none
	limits   kql.Limits                                 // of each query; zero for the usual ones
}

// catalog returns what queries are checked against.
func (l library) catalog(tables map[string]kql.Schema) kql.Catalog {
	return kql.Catalog{Tables: tables, Watchlists: l.watchlists, Functions: l.functions}
}

// database returns what queries run over.
func (l library) database(tables ...*kql.Table) *kql.Database {
	db := kql.NewDatabase(tables...)
	db.Watchlists, db.Functions = l.watchlists, l.functions
	db.External, db.Location = l.external, l.location
	return db
}

// tables lists the tables that a query names, and those that its functions read.
func (l library) tables(query string) ([]string, error) { return l.catalog(nil).NamedTables(query) }

// functionsVariable is the setting that --functions stands before.
const functionsVariable = settings.Prefix + "_FUNCTIONS"

// functions are those that the command line names.
type functions struct {
	path string
	once sync.Once
	read *kql.Functions
	// notes are about functions that are not there for what is wrong with them. Those
	// that are have to do without.
	notes []string
	err   error
}

func (f *functions) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "functions", "", "file or folder of functions that are saved in the workspace, such as ASIM parsers: .kql, .yaml as they are published, or .json templates (default: "+functionsVariable+")")
}

// get reads the functions once. Without any it is nil.
func (f *functions) get() (*kql.Functions, []string, error) {
	f.once.Do(func() {
		path, named := f.path, "--functions"
		if path != "" && isAbsent(path) {
			f.err = usageError{fmt.Errorf("--functions: %s: there is no such file or folder: give a file of functions, or a folder of them", path)}
			return
		}
		if path == "" {
			path, named = os.Getenv(functionsVariable), functionsVariable
		}
		if path == "" {
			return
		}
		found, problems := rule.LoadFunctions(path)
		for _, p := range problems {
			f.notes = append(f.notes, p.String())
		}
		if len(found) == 0 {
			f.err = fmt.Errorf("%s: %s", named, strings.Join(f.notes, "\n"))
			return
		}
		list := make([]kql.Function, len(found))
		for i, fn := range found {
			list[i] = kql.Function{Names: fn.Names, Parameters: fn.Parameters, Body: fn.Body.Text, Place: fn.Place}
		}
		var twins []string
		f.read, twins = kql.NewFunctions(list...)
		f.notes = append(f.notes, twins...)
	})
	return f.read, f.notes, f.err
}
