package logs

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"pushback/detect/input"
	"pushback/detect/kql"
)

// The columns that Sentinel adds to the items of a watchlist.
const (
	watchlistID        = "_DTItemId"
	watchlistUpdated   = "LastUpdatedTimeUTC"
	watchlistSearchKey = "SearchKey"
)

// maxWatchlist bounds a watchlist's file, in bytes of text; Sentinel takes no
// larger one.
const maxWatchlist = 500 << 20

// Where the columns of Sentinel's stand.
const itemID, lastUpdated, searchKey = 0, 1, 2

// maxWatchlistItems is how many items a watchlist has at most: as many as all of a
// workspace together.
const maxWatchlistItems = 10_000_000

// Watchlists gives the watchlists in a folder, for kql.Database: each is a CSV
// file named after the watchlist's alias, its first line naming the columns. %XX in the
// name stands for a character that it cannot have.
// All columns are strings, as Sentinel has them. SearchKey is the first column
// unless the file has one of that name. A file is read when it is first asked
// for. The order is that of dates in LastUpdatedTimeUTC which the file does not
// tell: see Options.DateOrder.
func Watchlists(dir string, order DateOrder) func(alias string) (*kql.Table, error) {
	var mu sync.Mutex
	tables := make(map[string]*kql.Table)
	return func(alias string) (*kql.Table, error) {
		mu.Lock()
		defer mu.Unlock()
		if t := tables[alias]; t != nil {
			return t, nil
		}
		// The alias comes from a query, so it is looked up and never a path.
		files, err := watchlistFiles(dir)
		if err != nil {
			return nil, err
		}
		var aliases []string
		for _, f := range files {
			if f.alias != alias {
				aliases = append(aliases, f.alias)
				continue
			}
			t, err := readWatchlist(f, order)
			if err == nil {
				tables[alias] = t
			}
			return t, err
		}
		if len(aliases) == 0 {
			return nil, fmt.Errorf("there is no watchlist '%s': the folder %s has no file ALIAS.csv", alias, dir)
		}
		return nil, fmt.Errorf("there is no watchlist '%s' in %s; there are %s", alias, dir, strings.Join(aliases, ", "))
	}
}

// WatchlistFiles returns the paths of the watchlists in a folder by their aliases.
func WatchlistFiles(dir string) (map[string]string, error) {
	list, err := watchlistFiles(dir)
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, f := range list {
		if paths[f.alias] == "" { // the first counts, as for a query
			paths[f.alias] = f.path
		}
	}
	return paths, nil
}

type watchlistFile struct{ alias, path string }

// watchlistFiles lists the watchlists of a folder by their names.
func watchlistFiles(dir string) ([]watchlistFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the watchlists' folder: %w", err)
	}
	var files []watchlistFile
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || !strings.EqualFold(ext, ".csv") {
			continue
		}
		files = append(files, watchlistFile{aliasOf(strings.TrimSuffix(e.Name(), ext)), filepath.Join(dir, e.Name())})
	}
	return files, nil
}

// aliasOf returns the alias that the name of a file stands for: what no name of a file
// has on every system is written %XX.
func aliasOf(name string) string {
	if alias, err := url.PathUnescape(name); err == nil && utf8.ValidString(alias) {
		return alias
	}
	return name
}

// readWatchlist reads a file. A watchlist decides what a rule finds, so one
// that is not quite right is an error and never a part of itself.
func readWatchlist(f watchlistFile, order DateOrder) (*kql.Table, error) {
	src, err := input.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("the watchlist '%s': %w", f.alias, err)
	}
	defer src.Close()
	again := fromStart(src)
	open := func() (io.Reader, error) {
		text, _, err := contents(again())
		return &bounded{text, maxWatchlist}, err
	}
	if err = checkSize(src.Info().Size(), open); err != nil {
		return nil, fmt.Errorf("the watchlist '%s': %s: %w", f.alias, f.path, err)
	}
	t, err := watchlistTable(f, src.Info().ModTime(), open, order)
	var dates *DateOrderError
	if errors.As(err, &dates) {
		return nil, fmt.Errorf("the watchlist '%s': %s", f.alias, dates.Problem) // which names the file
	}
	if err != nil {
		return nil, fmt.Errorf("the watchlist '%s': %s: %w", f.alias, f.path, err)
	}
	return t, nil
}

// checkSize refuses a file that is too large before anything is made of it: what
// its text is taken apart into is several times as large.
func checkSize(stored int64, open func() (io.Reader, error)) error {
	if stored > maxWatchlist {
		return &input.TooLargeError{Name: "the file", Limit: maxWatchlist}
	}
	text, err := open() // which a compressed file may have more of
	if err == nil {
		_, err = io.Copy(io.Discard, text)
	}
	return err
}

// watchlistTable makes a table of a watchlist's text. It opens the text once more
// than it reads it if the items have times, whose order the text may prove.
func watchlistTable(f watchlistFile, updated time.Time, open func() (io.Reader, error), order DateOrder) (*kql.Table, error) {
	text, err := open()
	if err != nil {
		return nil, err
	}
	in := itemReader(text)
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; its first line should name the columns")
	}
	if err != nil {
		return nil, err
	}
	schema, at, err := watchlistSchema(header)
	if err != nil {
		return nil, err
	}
	hasID, hasKey := slices.Contains(at, itemID), slices.Contains(at, searchKey)
	dates := &watchlistDates{file: file{Reader: NewReader(Options{DateOrder: order}), source: source{path: f.path}}}
	if i := slices.Index(at, lastUpdated); i >= 0 {
		if err := dates.look(open, i); err != nil {
			return nil, err
		}
	}
	b := kql.NewTableBuilder(f.alias, schema)
	for items := 0; ; items++ {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return b.Build(), nil
		}
		if err != nil {
			return nil, err
		}
		if items == maxWatchlistItems {
			return nil, fmt.Errorf("the file holds more than %d items", maxWatchlistItems)
		}
		item := sha256.New()
		fmt.Fprintf(item, "%q", f.alias)
		b.SetTime(lastUpdated, updated)
		for i, cell := range cells {
			line, column := in.FieldPos(i)
			if !utf8.ValidString(cell) {
				return nil, fmt.Errorf("line %d, column %d: the text is not UTF-8", line, column)
			}
			switch {
			case at[i] != lastUpdated:
				b.SetString(at[i], []byte(cell))
			case cell != "":
				t, ok, err := dates.time(watchlistDatesOf, []byte(watchlistUpdated), []byte(cell), line)
				if err != nil {
					return nil, err
				}
				if !ok {
					return nil, fmt.Errorf("line %d, column %d: %s is not a time", line, column, excerpt([]byte(cell)))
				}
				b.SetTime(lastUpdated, t)
			default:
				b.SetText(lastUpdated, nil) // null, and not when the file was written
			}
			fmt.Fprintf(item, "%q", cell)
		}
		if !hasKey {
			b.SetString(searchKey, []byte(cells[0]))
		}
		if !hasID {
			b.SetString(itemID, []byte(hex.EncodeToString(item.Sum(nil)[:16])))
		}
		b.Commit()
	}
}

// watchlistSchema returns the columns of a watchlist and where each column of the
// file goes.
func watchlistSchema(header []string) (schema kql.Schema, at []int, err error) {
	schema = kql.Schema{{Name: watchlistID, Type: kql.String}, {Name: watchlistUpdated, Type: kql.DateTime}, {Name: watchlistSearchKey, Type: kql.String}}
	at = make([]int, 0, len(header))
	for i, name := range header {
		name = strings.TrimSpace(name)
		if plain, zone, ok := cutZone(name); ok && plain == watchlistUpdated && isUTC(zone) {
			name = plain
		}
		to := schema.Index(name)
		switch {
		case name == "":
			return nil, nil, fmt.Errorf("line 1: column %d has no name", i+1)
		case !utf8.ValidString(name):
			return nil, nil, fmt.Errorf("line 1: the name of column %d is not UTF-8", i+1)
		case slices.Contains(at, to):
			return nil, nil, fmt.Errorf("line 1: there are two columns named '%s'", name)
		case to < 0:
			to = len(schema)
			schema = append(schema, kql.ColumnSchema{Name: name, Type: kql.String})
		}
		at = append(at, to)
	}
	return schema, at, nil
}

// watchlistDates reads the times of a watchlist's items.
type watchlistDates struct{ file }

// watchlistDatesOf stands for the table: a watchlist's file has one.
var watchlistDatesOf = new(table)

// look finds what the dates of a column prove, before any of them is read.
func (d *watchlistDates) look(open func() (io.Reader, error), column int) error {
	text, err := open()
	if err != nil {
		return err
	}
	in := itemReader(text)
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			d.dates.complete = true
			return nil
		}
		if err != nil {
			return err
		}
		if len(cells[column]) > maxScalar {
			continue
		}
		if w, ok := scanTime(cells[column]); ok {
			line, _ := in.FieldPos(column)
			d.dates.column(watchlistDatesOf.name, []byte(watchlistUpdated)).note(w.proof(), line, cells[column])
		}
	}
}

// bounded reads no more than a number of bytes, and says so.
type bounded struct {
	src  io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &input.TooLargeError{Name: "the file", Limit: maxWatchlist}
	}
	return n, err
}

// itemReader reads the items of a watchlist, each of bounded size.
func itemReader(text io.Reader) *csv.Reader {
	items := &boundedItems{src: text}
	items.in = csv.NewReader(items)
	items.in.ReuseRecord = true
	return items.in
}

// boundedItems is what a CSV reader reads from. It fails once that has read much
// further than the item before.
type boundedItems struct {
	src  io.Reader
	in   *csv.Reader
	read int64
}

func (b *boundedItems) Read(p []byte) (int, error) {
	if b.read-b.in.InputOffset() > DefaultMaxLine {
		return 0, fmt.Errorf("the item that begins at byte %d is of more than %d bytes, the limit", b.in.InputOffset()+1, DefaultMaxLine)
	}
	n, err := b.src.Read(p)
	b.read += int64(n)
	return n, err
}
