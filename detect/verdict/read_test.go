package verdict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/workspace"
)

var noon = time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)

// row is a row of SecurityIncident.
type row struct {
	at                          time.Time // TimeGenerated
	modified                    time.Time // at if zero
	number                      int
	name, status, class, reason string
	created, closed             time.Time
	labels                      string
	alerts, bookmarks           []string
	noModified                  bool
}

// bench is a workspace and a ledger, and counts the queries.
type bench struct {
	t       testing.TB
	rows    []row
	raised  map[string]string // our ids by those of Sentinel's alerts
	bare    bool              // it lacks the tables
	notes   *ledger.Memory
	now     time.Time
	queries int
	texts   []string
	// answer, if set, answers the query of a number in place of the workspace.
	answer func(n int, r *http.Request) *http.Response
}

func newBench(t testing.TB) *bench {
	return &bench{t: t, now: noon, notes: ledger.NewMemory(), raised: map[string]string{}}
}

type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// ours returns the id of an alert of ours, and raise makes an alert of Sentinel for it.
func ours(n int) string { return alert.NewGUID("test", fmt.Sprint(n)) }

func (b *bench) raise(n int) string {
	id := alert.NewGUID("sentinel", fmt.Sprint(n))
	b.raised[id] = ours(n)
	return id
}

func (b *bench) tables() []*kql.Table {
	raised := kql.NewTableBuilder("SecurityAlert", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "SystemAlertId", Type: kql.String}, {Name: "ExtendedProperties", Type: kql.String}})
	for id, of := range b.raised {
		details, _ := json.Marshal(map[string][]string{"AlertId": {of}})
		extended, _ := json.Marshal(map[string]string{"Custom Details": string(details)})
		b.set(raised, stamp(b.now.Add(-time.Hour)), id, string(extended))
	}
	b.set(raised, stamp(b.now), alert.NewGUID("other"), `{"Custom Details":"{\"Other\":[\"x\"]}"}`)
	b.set(raised, stamp(b.now), alert.NewGUID("odd"), `not JSON`)
	t := kql.NewTableBuilder("SecurityIncident", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "IncidentNumber", Type: kql.Int}, {Name: "IncidentName", Type: kql.String},
		{Name: "Status", Type: kql.String}, {Name: "Classification", Type: kql.String}, {Name: "ClassificationReason", Type: kql.String}, {Name: "CreatedTime", Type: kql.DateTime},
		{Name: "ClosedTime", Type: kql.DateTime}, {Name: "LastModifiedTime", Type: kql.DateTime}, {Name: "Labels", Type: kql.Dynamic}, {Name: "AlertIds", Type: kql.Dynamic}, {Name: "BookmarkIds", Type: kql.Dynamic}})
	for _, r := range b.rows {
		if r.modified.IsZero() && !r.noModified {
			r.modified = r.at
		}
		b.set(t, stamp(r.at), fmt.Sprint(r.number), r.name, r.status, r.class, r.reason, stamp(r.created), stamp(r.closed), stamp(r.modified), r.labels, list(r.alerts), list(r.bookmarks))
	}
	return []*kql.Table{raised.Build(), t.Build()}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func list(ids []string) string {
	text, _ := json.Marshal(append([]string{}, ids...))
	return string(text)
}

func (b *bench) set(t *kql.TableBuilder, cells ...string) {
	for i, text := range cells {
		if text != "" && !t.SetText(i, []byte(text)) {
			b.t.Fatalf("bad cell %q", text)
		}
	}
	t.Commit()
}

func (b *bench) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	var tables []*kql.Table
	if !b.bare {
		tables = b.tables()
	}
	s := &service.Service{DB: kql.NewDatabase(tables...), Now: func() time.Time { return b.now }}
	c, err := workspace.New("11111111-2222-3333-4444-555555555555", token{}, workspace.Options{ClientOptions: azcore.ClientOptions{Transport: transport(func(r *http.Request) (*http.Response, error) {
		b.queries++
		if b.answer != nil {
			if answer := b.answer(b.queries, r); answer != nil {
				return answer, nil
			}
		}
		return s.Do(r)
	})}})
	if err != nil {
		return nil, err
	}
	b.texts = append(b.texts, q.Text)
	return c.Query(ctx, q)
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) Do(r *http.Request) (*http.Response, error) { return t(r) }

func (b *bench) read() error { return NewReader(b, b.notes).Read(b.t.Context(), b.now) }

func (b *bench) mustRead() {
	b.t.Helper()
	if err := b.read(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) recall() *Known {
	b.t.Helper()
	k, err := Recall(b.t.Context(), b.notes.NoteReader(), b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return k
}

// What is known of an incident is what its last row says, however it came to that.
func TestRead(t *testing.T) {
	t.Parallel()
	created, closed := noon.Add(-10*time.Hour), noon.Add(-4*time.Hour)
	base := row{at: noon.Add(-9 * time.Hour), number: 7, name: "AAAAAAAA-0000-4000-8000-000000000001", status: "New", created: created, labels: "[]"}
	with := func(change func(r *row)) row {
		r := base
		change(&r)
		return r
	}
	closing := func(class, reason string) row {
		return with(func(r *row) {
			r.at, r.status, r.class, r.reason, r.closed = closed, "Closed", class, reason, closed
		})
	}
	const name = "aaaaaaaa-0000-4000-8000-000000000001"
	want := func(class Class, reason string) *Incident {
		i := &Incident{Number: 7, Name: name, Class: class, Reason: reason, Created: created, Changed: closed, Alerts: []string{ours(1)}}
		if class != "" {
			i.Closed = closed
		}
		return i
	}
	for _, test := range []struct {
		name string
		rows []row
		want *Incident
	}{
		{"open", []row{base}, &Incident{Number: 7, Name: name, Created: created, Changed: base.at, Alerts: []string{ours(1)}}},
		{"closed as true", []row{base, closing("TruePositive", "SuspiciousActivity")}, want(TruePositive, "SuspiciousActivity")},
		{"as false", []row{base, closing("FalsePositive", "IncorrectAlertLogic")}, want(FalsePositive, "IncorrectAlertLogic")},
		{"as benign, in another spelling", []row{closing("benignpositive", "suspiciousbutexpected"), base}, want(BenignPositive, "SuspiciousButExpected")},
		{"as undetermined", []row{base, closing("Undetermined", "")}, want(Undetermined, "")},
		{"without a classification", []row{base, closing("", "")}, want(Undetermined, "")},
		{"with one that nobody knows", []row{base, closing("<b>Fine\x1b[31m", "because")}, want(Undetermined, "")},
		{"with a reason that nobody knows", []row{base, closing("FalsePositive", "because")}, want(FalsePositive, "")},
		{"opened again", []row{base, closing("BenignPositive", ""), with(func(r *row) {
			r.at, r.status, r.class, r.closed = noon.Add(-time.Hour), "Active", "BenignPositive", closed
		})},
			&Incident{Number: 7, Name: name, Created: created, Changed: noon.Add(-time.Hour), Alerts: []string{ours(1)}}},
		{"a row that came later than the next", []row{closing("TruePositive", ""), with(func(r *row) { r.at, r.modified = noon.Add(-time.Hour), noon.Add(-9*time.Hour) })}, want(TruePositive, "")},
		{"two rows of one time", []row{with(func(r *row) { r.at, r.modified = closed.Add(-time.Minute), closed }), closing("TruePositive", "")}, want(TruePositive, "")},
		{"without the time of a change", []row{with(func(r *row) { r.noModified = true })}, &Incident{Number: 7, Name: name, Created: created, Changed: base.at, Alerts: []string{ours(1)}}},
		{"without the time when it was made", []row{with(func(r *row) { r.created = time.Time{} })}, &Incident{Number: 7, Name: name, Created: base.at, Changed: base.at, Alerts: []string{ours(1)}}},
		{"with times that are none", []row{with(func(r *row) {
			r.created, r.modified = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		})}, &Incident{Number: 7, Name: name, Created: base.at, Changed: base.at, Alerts: []string{ours(1)}}},
		{"changed too long ago", []row{with(func(r *row) { r.at = noon.Add(-91 * 24 * time.Hour) })}, nil},
		{"of others", []row{with(func(r *row) { r.alerts = []string{alert.NewGUID("other"), alert.NewGUID("odd"), "none"} })}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			id := b.raise(1)
			for _, r := range test.rows {
				if r.alerts == nil {
					r.alerts = []string{alert.NewGUID("other"), id}
				}
				b.rows = append(b.rows, r)
			}
			b.mustRead()
			k := b.recall()
			if diff := cmp.Diff(test.want, k.Of(ours(1))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !k.Read.Equal(noon) || test.want != nil && k.Named(name) == nil {
				t.Errorf("read %s, by its name %v", k.Read, k.Named(name))
			}
		})
	}
}

// Incidents by the API have bookmarks with the ids of alerts. What somebody else
// bookmarked, under whatever id, is no alert.
func TestReadBookmarks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []row{{at: noon, number: 1, status: "Closed", class: "FalsePositive", created: noon.Add(-time.Hour), closed: noon,
		bookmarks: []string{strings.ToUpper(ours(1)), ours(2), ours(1), `'; drop "x`, "\u202e", "", "{" + ours(3) + "}", "urn:uuid:" + ours(4)}}}
	b.mustRead()
	k := b.recall()
	if i := k.Of(ours(1)); i == nil || i.Class != FalsePositive || len(i.Alerts) != 2 || k.Of(ours(2)) == nil || k.Of(ours(3)) != nil || k.Of(ours(4)) != nil {
		t.Errorf("%+v", i)
	}
}

// An alert is in the incident that another was merged into, or that it was moved to.
func TestMergedAndMoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, two := b.raise(1), b.raise(2)
	const redirected = `[{"labelName":"Redirected","labelType":"AutoAssigned"}]`
	early, late := noon.Add(-3*time.Hour), noon.Add(-2*time.Hour)
	b.rows = []row{
		{at: late.Add(time.Minute), number: 1, status: "Closed", class: "Undetermined", created: early, closed: late, labels: redirected, alerts: []string{one}},
		{at: late, number: 2, status: "Closed", class: "TruePositive", created: early, closed: late, alerts: []string{one}},
		{at: early, number: 3, status: "Closed", class: "FalsePositive", created: early, closed: early, alerts: []string{two}},
		{at: late, number: 4, status: "New", created: early, alerts: []string{two}},
	}
	b.mustRead()
	k := b.recall()
	if i := k.Of(ours(1)); i == nil || i.Number != 2 || i.Class != TruePositive {
		t.Errorf("merged: %+v", i)
	}
	if i := k.Of(ours(2)); i == nil || i.Number != 4 || !i.Open() {
		t.Errorf("moved: %+v", i)
	}
	b = newBench(t)
	b.rows = []row{{at: late, number: 1, name: ours(9), status: "Closed", created: early, closed: late, labels: redirected, alerts: []string{b.raise(1)}}}
	b.mustRead()
	if k := b.recall(); k.Of(ours(1)) != nil || k.Named(ours(9)) != nil {
		t.Error("what became of an alert counts that was merged into an incident which is not known")
	}
}

// It is read once a day, by whichever process, and what changed since takes the place
// of what was known.
func TestOnceADay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.raise(1)
	b.rows = []row{{at: noon, number: 1, status: "New", created: noon, alerts: []string{id}}}
	b.mustRead()
	b.rows = append(b.rows, row{at: noon.Add(time.Hour), number: 1, status: "Closed", class: "BenignPositive", created: noon, closed: noon.Add(time.Hour), alerts: []string{id}})
	for range 23 {
		b.now = b.now.Add(time.Hour)
		b.mustRead()
	}
	if b.queries != 1 || !b.recall().Of(ours(1)).Open() {
		t.Errorf("%d queries in a day", b.queries)
	}
	b.now = b.now.Add(time.Hour)
	b.mustRead()
	if i := b.recall().Of(ours(1)); b.queries != 2 || i.Class != BenignPositive {
		t.Errorf("%d queries in two days, %+v", b.queries, i)
	}
	if want := "datetime(" + noon.Add(-overlap).Format("2006-01-02T15:04:05"); !strings.Contains(b.texts[1], want) {
		t.Errorf("the second query does not ask since %s: %.200s", want, b.texts[1])
	}
	// Two processes at a time.
	b.now = b.now.Add(24 * time.Hour)
	before := b.queries
	second := &racing{Memory: b.notes, between: func() { b.mustRead() }}
	if err := NewReader(b, second).Read(t.Context(), b.now); err != nil || b.queries != before+1 {
		t.Errorf("%d queries of two processes, %v", b.queries-before, err)
	}
	// A clock that was wrong.
	b.now = b.now.Add(1000 * 24 * time.Hour)
	b.mustRead()
	b.now = b.now.Add(-1000 * 24 * time.Hour)
	before = b.queries
	if b.mustRead(); b.queries != before+1 {
		t.Error("nothing is read until the wrong time has come")
	}
}

// racing does something once, after a note was read for the first time.
type racing struct {
	*ledger.Memory
	between func()
}

func (r *racing) Note(ctx context.Context, id, name string) (string, string, error) {
	text, tag, err := r.Memory.Note(ctx, id, name)
	if between := r.between; between != nil {
		r.between = nil
		between()
	}
	return text, tag, err
}

// losing loses the answers to what is noted.
type losing struct{ *ledger.Memory }

func (l losing) SetNote(ctx context.Context, id, name, text, tag string) (string, bool, error) {
	if _, _, err := l.Memory.SetNote(ctx, id, name, text, tag); err != nil {
		return "", false, err
	}
	return l.Memory.SetNote(ctx, id, name, text, tag) // as the client tries again
}

// What is noted counts, though nobody heard that it is.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []row{{at: noon, number: 1, status: "New", created: noon, bookmarks: []string{ours(1)}}}
	if err := NewReader(b, losing{b.notes}).Read(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if k := b.recall(); k.Of(ours(1)) == nil || !k.Read.Equal(noon) {
		t.Errorf("read at %s", k.Read)
	}
}

// A workspace without Sentinel's tables has no verdicts, and that is no failure.
func TestWithoutTables(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.bare = true
	b.mustRead()
	if k := b.recall(); !k.Read.Equal(noon) {
		t.Errorf("read %s", k.Read)
	}
}

// Many incidents come page by page. A refusal in the middle ends the reading, and an
// hour later it goes on behind what it has.
func TestPages(t *testing.T) {
	t.Parallel()
	refused := func(status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"3600"}}, Body: io.NopCloser(strings.NewReader(body))}
	}
	for _, test := range []struct {
		name   string
		answer func() *http.Response
		says   string
	}{
		{"none", nil, ""},
		{"403", func() *http.Response {
			return refused(http.StatusForbidden, `{"error":{"code":"InsufficientAccessError","message":"The provided credentials have insufficient access to perform the requested operation"}}`)
		}, "insufficient access"},
		{"429", func() *http.Response {
			return refused(http.StatusTooManyRequests, `{"error":{"code":"ThrottledError","message":"Too many requests"}}`)
		}, "429"},
		{"half an answer", func() *http.Response {
			return refused(http.StatusOK, `{"tables":[{"name":"PrimaryResult","columns":[{"name":"Seen","type":"datetime"}],"rows":[["2026-03-17T0`)
		}, "reading the answer"},
		{"no incidents", func() *http.Response {
			return refused(http.StatusOK, `{"tables":[{"name":"PrimaryResult","columns":[{"name":"Seen","type":"datetime"}],"rows":[["2026-03-17T01:00:00Z"]]}]}`)
		}, "row 1 of the answer: it has no number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			const n = 2*pageSize + 100
			for i := range n {
				at := noon.Add(-time.Hour + time.Duration(i/300)*time.Second) // many of one time
				b.rows = append(b.rows, row{at: at, number: i + 1, status: "Closed", class: "BenignPositive", created: at.Add(-time.Duration(i%3) * 24 * time.Hour), closed: at, bookmarks: []string{ours(i)}})
			}
			b.answer = func(n int, _ *http.Request) *http.Response {
				if test.answer != nil && n == 2 {
					return test.answer()
				}
				return nil
			}
			err := b.read()
			if test.answer == nil {
				if err != nil || b.queries != 3 {
					t.Fatalf("%d queries, %v", b.queries, err)
				}
			} else {
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "tried again in an hour") {
					t.Fatalf("%v", err)
				}
				if k := b.recall(); !k.Read.IsZero() || k.Of(ours(0)) == nil || k.Of(ours(n-1)) != nil {
					t.Errorf("after the refusal it is read at %s", k.Read)
				}
				if b.mustRead(); b.queries != 2 {
					t.Error("it is tried again at once")
				}
				b.now = b.now.Add(again)
				if b.mustRead(); b.queries != 4 {
					t.Errorf("%d queries in all", b.queries)
				}
			}
			k := b.recall()
			for i := range n {
				if k.Of(ours(i)) == nil {
					t.Fatalf("nothing is known of alert %d", i)
				}
			}
			if !k.Read.Equal(noon) {
				t.Errorf("read at %s", k.Read)
			}
		})
	}
}

// A day's incidents have room however many they are, and one that changes later is
// changed where it is.
func TestManyOfADay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var all []Incident
	for n := range 1000 {
		all = append(all, Incident{Number: n, Name: ours(-n), Class: Undetermined, Created: noon, Changed: noon, Closed: noon, Alerts: []string{ours(2 * n), ours(2*n + 1)}})
	}
	for from := 0; from < len(all); from += 500 {
		if err := keep(t.Context(), b.notes, all[from:from+500]); err != nil {
			t.Fatal(err)
		}
	}
	for n := range all {
		if n%250 == 0 {
			all[n].Class, all[n].Changed = TruePositive, noon.Add(time.Hour)
			stale := all[n]
			stale.Class, stale.Changed = FalsePositive, noon.Add(time.Minute)
			if err := errors.Join(keep(t.Context(), b.notes, all[n:n+1]), keep(t.Context(), b.notes, []Incident{stale})); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, ok, err := (progress{Read: noon, First: noon.Truncate(day)}).save(t.Context(), b.notes, ""); !ok || err != nil {
		t.Fatal(ok, err)
	}
	k := b.recall()
	for n := range all {
		want := Undetermined
		if n%250 == 0 {
			want = TruePositive
		}
		if i := k.Of(ours(2*n + 1)); i == nil || i.Class != want {
			t.Fatalf("incident %d: %+v", n, i)
		}
	}
	list, err := sheets(t.Context(), b.notes, noon.Truncate(24*time.Hour))
	if err != nil || len(list) < 3 || len(list) > 8 {
		t.Errorf("%d notes, %v", len(list), err)
	}
}

// What is noted may be damaged: it is read anew.
func TestDamagedNotes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{progressNote, sheetNote(noon, 0)} {
		if _, ok, err := b.notes.SetNote(t.Context(), at, name, `{"incidents":[{"n":"x`, ""); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if k := b.recall(); !k.Read.IsZero() {
		t.Errorf("read at %s", k.Read)
	}
	b.rows = []row{{at: noon, number: 1, status: "New", created: noon, bookmarks: []string{ours(1)}}}
	b.mustRead()
	if b.recall().Of(ours(1)) == nil {
		t.Error("nothing is known")
	}
}
