package workspace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// busy is a service that answers after a while, and notes when requests came and how
// many were there at once.
type busy struct {
	takes  time.Duration
	answer func(n int) turn // of the n-th request, from 0

	mu     sync.Mutex
	came   []time.Time
	there  int
	mostly int
}

func (s *busy) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	n := len(s.came)
	s.came = append(s.came, time.Now())
	s.there++
	s.mostly = max(s.mostly, s.there)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.there--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return s.answer(n)(r)
}

// throttled returns a client that keeps to the service's limits.
func throttled(t *testing.T, s *busy, atOnce int) *Client {
	t.Helper()
	c, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{Transport: s}, Concurrency: atOnce})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// each runs queries from many goroutines and returns their errors.
func each(n int, query func(i int) error) (errs []error) {
	errs = make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = query(i) })
	}
	all.Wait()
	return errs
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	for _, takes := range []time.Duration{0, 100 * time.Millisecond, time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &busy{takes: takes, answer: func(int) turn { return says(200, oneRow) }}
				c := throttled(t, s, 5)
				errs := each(1000, func(int) error {
					_, err := c.Query(t.Context(), Query{Text: "T"})
					return err
				})
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
				if s.mostly > 5 {
					t.Errorf("%d at once", s.mostly)
				}
				for i := 200; i < len(s.came); i++ {
					if within := s.came[i].Sub(s.came[i-200]); within < 30*time.Second {
						t.Fatalf("201 requests in %s", within)
					}
				}
				if took, most := s.came[999].Sub(s.came[0]), max(takes*1000/5, 190*time.Second)+time.Second; took > most {
					t.Errorf("1000 requests took %s, and %s would do", took, most)
				}
			})
		})
	}
}

// What one query is asked to wait, all wait.
func TestThrottleHeeds(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			s := &busy{takes: time.Second, answer: func(n int) turn {
				if n == 0 {
					return says(status, "", "Retry-After", "40")
				}
				return says(200, oneRow)
			}}
			c := throttled(t, s, 5)
			began := time.Now()
			if err := errors.Join(each(20, func(i int) error {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				_, err := c.Query(t.Context(), Query{Text: "T"})
				return err
			})...); err != nil {
				t.Fatal(err)
			}
			for _, at := range s.came {
				if since := at.Sub(began); since > time.Second && since < 41*time.Second {
					t.Errorf("%d: a request %s after the first, which was to wait 40 seconds after one", status, since)
				}
			}
		})
	}
}

// What waits for its turn heeds what the service asks for meanwhile, and says so where
// its turn does not come in its time.
func TestThrottleWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &busy{takes: time.Second, answer: func(n int) turn {
			if n == 1 {
				return says(429, "", "Retry-After", "60")
			}
			return says(200, oneRow)
		}}
		// One at once, and one more every 15 seconds.
		c, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{Transport: s}, Concurrency: 5, Rate: 3})
		if err != nil {
			t.Fatal(err)
		}
		errs := each(3, func(i int) error {
			time.Sleep(time.Duration(i) * time.Second)
			_, err := c.Query(t.Context(), Query{Text: "T"})
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		refused := s.came[1].Add(s.takes)
		for _, at := range s.came[2:] {
			if at.Sub(refused) < time.Minute {
				t.Errorf("a request came %s after an answer that asked for a minute", at.Sub(refused))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Query(ctx, Query{Text: "T"})
		if _, ok := errors.AsType[*ThrottledError](err); !ok || !strings.Contains(err.Error(), "no more than 3 requests are sent in 30 seconds") {
			t.Errorf("%v", err)
		}
	})
}

// A query that would wait for longer than it may take, or than its caller waits,
// fails at once and is not sent.
func TestThrottledForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &busy{answer: func(int) turn { return says(429, "", "Retry-After", "600") }}
		c := throttled(t, s, 5)
		if _, err := c.Query(t.Context(), Query{Text: "T"}); err == nil {
			t.Fatal("no error")
		}
		began := time.Now()
		_, err := c.Query(t.Context(), Query{Text: "T"})
		if _, ok := errors.AsType[*ThrottledError](err); !ok || !Unavailable(err) || time.Since(began) > 0 || len(s.came) != 1 {
			t.Errorf("%v after %s and %d requests", err, time.Since(began), len(s.came))
		}
		if want := "asked to be left alone until " + began.Add(10*time.Minute).UTC().Format(time.RFC3339); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
		time.Sleep(9 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := c.Query(ctx, Query{Text: "T"}); err == nil || len(s.came) != 1 {
			t.Errorf("%v after %d requests", err, len(s.came))
		}
		ended, end := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, end)
		if _, err := c.Query(ended, Query{Text: "T"}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want that it was cancelled", err)
		}
	})
}

// Of large answers one is held at a time, and small ones pass it.
func TestOneLargeAnswer(t *testing.T) {
	t.Parallel()
	row := `["` + strings.Repeat("x", 1000) + `"]`
	large := `{"tables":[{"name":"PrimaryResult","columns":[{"name":"S","type":"string"}],"rows":[` + strings.Repeat(row+",", 6000) + row + `]}]}`
	synctest.Test(t, func(t *testing.T) {
		s := &busy{takes: time.Second}
		s.answer = func(n int) turn {
			return func(r *http.Request) (*http.Response, error) {
				if r.Header.Get("X-Large") != "" {
					return answering(200, large)(r)
				}
				return answering(200, oneRow)(r)
			}
		}
		c := throttled(t, s, 5)
		var mu sync.Mutex
		held, most := 0, 0
		errs := each(8, func(i int) error {
			ctx, release := Hold(t.Context())
			defer release()
			if i%2 == 0 {
				_, err := c.Query(ctx, Query{Text: "Small"})
				return err
			}
			table, err := c.Query(policy.WithHTTPHeader(ctx, http.Header{"X-Large": {"1"}}), Query{Text: "Large"})
			if err != nil {
				return err
			}
			if len(table.Rows) != 6001 {
				return fmt.Errorf("%d rows", len(table.Rows))
			}
			mu.Lock()
			held++
			most = max(most, held)
			mu.Unlock()
			// Who holds one may ask for more.
			if _, err := c.Query(policy.WithHTTPHeader(ctx, http.Header{"X-Large": {"1"}}), Query{Text: "More"}); err != nil {
				return err
			}
			time.Sleep(time.Minute)
			mu.Lock()
			held--
			mu.Unlock()
			return nil
		})
		if err := errors.Join(errs...); err != nil || most != 1 {
			t.Errorf("%d large answers were held at once: %v", most, err)
		}
		// Without Hold an answer is its caller's affair.
		if _, err := c.Query(policy.WithHTTPHeader(t.Context(), http.Header{"X-Large": {"1"}}), Query{Text: "Large"}); err != nil {
			t.Error(err)
		}
	})
}
