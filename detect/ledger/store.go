package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
)

// store keeps rows by partition and key. It is all that the ledger needs of a
// table service, so that what is new and what is written is one piece of code,
// whatever keeps the rows.
type store interface {
	// get returns a row, or errMissing.
	get(ctx context.Context, partition, key string) (item, error)
	// list yields the rows of a partition with from <= key < to in the order of
	// their keys. What from is up to its first colon, all keys between are, but for the
	// directory's. Brief rows lack what can be long: an alert, activities. A row that
	// cannot be read is an error, and what comes behind it is yielded all the same.
	list(ctx context.Context, partition, from, to string, brief bool) iter.Seq2[item, error]
	// prepare readies a change for commit and says how large it is.
	prepare(partition string, c change) (change, error)
	// commit makes all of the changes, which are prepared and of different keys,
	// or none of them. Where one cannot be made it returns errExists, errChanged
	// or errMissing. Any other error leaves open whether they were made; and
	// since a store may have tried more than once, even these three may come of
	// a change that it made itself. It returns the new ETag of each change, empty
	// where it is not known.
	commit(ctx context.Context, partition string, changes ...change) (etags []string, err error)
}

// item is a row as it was read. Its value must not be modified.
type item struct {
	partition string // as the table service says it; "" in memory
	key       string
	etag      string
	row       row // nil with an error: a damaged row has only its keys
}

// as returns an item's row, which should be of one type but may have been put
// there by somebody else.
func as[R row](i item) (R, error) {
	r, ok := i.row.(R)
	if !ok {
		return r, fmt.Errorf("the row %q is not one that the ledger wrote", i.key)
	}
	return r, nil
}

// change is one operation of a transaction.
type change struct {
	verb verb
	key  string
	etag string // replace and remove only: what the row's must be; "" is any
	row  row

	wire []byte // set by prepare, for commit
	size int    // in bytes, set by prepare
}

type verb int

const (
	insert  verb = iota // fails with errExists if there is such a row
	replace             // fails with errChanged or errMissing; without an ETag it also inserts
	remove              // fails with errChanged or errMissing
)

// Why a change was not made.
var (
	errExists  = errors.New("the row exists")
	errChanged = errors.New("the row was changed meanwhile")
	errMissing = errors.New("there is no such row")
)

// rejected reports whether a transaction failed for what it holds, so that without
// some of it the rest can be made.
func rejected(err error) bool {
	var e *storageError
	return errors.As(err, &e) && (e.status == http.StatusBadRequest || e.status == http.StatusRequestEntityTooLarge)
}

// conflict reports whether a commit failed because of what the rows hold.
func conflict(err error) bool {
	return errors.Is(err, errExists) || errors.Is(err, errChanged) || errors.Is(err, errMissing)
}

// maxConflicts is how often in a row a change is tried again because the rows
// turned out to be different from what was read.
const maxConflicts = 10

// The limits of one transaction. The service takes 4 MiB; the rest is for the
// headers that surround each operation.
const (
	maxChanges = 100
	maxBytes   = 3_500_000
)
