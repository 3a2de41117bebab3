package biceptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"sync"
)

// peer calls a server of JSON-RPC 2.0 whose messages have a header with their length,
// one call after the other.
type peer struct {
	mu     sync.Mutex
	number int
	in     *bufio.Reader
	out    io.Writer
	broken error // what ended the connection
}

func newPeer(in io.Reader, out io.Writer) *peer {
	return &peer{in: bufio.NewReader(in), out: out}
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type response struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (p *peer) call(method string, params, result any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	p.number++
	text, err := json.Marshal(request{Version: "2.0", ID: p.number, Method: method, Params: params})
	if err != nil {
		return err
	}
	answer, err := p.exchange(text)
	if err != nil {
		p.broken = fmt.Errorf("the compiler does not answer: %w", err)
		return p.broken
	}
	if answer.Error != nil {
		return fmt.Errorf("%s", answer.Error.Message)
	}
	return json.Unmarshal(answer.Result, result)
}

func (p *peer) exchange(text []byte) (*response, error) {
	if _, err := fmt.Fprintf(p.out, "Content-Length: %d\r\n\r\n%s", len(text), text); err != nil {
		return nil, err
	}
	header, err := textproto.NewReader(p.in).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil || length < 0 || length > 100<<20 {
		return nil, fmt.Errorf("a message of length %q", header.Get("Content-Length"))
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return nil, err
	}
	answer := &response{}
	if err := json.Unmarshal(body, answer); err != nil {
		return nil, err
	}
	if answer.ID != p.number {
		return nil, fmt.Errorf("an answer to call %d, not to %d", answer.ID, p.number)
	}
	return answer, nil
}
