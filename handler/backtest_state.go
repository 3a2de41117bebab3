package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/time/rate"
)

// stateFormat is the number of the format of a backtest's state.
const stateFormat = 1

// stateHeader is the first line of a state: which backtest it is of.
type stateHeader struct {
	Format int `json:"pushbackBacktest"`
	// Of is the mark of what is asked: the workspace, the rules and the settings.
	Of   string    `json:"of"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// keptAnswer is a further line of a state: an answer of the workspace.
type keptAnswer struct {
	Key    string `json:"key"`
	Millis int64  `json:"ms"`
	Body   []byte `json:"gz"` // compressed
}

// pastState keeps the answers that a backtest had, so that it goes on where it was
// stopped. Answers hold what the logs do: nobody else may read the file.
type pastState struct {
	mu    sync.Mutex
	file  *os.File
	at    map[string]place
	end   int64
	Range stateHeader
}

type place struct{ from, length int64 }

// openState opens the state of a backtest, or begins it. A line that was cut off when
// the process ended is written over.
func openState(path string, want stateHeader) (*pastState, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--state %s: %w", path, withoutPath(err))
	}
	s := &pastState{file: file, at: map[string]place{}}
	if err := s.read(want); err != nil {
		return nil, fmt.Errorf("--state %s: %w", path, errors.Join(err, file.Close()))
	}
	return s, nil
}

// errOtherState is a state of another backtest.
var errOtherState = errors.New("the file is not the state of this backtest, with these rules, days and settings: remove it, or give another")

func (s *pastState) read(want stateHeader) error {
	if info, err := s.file.Stat(); err != nil {
		return withoutPath(err)
	} else if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	r := bufio.NewReader(s.file)
	line, err := r.ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		s.Range = want
		return s.append(want)
	case err != nil && !errors.Is(err, io.EOF):
		return withoutPath(err)
	}
	if json.Unmarshal(line, &s.Range) != nil || s.Range.Format != stateFormat || s.Range.Of != want.Of || !s.Range.From.Before(s.Range.To) {
		return errOtherState
	}
	s.end = int64(len(line))
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what is left of a line is of no use
		}
		if err != nil {
			return withoutPath(err)
		}
		var answer struct{ Key string }
		if json.Unmarshal(line, &answer) != nil || answer.Key == "" {
			return errOtherState
		}
		s.at[answer.Key] = place{s.end, int64(len(line))}
		s.end += int64(len(line))
	}
}

// append writes a line.
func (s *pastState) append(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := s.file.WriteAt(line, s.end); err != nil {
		return withoutPath(err)
	}
	s.end += int64(len(line))
	return nil
}

// answer returns a kept answer, or false.
func (s *pastState) answer(key string) (body []byte, took time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := s.at[key]
	if !found {
		return nil, 0, false
	}
	line := make([]byte, at.length)
	var kept keptAnswer
	if _, err := s.file.ReadAt(line, at.from); err != nil || json.Unmarshal(line, &kept) != nil {
		return nil, 0, false // it is asked for again
	}
	r, err := gzip.NewReader(bytes.NewReader(kept.Body))
	if err != nil {
		return nil, 0, false
	}
	body, err = io.ReadAll(io.LimitReader(r, mostKept+1))
	return body, time.Duration(kept.Millis) * time.Millisecond, err == nil && len(body) <= mostKept
}

// keep keeps an answer.
func (s *pastState) keep(key string, body []byte, took time.Duration) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.end
	if err := s.append(keptAnswer{key, took.Milliseconds(), packed.Bytes()}); err != nil {
		return err
	}
	s.at[key] = place{from, s.end - from}
	return nil
}

// mostKept is how long an answer may be to be kept.
const mostKept = 32 << 20

// pastTransport carries the queries of a backtest: no more of them a minute than it
// may, and none whose answer is kept.
type pastTransport struct {
	next  policy.Transporter
	state *pastState // nil for none
	pace  *pace
	now   func() time.Time
	asked func(kept bool)
}

// queryTime is how long the service took for a query.
type queryTime struct{ took time.Duration }

type queryTimeKey struct{}

// Do implements policy.Transporter.
func (t *pastTransport) Do(request *http.Request) (*http.Response, error) {
	var sent []byte
	if request.Body != nil {
		var err error
		if sent, err = io.ReadAll(request.Body); err != nil {
			return nil, fmt.Errorf("reading the request: %w", err)
		}
		request.Body = io.NopCloser(bytes.NewReader(sent))
	}
	sum := sha256.Sum256(append([]byte(request.Method+" "+request.URL.Path+"\n"), sent...))
	key := hex.EncodeToString(sum[:16])
	noted, _ := request.Context().Value(queryTimeKey{}).(*queryTime)
	note := func(took time.Duration) {
		if noted != nil {
			noted.took = took
		}
	}
	if t.state != nil {
		if body, took, ok := t.state.answer(key); ok {
			t.asked(true)
			note(took)
			return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: request}, nil
		}
	}
	if err := t.pace.wait(request.Context()); err != nil {
		return nil, err
	}
	t.asked(false)
	begin := t.now()
	response, err := t.next.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		note(t.now().Sub(begin))
		return response, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, mostKept+1))
	took := t.now().Sub(begin)
	note(took)
	if err != nil {
		_ = response.Body.Close() // it broke off
		return nil, err
	}
	if len(body) > mostKept {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), response.Body), response.Body}
		return response, nil
	}
	_ = response.Body.Close() // all of it is read
	response.Body = io.NopCloser(bytes.NewReader(body))
	// An answer beside an error is not whole, and is asked for again.
	var partial struct {
		Error json.RawMessage `json:"error"`
	}
	if t.state != nil && json.Unmarshal(body, &partial) == nil && len(partial.Error) == 0 {
		if err := t.state.keep(key, body, took); err != nil {
			return nil, fmt.Errorf("keeping the state of the backtest: %w", err)
		}
	}
	return response, nil
}

// pace lets queries go on no faster than a limit. The clock and the sleep are given to
// it, which the limiter's own Wait does not take.
type pace struct {
	limit *rate.Limiter
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

func (p *pace) wait(ctx context.Context) error {
	now := p.now()
	if wait := p.limit.ReserveN(now, 1).DelayFrom(now); wait > 0 {
		return p.sleep(ctx, wait)
	}
	return ctx.Err()
}
