package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/ledger/azurite"
	"pushback/detect/notify/sentinel/armtest"
)

var (
	crashRuns = flag.Int("crash.runs", defaultCrashes, "how many runs TestProcessCrashes has")
	crashSeed = flag.Uint64("crash.seed", 1, "the seed of the first of them; each other has the next")
)

// crashWorld is the binary with its ledger in Azurite, and what kills it. Each
// request that it makes of the table, of the workspace or of Sentinel, and each
// alert that it logs, is a step of it: it can be killed on both sides of any.
type crashWorld struct {
	t       testing.TB
	cloud   *cloudStandIn
	host    *functionsHost
	proxy   *azurite.Proxy
	manager *armtest.Server // of the run
	env     []string        // of the host, without the table's name
	// upgrade says that the first tick of a run is of the version before, as its
	// table looks, and goes well.
	upgrade bool

	mu      sync.Mutex
	passed  []string // the boundaries so far
	left    int      // how many to pass until the kill; negative for none
	killed  string   // the boundary at which it was
	killing int      // the process, once it was
}

// crashTicks are the ticks of a run. The second catches up on a missed window, and
// in the one after that both shipped rules find the same attack.
var crashTicks = []time.Time{at(17, 5), at(19, 5)}

func newCrashWorld(t testing.TB) *crashWorld {
	t.Helper()
	w := &crashWorld{t: t, cloud: newCloud(t), left: -1}
	w.proxy = azurite.NewProxy(t, func(r *http.Request) *azurite.Fault {
		name := requestName(r)
		if w.pass("before " + name) {
			return &azurite.Fault{Name: "killed", Hit: w.kill}
		}
		if w.pass("after " + name) {
			return &azurite.Fault{Name: "killed", After: true, Hit: w.kill}
		}
		return nil
	})
	w.cloud.fault = func(int, http.ResponseWriter, *http.Request) bool {
		if w.pass("before the query") {
			w.kill()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	w.manager = &armtest.Server{Workspace: standInSentinel, Token: standInToken, Fault: w.atSentinel}
	w.cloud.arm = func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		m := w.manager
		w.mu.Unlock()
		m.ServeHTTP(rw, r)
	}
	w.host = startHost(t, w.cloud, map[string]string{
		"PUSHBACK_TABLE_CONNECTION":   azurite.Connection(w.proxy.Addr),
		"PUSHBACK_SENTINEL_WORKSPACE": standInSentinel,
	})
	w.host.stop()
	w.env = w.host.env
	return w
}

// atSentinel kills the process at a call of Sentinel, if it is to be.
func (w *crashWorld) atSentinel(call string) armtest.Fault {
	if w.pass("before Sentinel's " + call) {
		w.kill()
		return armtest.Fault{Before: armtest.Cut}
	}
	if w.pass("after Sentinel's " + call) {
		w.kill()
		return armtest.Fault{After: armtest.Cut}
	}
	return armtest.Fault{}
}

// pass notes that the process comes to a boundary, and reports whether it is to
// be killed there.
func (w *crashWorld) pass(boundary string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passed = append(w.passed, boundary)
	w.left--
	if w.left != -1 {
		w.left = max(w.left, -2)
		return false
	}
	w.killed = boundary
	return true
}

// arm has the process be killed after so many boundaries, or not if negative.
func (w *crashWorld) arm(left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.killed, w.killing = left, "", 0
	if left < 0 {
		w.left = -2
	}
}

// kill ends the process as nothing can be ended gently.
func (w *crashWorld) kill() {
	for {
		p := w.host.process.Load()
		if p == nil { // it is being started
			time.Sleep(time.Millisecond)
			continue
		}
		if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.killing = p.Pid
		return
	}
}

// crashed says where the process was killed, if it was, and whether it is the
// current one. The host starts one that is killed while it starts again.
func (w *crashWorld) crashed() (boundary string, current bool) {
	for {
		w.mu.Lock()
		boundary, killing := w.killed, w.killing
		w.mu.Unlock()
		if boundary == "" {
			return "", false
		}
		if killing != 0 {
			return boundary, killing == w.host.process.Load().Pid
		}
		time.Sleep(time.Millisecond) // it is about to be
	}
}

// post invokes the function as the host does. It may die of it.
func (w *crashWorld) post(now time.Time) (status int, body string, err error) {
	w.cloud.setNow(now)
	resp, err := w.host.client.Post(w.host.url+functionPath, "application/json; charset=utf-8", strings.NewReader(timerBody(now, 0)))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// crashRun is what came of a run.
type crashRun struct {
	reported   []logLine
	boundaries []string // all that it passed
	killedAt   []string
	// doubtful counts, by alert, the crashes after it was sent and before that
	// was noted.
	doubtful map[string]int
	// incidents lists the bookmarks of each incident, and bookmarks and comments
	// count all there are.
	incidents           map[string][]string
	bookmarks, comments int
}

// run starts the process with an empty ledger, ticks until nothing is owed, and
// kills it on the way. It does so the first time after kills[0] boundaries,
// then after kills[1] more, and so on.
func (w *crashWorld) run(kills []int) *crashRun {
	table := newLedgerTable(w.t)
	w.host.env = append(slices.Clone(w.env), "PUSHBACK_TABLE_NAME="+table.name)
	r := &crashRun{doubtful: map[string]int{}, incidents: map[string][]string{}}
	w.manager = &armtest.Server{Workspace: standInSentinel, Token: standInToken, Fault: w.atSentinel}
	w.mu.Lock()
	w.passed = nil
	w.mu.Unlock()
	arm := func() {
		left := -1
		if n := len(r.killedAt); n < len(kills) {
			left = kills[n]
		}
		w.arm(left)
	}
	start := func() {
		w.host.stdout = &outputBuffer{wrote: func(p []byte) {
			if isAlertLine(p) && w.pass("after logging an alert") {
				w.kill()
			}
		}}
		w.host.start()
	}
	// ended notes what the process that ended had logged.
	ended := func(crash bool) {
		reported := alertLines(w.t, w.host.stdout.String())
		r.reported = append(r.reported, reported...)
		if !crash {
			return
		}
		owed, inDoubt := table.outbox("log"), 0
		for _, a := range reported {
			if owed[a.ID] {
				r.doubtful[a.ID]++
				inDoubt++
			}
		}
		if inDoubt > 1 {
			w.t.Errorf("one crash leaves %d alerts sent but not noted", inDoubt)
		}
	}
	// recover starts the process again if it was killed.
	recover := func() bool {
		boundary, current := w.crashed()
		if boundary == "" {
			return false
		}
		r.killedAt = append(r.killedAt, boundary)
		if current {
			select {
			case <-w.host.exited:
			case <-time.After(time.Minute):
				w.t.Fatal("the process outlives SIGKILL")
			}
			ended(true)
			table.endLeases()
			arm()
			start()
		} else {
			table.endLeases()
			arm()
		}
		return true
	}

	first := 0
	if w.upgrade {
		w.arm(-1)
		start()
		if status, body, err := w.post(crashTicks[0]); err != nil || status != http.StatusOK {
			w.t.Fatalf("the tick of the version before: %d %s %v", status, body, err)
		}
		w.host.stop()
		ended(false)
		table.downgrade()
		w.mu.Lock()
		w.passed = nil
		w.mu.Unlock()
		first = 1
	}
	arm()
	start()
	now := crashTicks[first]
	for i := first; ; {
		for recover() {
		}
		if i == len(crashTicks)+12 {
			w.t.Fatalf("alerts are owed after %d ticks", i)
		}
		status, body, err := w.post(now)
		if boundary, _ := w.crashed(); boundary != "" {
			continue // the same tick again: the host did not get an answer
		}
		if err != nil || status != http.StatusOK {
			w.t.Fatalf("tick at %s: %d %s %v", now.Format("15:04"), status, body, err)
		}
		if i++; i < len(crashTicks) {
			now = crashTicks[i]
			continue
		}
		if len(table.outbox()) == 0 && strings.Contains(body, `"windows":[]`) {
			break
		}
		now = now.Add(5 * time.Minute)
	}
	w.arm(-1)
	w.host.stop()
	ended(false)
	w.mu.Lock()
	defer w.mu.Unlock()
	r.boundaries = slices.Clone(w.passed)
	if problems := w.manager.Problems(); len(problems) > 0 {
		w.t.Errorf("Sentinel was called wrongly: %q", problems)
	}
	for _, i := range w.manager.Incidents() {
		r.incidents[i.ID] = slices.Sorted(maps.Keys(i.Relations))
		r.comments += len(i.Comments)
	}
	r.bookmarks = len(w.manager.Bookmarks())
	return r
}

// contents returns what the incidents hold.
func contents(incidents map[string][]string) []string {
	var list []string
	for _, bookmarks := range incidents {
		list = append(list, strings.Join(bookmarks, " "))
	}
	slices.Sort(list)
	return list
}

// updatesOf returns what each alert updates, by their ids.
func updatesOf(alerts []logLine) map[string]string {
	list := map[string]string{}
	for _, a := range alerts {
		if a.UpdateOf != "" {
			list[a.ID] = a.UpdateOf
		}
	}
	return list
}

// check compares a run with one in which nothing happened. It returns how many
// alerts were sent again.
func (r *crashRun) check(t testing.TB, undisturbed *crashRun) (lost, repeats int) {
	t.Helper()
	count := map[string]int{}
	for _, a := range r.reported {
		count[a.ID]++
	}
	for _, id := range ids(undisturbed.reported) {
		if count[id] == 0 {
			lost++
			t.Errorf("alert %s is lost", id)
		}
	}
	for id, n := range count {
		repeats += n - 1
		if n > 1+r.doubtful[id] {
			t.Errorf("alert %s is sent %d times, though %d crashes came between sending and noting it", id, n, r.doubtful[id])
		}
	}
	if repeats > len(r.killedAt) {
		t.Errorf("%d repeats with %d crashes", repeats, len(r.killedAt))
	}
	if diff := cmp.Diff(ids(undisturbed.reported), slices.Sorted(maps.Keys(count))); diff != "" {
		t.Errorf("alerts (-undisturbed +crashed):\n%s", diff)
	}
	// What both rules found is an update of what one of them found.
	if diff := cmp.Diff(updatesOf(undisturbed.reported), updatesOf(r.reported)); diff != "" {
		t.Errorf("alerts with what they update (-undisturbed +crashed):\n%s", diff)
	}
	// A destination with ids of its own has everything once, whatever happened.
	// Which alert of a story begins its incident, and so gives it its id, may be
	// another after a crash, for two rules share one.
	if diff := cmp.Diff(contents(undisturbed.incidents), contents(r.incidents)); diff != "" {
		t.Errorf("incidents with their bookmarks (-undisturbed +crashed):\n%s", diff)
	}
	if r.bookmarks != undisturbed.bookmarks || r.comments != undisturbed.comments {
		t.Errorf("%d bookmarks and %d comments, want %d and %d", r.bookmarks, r.comments, undisturbed.bookmarks, undisturbed.comments)
	}
	checkNews(t, r.reported)
	return lost, repeats
}

// crashOrder is the order in which runs have their first crash at the boundaries
// of an undisturbed one: first one of each kind.
func crashOrder(boundaries []string, rng *rand.Rand) []int {
	var first, rest []int
	known := map[string]bool{}
	for _, i := range rng.Perm(len(boundaries)) {
		if known[boundaries[i]] {
			rest = append(rest, i)
		} else {
			known[boundaries[i]] = true
			first = append(first, i)
		}
	}
	return append(first, rest...)
}

// TestProcessCrashes kills the binary with SIGKILL at the boundaries between
// the steps of its ticks and starts it again. It expects every alert to be
// sent, and again only after a crash between its sending and the note of that.
func TestProcessCrashes(t *testing.T) {
	t.Parallel()
	processCrashes(t, *crashRuns, false)
}

// TestProcessUpgradeCrashes does the same with a ledger that the version before has
// used in the tick before.
func TestProcessUpgradeCrashes(t *testing.T) {
	t.Parallel()
	processCrashes(t, (*crashRuns+3)/4, true)
}

func processCrashes(t *testing.T, runs int, upgrade bool) {
	world := func(t *testing.T) *crashWorld {
		w := newCrashWorld(t)
		w.upgrade = upgrade
		return w
	}
	undisturbed := world(t).run(nil)
	if n := len(undisturbed.reported); n < 4 || n != len(slices.Compact(ids(undisturbed.reported))) {
		t.Fatalf("without a crash %d alerts are sent: %v", n, ids(undisturbed.reported))
	}
	if n := len(undisturbed.reported); undisturbed.bookmarks != n || undisturbed.comments != n || len(undisturbed.incidents) == 0 {
		t.Fatalf("without a crash %d alerts have %d incidents, %d bookmarks and %d comments", n, len(undisturbed.incidents), undisturbed.bookmarks, undisturbed.comments)
	}
	if len(updatesOf(undisturbed.reported)) == 0 {
		t.Fatal("the two rules find nothing that is the same")
	}
	order := crashOrder(undisturbed.boundaries, rand.New(rand.NewPCG(*crashSeed, 0)))

	var mu sync.Mutex
	var crashes, inDoubt, reported, lost, repeats int
	at := map[string]int{}
	reached := min(runs, len(order)) // boundaries of an undisturbed run with a crash of their own
	t.Run("runs", func(t *testing.T) {
		const workers = 4
		for worker := range workers {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				w := world(t)
				for i := worker; i < runs; i += workers {
					seed := *crashSeed + uint64(i)
					rng := rand.New(rand.NewPCG(seed, 1))
					kills := []int{order[i%len(order)]}
					for range rng.IntN(3) {
						kills = append(kills, rng.IntN(len(undisturbed.boundaries)))
					}
					r := w.run(kills)
					l, again := r.check(t, undisturbed)
					if len(r.killedAt) == 0 {
						t.Error("it was not killed")
					}
					if t.Failed() {
						t.Fatalf("seed %d: killed %s", seed, strings.Join(r.killedAt, ", "))
					}
					mu.Lock()
					crashes, reported, lost, repeats = crashes+len(r.killedAt), reported+len(r.reported)-again, lost+l, repeats+again
					for _, n := range r.doubtful {
						inDoubt += n
					}
					for _, boundary := range r.killedAt {
						at[boundary]++
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d runs with the seeds from %d, the first crash at %d of the %d boundaries of a run: %d crashes, %d of them between the sending of an alert and the note of it; %d alerts reported, %d lost, %d sent again; no incident, bookmark or comment too many or too few",
		runs, *crashSeed, reached, len(order), crashes, inDoubt, reported, lost, repeats)
	for _, boundary := range slices.Sorted(maps.Keys(at)) {
		t.Logf("%4d killed %s", at[boundary], boundary)
	}
	if inDoubt == 0 && runs >= 40 {
		t.Error("no crash came between a sending and its note: the test does not test that")
	}
}
