package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"pushback/detect/secret"
)

// storageError is a request to the table service that failed. Its text names no
// secret: neither the query of the address, which can hold a signature, nor a
// header.
type storageError struct {
	doing   string
	table   string
	host    string
	status  int // 0 if there was no answer
	code    string
	message string
	inside  bool // the answer accepted a transaction that then failed
	err     error
}

func (e *storageError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s table %q at %s: ", e.doing, e.table, e.host)
	if e.status == 0 {
		b.WriteString(secret.Hide(e.err.Error()))
		return b.String()
	}
	b.WriteString(strconv.Itoa(e.status))
	if e.code != "" {
		b.WriteString(" " + e.code)
	}
	if e.message != "" {
		b.WriteString(": " + e.message)
	}
	if hint := e.hint(); hint != "" {
		b.WriteString(" (" + hint + ")")
	}
	return b.String()
}

func (e *storageError) Unwrap() error { return e.err }

// hint says what to do.
func (e *storageError) hint() string {
	switch {
	case e.code == string(aztables.TableBeingDeleted):
		return "a table of this name is being deleted: wait a minute, or configure another name"
	case e.code == string(aztables.TableNotFound):
		return "make it with handler outbox init, or deploy the Bicep template: if it was deleted, what was reported before is not known any more, and may be reported again"
	case e.status == http.StatusForbidden && strings.HasPrefix(e.code, "Authorization"):
		return "the identity needs the role Storage Table Data Contributor on the storage account, and the account's firewall must admit it"
	case e.status == http.StatusForbidden || e.status == http.StatusUnauthorized:
		return "the account key, signature or identity was not accepted"
	case e.status == http.StatusTooManyRequests || e.status == http.StatusServiceUnavailable:
		return "the service is busy; the next tick tries again"
	}
	return ""
}

// wrap makes an error of the SDK one of ours.
func (s *tableStore) wrap(doing string, err error) error {
	e := &storageError{doing: doing, table: s.name, host: s.host}
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		e.status, e.code, e.message, e.inside = readFailure(answer)
		switch {
		case e.code == string(aztables.EntityAlreadyExists), e.code == "" && e.status == http.StatusConflict:
			e.err = errExists
		case e.status == http.StatusPreconditionFailed:
			e.err = errChanged
		case e.code == string(aztables.TableNotFound):
			e.err = ErrNoTable
		case e.code == string(aztables.ResourceNotFound), e.code == string(aztables.EntityNotFound):
			e.err = errMissing
		}
		return e
	}
	e.err = err
	var failed *url.Error
	if errors.As(err, &failed) {
		e.err = failed.Err // without the address
	}
	return e
}

var (
	innerStatus = regexp.MustCompile(`HTTP/1\.[01] ([45][0-9][0-9])`)
	innerCode   = regexp.MustCompile(`"code"\s*:\s*"(\w+)"`)
	innerText   = regexp.MustCompile(`"value"\s*:\s*("(?:[^"\\]|\\.)*")`)
)

// readFailure returns what an answer says about a failure. The SDK gives a
// failed transaction the status of the answer around it, 202.
func readFailure(answer *azcore.ResponseError) (status int, code, message string, inside bool) {
	status, code = answer.StatusCode, answer.ErrorCode
	var body []byte
	if r := answer.RawResponse; r != nil && r.Body != nil {
		// The SDK keeps the body for the error's own text; it can be read again.
		if seeker, ok := r.Body.(io.Seeker); ok {
			_, _ = seeker.Seek(0, io.SeekStart)
		}
		body, _ = io.ReadAll(io.LimitReader(r.Body, 64<<10))
	}
	if m := innerStatus.FindSubmatch(body); m != nil && status < 300 {
		status, _ = strconv.Atoi(string(m[1]))
		inside = true
	}
	if m := innerCode.FindSubmatch(body); m != nil && (code == "" || inside) {
		code = string(m[1])
	}
	if m := innerText.FindSubmatch(body); m != nil {
		_ = json.Unmarshal(m[1], &message)
	}
	return status, code, firstLine(message), inside
}

// firstLine shortens a message of the service; the further lines are its
// request id and time.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return strings.TrimSpace(cut(printable(secret.Hide(text)), 200))
}
