package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"pushback/detect/alert"
)

// steppedStore calls before at each operation, and says after it what became of it.
type steppedStore struct {
	store
	// before, if set, is called with the number of the operation.
	before func(step int) error
	// after, if set, replaces its outcome.
	after func(step int) error
	steps int
}

func (s *steppedStore) step(do func()) error {
	s.steps++
	step := s.steps
	if s.before != nil {
		if err := s.before(step); err != nil {
			return err
		}
	}
	do()
	if s.after != nil {
		return s.after(step)
	}
	return nil
}

func (s *steppedStore) get(ctx context.Context, partition, key string) (i item, err error) {
	if down := s.step(func() { i, err = s.store.get(ctx, partition, key) }); down != nil {
		return item{}, down
	}
	return i, err
}

func (s *steppedStore) list(ctx context.Context, partition, from, to string, brief bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		var items []item
		var errs []error
		down := s.step(func() {
			for i, err := range s.store.list(ctx, partition, from, to, brief) {
				items, errs = append(items, i), append(errs, err)
			}
		})
		if down != nil {
			yield(item{}, down)
			return
		}
		for k := range items {
			if !yield(items[k], errs[k]) {
				return
			}
		}
	}
}

func (s *steppedStore) commit(ctx context.Context, partition string, changes ...change) (etags []string, err error) {
	if down := s.step(func() { etags, err = s.store.commit(ctx, partition, changes...) }); down != nil {
		return nil, down
	}
	return etags, err
}

var errCrashed = errors.New("the process has crashed")

// crashAt returns a store of a process that crashes at a step: before it is done or
// after that, and before the answer.
func crashAt(whole store, at int, done bool) *steppedStore {
	s := &steppedStore{store: whole}
	crash := func(from int) func(int) error {
		return func(step int) error {
			if step >= from {
				return errCrashed
			}
			return nil
		}
	}
	if done {
		s.before, s.after = crash(at+1), crash(at)
	} else {
		s.before = crash(at)
	}
	return s
}

// steppedTown is a town whose first ticks went well, and in which more happened.
func steppedTown(t *testing.T, c *testClock, more int) (w *town, whole store) {
	t.Helper()
	w, whole = newTown(), NewMemory().store
	for range 2 {
		w.happen(4)
		if err := w.tick(t.Context(), memoryAt(whole, c), c.add(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	w.happen(more)
	return w, whole
}

// settle ticks until all is over, and expects that nothing is lost or repeated, and
// that in the end no rule is said to owe anything.
func (w *town) settle(t *testing.T, whole store, c *testClock) {
	t.Helper()
	for range 3 {
		if err := w.tick(t.Context(), memoryAt(whole, c), c.add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	l := memoryAt(whole, c) // one process, so that it can be sure
	for range 3 {
		if err := w.tick(t.Context(), l, c.add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	w.check(t)
	for _, d := range townDestinations {
		checkOwed(t, l, d)
	}
	if owing, err := memoryAt(whole, c).Rules(t.Context()); err != nil || len(owing) > 0 {
		t.Errorf("%q are still said to owe something, %v", owing, err)
	}
}

// TestCrashAtEachStep has a process crash at each step of a tick, on both sides.
func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		for at := 1; ; at++ {
			if at > 60 { // of the deliveries, which are alike, some
				at += 40
			}
			c := &testClock{t: noon}
			w, whole := steppedTown(t, c, 2*3*60) // more than a transaction takes
			l := memoryAt(crashAt(whole, at, done), c)
			err := w.tick(t.Context(), l, c.add(2*time.Minute))
			w.settle(t, whole, c)
			if t.Failed() {
				t.Fatalf("crashed at step %d, done is %v", at, done)
			}
			if err == nil {
				if at < 20 {
					t.Errorf("a tick has %d steps", at)
				}
				break
			}
		}
	}
}

// TestPauseAtEachStep has a process pause at each step of the part of a tick in which
// it has leases, for longer than these last. Another process runs a whole tick
// meanwhile, or crashes in it at any of its steps.
func TestPauseAtEachStep(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		more    int
		crashes bool
	}{{4, true}, {2 * 3 * 60, false}} {
		t.Run(fmt.Sprint(test.more, " activities"), func(t *testing.T) {
			t.Parallel()
			pauseAtEachStep(t, test.more, test.crashes)
		})
	}
}

func pauseAtEachStep(t *testing.T, more int, crashes bool) {
	for pause := 1; ; pause++ {
		for crash := 1; ; crash++ {
			if !crashes {
				crash = 1 << 20
			}
			c := &testClock{t: noon}
			w, whole := steppedTown(t, c, more)
			paused := &steppedStore{store: whole}
			l := memoryAt(paused, c)
			if err := l.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			var other error
			reached := false
			base := paused.steps
			paused.before = func(step int) error {
				if step == base+pause {
					reached = true
					w.happen(2)
					other = w.tick(t.Context(), memoryAt(crashAt(whole, crash, crash%2 == 0), c), c.add(time.Hour))
				}
				return nil
			}
			err := w.record(t.Context(), l, c.now())
			paused.before = nil
			if err != nil && !errors.As(err, new(*LeasedError)) {
				t.Fatalf("paused at step %d: %v", pause, err)
			}
			w.settle(t, whole, c)
			if t.Failed() {
				t.Fatalf("paused at step %d, the other crashed at its step %d: %v", pause, crash, other)
			}
			if !reached {
				if pause < 10 {
					t.Errorf("it has leases for %d steps", pause)
				}
				return
			}
			if other == nil {
				break
			}
		}
	}
}

// TestResumeAtEachStep has a process pause at each step, for longer than its leases
// last, and go on while another is at any step of its own tick. That one finds the
// same, or nothing, as where it runs another window.
func TestResumeAtEachStep(t *testing.T) {
	t.Parallel()
	for _, blind := range []bool{false, true} {
		t.Run(fmt.Sprint("the other finds nothing: ", blind), func(t *testing.T) {
			t.Parallel()
			for pause := 1; ; pause++ {
				for resume := 1; ; resume++ {
					c := &testClock{t: noon}
					w, whole := steppedTown(t, c, 4)
					reached, resumed := resumeAt(t, w, whole, c, blind, pause, resume)
					w.settle(t, whole, c)
					if t.Failed() {
						t.Fatalf("paused at step %d, and went on before step %d of the other", pause, resume)
					}
					if !reached {
						if pause < 10 {
							t.Errorf("it has leases for %d steps", pause)
						}
						return
					}
					if !resumed {
						break
					}
				}
			}
		})
	}
}

// resumeAt pauses a process before a step, and has it go on before a step of the
// ticks of another. It reports whether there are these steps.
func resumeAt(t *testing.T, w *town, whole store, c *testClock, blind bool, pause, resume int) (reached, resumed bool) {
	t.Helper()
	stepped := &steppedStore{store: whole}
	l := memoryAt(stepped, c)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	base := stepped.steps
	paused, goOn, ended := make(chan bool, 1), make(chan bool), make(chan error, 1)
	stepped.before = func(step int) error {
		if step == base+pause {
			paused <- true
			<-goOn
		}
		return nil
	}
	go func() {
		err := w.record(t.Context(), l, noon.Add(4*time.Minute))
		ended <- err
		select {
		case paused <- false:
		default:
		}
	}()
	reached = <-paused
	finish := func() {
		if reached {
			close(goOn)
		}
		if err := <-ended; err != nil && !errors.As(err, new(*LeasedError)) {
			t.Fatalf("paused at step %d: %v", pause, err)
		}
	}
	other := &steppedStore{store: whole}
	other.before = func(step int) error {
		if step == resume {
			resumed = true
			w.setBlind(false)
			finish()
			w.setBlind(blind)
		}
		return nil
	}
	w.setBlind(blind)
	two := memoryAt(other, c)
	for range 3 {
		if err := w.tick(t.Context(), two, c.add(time.Hour)); err != nil && !errors.As(err, new(*LeasedError)) {
			t.Fatalf("the other: %v", err)
		}
	}
	w.setBlind(false)
	if !resumed {
		finish()
	}
	return reached, resumed
}

// TestFence has a process that was paused record nothing once another has read what
// was reported, however its own clock goes.
func TestFence(t *testing.T) {
	t.Parallel()
	for _, recorded := range []bool{false, true} {
		t.Run(fmt.Sprint("the other recorded something: ", recorded), func(t *testing.T) {
			t.Parallel()
			whole := NewMemory().store
			slow, c := &testClock{t: noon}, &testClock{t: noon}
			one, two := memoryAt(whole, slow), memoryAt(whole, c)
			if _, err := one.Lease(t.Context(), "rule", time.Minute); err != nil {
				t.Fatal(err)
			}
			record(t, one, "rule", State{First: at(0), Watermark: at(1)}, []string{"teams"}, newAlert("rule", activity("a", 0, 1)))
			c.add(time.Hour)
			lease, err := two.Lease(t.Context(), "rule", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			checkUnseen(t, two, "rule", []alert.Activity{activity("b", 0, 1)}, []alert.Activity{activity("b", 0, 1)})
			if recorded {
				record(t, two, "rule", State{First: at(0), Watermark: at(2)}, []string{"teams"}, newAlert("rule", activity("b", 0, 1)))
			}
			err = one.Record(t.Context(), Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(3)}, Alerts: []alert.Alert{newAlert("rule", activity("b", 0, 1))}, Destinations: []string{"teams"}})
			if !errors.As(err, new(*LeasedError)) {
				t.Errorf("the paused process records: %v", err)
			}
			if !recorded {
				checkUnseen(t, two, "rule", []alert.Activity{activity("b", 0, 1)}, []alert.Activity{activity("b", 0, 1)})
			}
			if errs := one.Save(t.Context(), []Saving{{RuleID: "rule", State: State{First: at(0), Watermark: at(9)}}}); !errors.As(errs[0], new(*LeasedError)) {
				t.Errorf("the paused process saves its state: %v", errs[0])
			}
			if err := lease.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s, err := two.State(t.Context(), "rule"); err != nil || s.Watermark.Equal(at(9)) || s.Watermark.Equal(at(3)) {
				t.Errorf("State = %v, %v", s, err)
			}
		})
	}
}
