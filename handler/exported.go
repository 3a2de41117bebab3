package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/logs"
)

// exportedLogs are the logs that the command line names.
type exportedLogs struct {
	paths  []string
	tables []string // values of --table
}

func (e *exportedLogs) flags(cmd *cobra.Command, without string) {
	cmd.Flags().StringArrayVar(&e.paths, "logs", nil, "folder of exported logs, one file, or - for standard input; may be given several times ("+without+")")
	cmd.Flags().StringArrayVar(&e.tables, "table", nil, "table of records that do not say theirs: NAME, or FILE=NAME for those of one file; may be given several times")
}

// check refuses values of the flags that cannot be meant.
func (e *exportedLogs) check() error {
	stdin := 0
	for _, path := range e.paths {
		switch path {
		case "":
			return usageError{errors.New("--logs is empty: expected a folder, a file, or - for standard input")}
		case logs.Stdin:
			stdin++
		default:
			if !strings.Contains(path, "://") && isAbsent(path) { // the reader says what is wrong with an address
				return usageError{fmt.Errorf("--logs: no file or folder %s: give the folder that holds the exported logs, or a file", path)}
			}
		}
	}
	if stdin > 1 {
		return usageError{errors.New("--logs - is given twice: standard input is read once")}
	}
	all := ""
	for _, value := range e.tables {
		file, table := cutTable(value)
		switch {
		case !plainName.MatchString(table):
			return usageError{fmt.Errorf("--table %q: expected NAME or FILE=NAME, where NAME is that of a table, such as SigninLogs", value)}
		case len(e.paths) == 0:
			return usageError{errors.New("--table is about the files of --logs, which is not given")}
		case file != "":
		case all != "" && all != table:
			return usageError{fmt.Errorf("--table %s and --table %s: one of them has to name its file, as FILE=%s", all, table, table)}
		default:
			all = table
		}
	}
	return nil
}

// cutTable takes a value of --table apart.
func cutTable(value string) (file, table string) {
	if at := strings.LastIndexByte(value, '='); at >= 0 {
		return value[:at], value[at+1:]
	}
	return "", value
}

// read reads the logs. A file that --table names and that is not among them is an
// error.
func (e *exportedLogs) read(ctx context.Context, stdin io.Reader, opts logs.Options) (*logs.Logs, error) {
	met := make(map[string]bool)
	for _, value := range e.tables {
		if file, table := cutTable(value); file == "" {
			opts.Table = table
		}
	}
	opts.FileTable = func(path string) string {
		found := ""
		for _, value := range e.tables {
			if file, table := cutTable(value); file != "" && isFile(path, file) {
				met[value], found = true, table
			}
		}
		return found
	}
	l, err := logs.ReadAll(ctx, e.paths, stdin, opts)
	if err == nil || ctx.Err() == nil && e.oneFile() { // else not all files may have been met
		for _, value := range e.tables {
			if file, _ := cutTable(value); file != "" && !met[value] {
				return nil, usageError{errors.Join(fmt.Errorf("--table %s: --logs holds no file %s", value, file), err)}
			}
		}
	}
	return l, err
}

// oneFile says whether the logs are one file, and no folder.
func (e *exportedLogs) oneFile() bool {
	if len(e.paths) != 1 {
		return false
	}
	info, err := os.Stat(e.paths[0])
	return e.paths[0] == logs.Stdin || err == nil && info.Mode().IsRegular() && !strings.EqualFold(filepath.Ext(e.paths[0]), ".zip")
}

// isFile says whether a path is that of a file, which may be given by the last
// parts of its path, and standard input as - or by its name in messages.
func isFile(path, file string) bool {
	if file == logs.Stdin {
		return path == logs.StdinName
	}
	path, file = filepath.ToSlash(filepath.Clean(path)), filepath.ToSlash(filepath.Clean(file))
	return path == file || strings.HasSuffix(path, "/"+file)
}

// title names the logs.
func (e *exportedLogs) title() string {
	names := make([]string, len(e.paths))
	for i, path := range e.paths {
		if names[i] = path; path == logs.Stdin {
			names[i] = logs.StdinName
		}
	}
	return strings.Join(names, ", ")
}
