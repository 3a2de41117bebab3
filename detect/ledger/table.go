package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"pushback/detect/transport"
)

// Options says where a ledger's table is and how long it remembers.
type Options struct {
	// Endpoint is the table service of a storage account, such as
	// https://account.table.core.windows.net, and Credential the identity that
	// may use it (its role: Storage Table Data Contributor).
	Endpoint   string
	Credential azcore.TokenCredential
	// ConnectionString is used instead of both if it is set. It can be
	// UseDevelopmentStorage=true, for the emulator on this machine.
	ConnectionString string
	// Suffix is the end of the domain of the storage account where the connection
	// string names none, [DefaultSuffix] if empty. Each cloud has its own.
	Suffix string
	// Table is the table's name, [DefaultTable] if empty.
	Table string
	// SeenRetention is how long what was reported is kept, no shorter than
	// [MinSeenRetention] of every rule; SentRetention is how long what was sent
	// is kept for the audit. If zero they are [DefaultSeenRetention] and
	// [DefaultSentRetention].
	SeenRetention, SentRetention time.Duration
	// Clock is time.Now if nil.
	Clock func() time.Time
	// ClientOptions are for the table service's client. Fields of Retry that
	// are zero are set to what suits a tick.
	ClientOptions policy.ClientOptions
}

// What Options means where it is empty.
const (
	DefaultTable         = "pushback"
	DefaultSuffix        = "core.windows.net"
	DefaultSeenRetention = 30 * 24 * time.Hour
	DefaultSentRetention = 90 * 24 * time.Hour
)

// MinSeenRetention returns how long what a rule reported must be kept: until
// no run of a window can return the same row again.
func MinSeenRetention(queryPeriod, lateness, catchUp time.Duration) time.Duration {
	return queryPeriod + lateness + catchUp
}

// The retries of one request. What fails for longer fails the tick, and the
// next one goes on where it stopped. A Retry-After is honoured up to the
// longest delay; when the service wants to be left alone for longer, the
// request fails at once.
const (
	tries         = 4
	tryTimeout    = 5 * time.Second
	retryDelay    = 250 * time.Millisecond
	maxRetryDelay = 5 * time.Second
)

// Table is a ledger in Azure Table Storage. Several processes can use one table.
// It has to be there: only Make makes it. Without it every method returns
// [ErrNoTable], for a table that is made anew knows nothing of what was reported.
type Table struct{ *Ledger }

// ErrNoTable says that the ledger's table does not exist.
var ErrNoTable = errors.New("the ledger's table does not exist")

var tableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`) })

// Open returns the ledger in a table. It checks the options but sends nothing;
// see Check.
func Open(o Options) (*Table, error) {
	if o.Table == "" {
		o.Table = DefaultTable
	}
	if !tableName().MatchString(o.Table) || strings.EqualFold(o.Table, "tables") {
		return nil, fmt.Errorf("ledger: %q cannot be the name of a table: it takes 3 to 63 letters and digits, a letter first, and not \"tables\"", o.Table)
	}
	if o.SeenRetention == 0 {
		o.SeenRetention = DefaultSeenRetention
	}
	if o.SentRetention == 0 {
		o.SentRetention = DefaultSentRetention
	}
	if o.SeenRetention < 0 || o.SentRetention < 0 {
		return nil, errors.New("ledger: a retention cannot be negative")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	retry := &o.ClientOptions.Retry
	if retry.MaxRetries == 0 {
		retry.MaxRetries = tries - 1
	}
	if retry.TryTimeout == 0 {
		retry.TryTimeout = tryTimeout
	}
	if retry.RetryDelay == 0 {
		retry.RetryDelay = retryDelay
	}
	if retry.MaxRetryDelay == 0 {
		retry.MaxRetryDelay = maxRetryDelay
	}
	client, host, err := o.client()
	if err != nil {
		return nil, err
	}
	l := newLedger(&tableStore{client: client, name: o.Table, host: host, retry: *retry})
	l.clock, l.seenFor, l.sentFor = o.Clock, o.SeenRetention, o.SentRetention
	return &Table{l}, nil
}

// mostAnswer is how many bytes of an answer are read. The service ends a page
// before it has 4 MiB; the emulator by the number of rows, which are smaller.
const mostAnswer = 32 << 20

// mostListed is how many bytes of rows are read at once, over all pages: a service
// that always has another page would fill the memory.
const mostListed = 512 << 20

// client returns the client of the table, and the host that it talks to.
func (o Options) client() (*aztables.Client, string, error) {
	options := &aztables.ClientOptions{ClientOptions: o.ClientOptions}
	options.Transport = transport.Bounded(options.Transport, transport.Limits{Service: "the table service", Answer: mostAnswer})
	var service *aztables.ServiceClient
	endpoint := o.Endpoint
	if o.ConnectionString != "" {
		c, err := parseConnection(o.ConnectionString, o.Suffix)
		if err != nil {
			return nil, "", fmt.Errorf("ledger: the connection string of the table: %w", err)
		}
		endpoint = c.endpoint
		if c.key != nil {
			service, err = aztables.NewServiceClientWithSharedKey(endpoint, c.key, options)
		} else {
			service, err = aztables.NewServiceClientWithNoCredential(endpoint, options)
		}
		if err != nil {
			return nil, "", errors.New("ledger: the connection string of the table is not valid")
		}
	} else {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, "", errors.New("ledger: the table endpoint must be an address such as https://account.table.core.windows.net, with nothing after it")
		}
		if o.Credential == nil {
			return nil, "", errors.New("ledger: the table endpoint needs an identity")
		}
		if service, err = aztables.NewServiceClient(strings.TrimSuffix(endpoint, "/"), o.Credential, options); err != nil {
			return nil, "", fmt.Errorf("ledger: the table endpoint: %w", err)
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, "", errors.New("ledger: the table endpoint is not an address")
	}
	return service.NewClient(o.Table), u.Host, nil
}

// Make makes the table if there is none, and reports whether it did.
func (t *Table) Make(ctx context.Context) (made bool, err error) {
	s, ok := t.store.(*tableStore)
	if !ok {
		return false, errors.New("ledger: it is not in a table")
	}
	if made, err = s.create(ctx); err != nil {
		return false, fmt.Errorf("ledger: %w", err)
	}
	return made, nil
}

// Readable makes sure that the table is there, can be reached and read, and is of a
// format that we know. It writes nothing.
func (t *Table) Readable(ctx context.Context) error {
	_, _, err := t.format(ctx)
	return err
}

// Check makes sure that the table can be reached and written, and is of a format
// that we know.
func (t *Table) Check(ctx context.Context) error {
	if _, _, err := t.format(ctx); err != nil {
		return err
	}
	c, err := t.store.prepare("check", change{verb: replace, key: purgeKey, row: &purgeRow{at: t.now()}})
	if err == nil {
		_, err = t.store.commit(ctx, "check", c)
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// tableStore is a store in Table Storage.
type tableStore struct {
	client *aztables.Client
	name   string
	host   string // for errors
	retry  policy.RetryOptions
}

func (s *tableStore) get(ctx context.Context, partition, key string) (item, error) {
	answer, err := s.client.GetEntity(ctx, partition, key, nil)
	if err != nil {
		return item{}, s.wrap("reading", err)
	}
	i, err := decodeItem(answer.Value, false)
	if err == nil && (i.partition != partition || i.key != key) {
		err = fmt.Errorf("reading table %q at %s: the answer is the row %q of partition %q, and not %q of %q", s.name, s.host, i.key, i.partition, key, partition)
	}
	i.etag = string(answer.ETag)
	return i, err
}

// briefNames are all properties of all rows but the long ones.
var briefNames = []string{
	"PartitionKey", "RowKey", "RuleID", "Format", "Watermark", "At", "AlertID", "Part", "Parts", "Suppressed", "Seq", "Recorded",
	"RuleName", "Title", "Severity", "Created", "Address", "To", "To_2", "To_3", "To_4",
}

var briefProperties = strings.Join(append(slices.Clone(briefNames), sumBrief), ",")

// list asks for page after page, as long as the caller wants rows.
func (s *tableStore) list(ctx context.Context, partition, from, end string, brief bool) iter.Seq2[item, error] {
	// Keys hold no quote; see escape.
	filter := fmt.Sprintf("PartitionKey eq '%s' and RowKey ge '%s' and RowKey lt '%s'", partition, from, end)
	options := aztables.ListEntitiesOptions{Filter: &filter}
	switch {
	case brief:
		options.Select = &briefProperties
	case partition == directory: // whose rows are small, and whose ETags matter
		options.Format = to.Ptr(aztables.MetadataFormatFull)
	default:
		options.Top = to32(firstPage)
	}
	return func(yield func(item, error) bool) {
		options := options // each use of the iterator begins anew
		size, last := 0, ""
		for {
			var answer *http.Response
			page, err := s.client.NewListEntitiesPager(&options).NextPage(policy.WithCaptureResponse(ctx, &answer))
			if err == nil && len(page.Entities) == 0 {
				err = checkList(answer)
			}
			if err != nil {
				yield(item{}, s.wrap("reading", err))
				return
			}
			for _, e := range page.Entities {
				if size += len(e); size > mostListed {
					yield(item{}, fmt.Errorf("reading table %q at %s: what was asked for takes more than %d MiB, the limit: is it the ledger's table?", s.name, s.host, mostListed>>20))
					return
				}
				i, err := decodeItem(e, brief)
				if err == nil && (i.partition != partition || i.key < from || i.key >= end || i.key <= last) {
					yield(item{}, fmt.Errorf("reading table %q at %s: the answer has the row %q of partition %q out of its place", s.name, s.host, i.key, i.partition))
					return
				}
				last = max(last, i.key)
				if !yield(i, err) {
					return
				}
			}
			if page.NextPartitionKey == nil || *page.NextPartitionKey == "" {
				return
			}
			options.NextPartitionKey, options.NextRowKey = page.NextPartitionKey, page.NextRowKey
			if options.Top != nil {
				options.Top = to32(pageOf(page.Entities))
			}
		}
	}
}

// The entities of a page that is read whole. A row can have a megabyte, and a page
// is in memory at once: so a first page says how large the rows are.
const (
	firstPage = 20
	mostPage  = 1000 // which the service gives at most
	leastPage = 10
	pageBytes = 1 << 20
)

// pageOf returns how many entities the next page may have.
func pageOf(entities [][]byte) int {
	size := 0
	for _, e := range entities {
		size += len(e)
	}
	if size == 0 {
		return firstPage
	}
	return min(max(pageBytes*len(entities)/size, leastPage), mostPage)
}

func to32(n int) *int32 { return to.Ptr(int32(n)) }

// checkList returns an error if an answer without entities is none to a list.
func checkList(answer *http.Response) error {
	var list struct {
		Value *json.RawMessage `json:"value"`
	}
	body, err := runtime.Payload(answer)
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err == nil && list.Value == nil {
		err = errors.New("the answer is no list of entities")
	}
	return err
}

// operationBytes is what surrounds an entity in a transaction: the lines of its
// request, with the keys in the address.
const operationBytes = 1500

func (s *tableStore) prepare(partition string, c change) (change, error) {
	entity := map[string]any{}
	if c.verb != remove {
		var err error
		if entity, err = encodeRow(c.row); err != nil {
			return c, fmt.Errorf("row %q: %w", c.key, err)
		}
	}
	entity["PartitionKey"], entity["RowKey"] = partition, c.key
	if c.verb != remove {
		putSums(entity)
	}
	wire, err := json.Marshal(entity)
	if err != nil {
		return c, fmt.Errorf("row %q: %w", c.key, err)
	}
	c.wire, c.size = wire, len(wire)+operationBytes
	return c, nil
}

func (s *tableStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	for try := 1; ; try++ {
		etags, err := s.submit(ctx, partition, changes)
		if err == nil {
			return etags, nil
		}
		err = s.wrap("writing", err)
		if !insideBusy(err) || try == tries {
			return nil, err
		}
		// The SDK sees that the transaction was accepted, not that it then failed
		// inside.
		if err := s.pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

// pause waits before another try.
func (s *tableStore) pause(ctx context.Context, try int) error {
	return transport.Sleep(ctx, min(s.retry.RetryDelay<<try, s.retry.MaxRetryDelay))
}

// create makes the table, and reports false if there is one.
func (s *tableStore) create(ctx context.Context) (made bool, err error) {
	if _, err = s.client.CreateTable(ctx, nil); err == nil {
		return true, nil
	}
	err = s.wrap("making", err)
	if e := (*storageError)(nil); errors.As(err, &e) && e.code == string(aztables.TableAlreadyExists) {
		return false, nil
	}
	return false, err
}

func (s *tableStore) submit(ctx context.Context, partition string, changes []change) ([]string, error) {
	if len(changes) == 1 {
		etag, err := s.submitOne(ctx, partition, changes[0])
		return []string{etag}, err
	}
	actions := make([]aztables.TransactionAction, len(changes))
	for i, c := range changes {
		a := aztables.TransactionAction{Entity: c.wire}
		if c.etag != "" {
			a.IfMatch = to.Ptr(azcore.ETag(c.etag))
		}
		switch {
		case c.verb == insert:
			a.ActionType = aztables.TransactionTypeAdd
		case c.verb == remove:
			a.ActionType = aztables.TransactionTypeDelete
		case c.etag == "":
			a.ActionType = aztables.TransactionTypeInsertReplace
		default:
			a.ActionType = aztables.TransactionTypeUpdateReplace
		}
		actions[i] = a
	}
	var answer *http.Response
	if _, err := s.client.SubmitTransaction(policy.WithCaptureResponse(ctx, &answer), actions, nil); err != nil {
		return nil, err
	}
	return etagsOf(answer, len(changes)), nil
}

// etagLine finds what each operation of a transaction says of its row.
var etagLine = regexp.MustCompile(`(?im)^(HTTP/1\.[01] 2\d\d|ETag:[ \t]*(\S+))`)

// etagsOf returns the new ETags of a transaction's rows from the answer to it, which
// the SDK does not give. Those that it does not say are empty.
func etagsOf(answer *http.Response, changes int) []string {
	etags := make([]string, changes)
	if answer == nil {
		return etags
	}
	body, err := runtime.Payload(answer)
	if err != nil {
		return etags
	}
	operation := -1
	for _, m := range etagLine.FindAllSubmatch(body, -1) {
		switch {
		case m[2] == nil:
			operation++
		case operation >= 0 && operation < changes:
			etags[operation] = string(m[2])
		}
	}
	if operation != changes-1 { // not an answer to what was asked
		clear(etags)
	}
	return etags
}

func (s *tableStore) submitOne(ctx context.Context, partition string, c change) (string, error) {
	etag := azcore.ETag(c.etag)
	switch {
	case c.verb == insert:
		answer, err := s.client.AddEntity(ctx, c.wire, nil)
		return string(answer.ETag), err
	case c.verb == remove && c.etag == "":
		_, err := s.client.DeleteEntity(ctx, partition, c.key, nil)
		return "", err
	case c.verb == remove:
		_, err := s.client.DeleteEntity(ctx, partition, c.key, &aztables.DeleteEntityOptions{IfMatch: &etag})
		return "", err
	case c.etag == "":
		answer, err := s.client.UpsertEntity(ctx, c.wire, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
		return string(answer.ETag), err
	}
	answer, err := s.client.UpdateEntity(ctx, c.wire, &aztables.UpdateEntityOptions{IfMatch: &etag, UpdateMode: aztables.UpdateModeReplace})
	return string(answer.ETag), err
}

// insideBusy reports whether a transaction failed, inside an answer that
// accepted it, for want of time or of the service's health.
func insideBusy(err error) bool {
	var e *storageError
	if !errors.As(err, &e) || !e.inside {
		return false
	}
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
