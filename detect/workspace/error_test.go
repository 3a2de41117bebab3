package workspace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
)

// Whether the next query fails too is judged by what went wrong, however deep it
// is wrapped.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	broke := errors.New("broken pipe")
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"no token", &CredentialError{err: broke}, true},
		{"no connection", &ConnectionError{err: broke}, true},
		{"an answer that broke off", &ConnectionError{Answered: true, err: broke}, false},
		{"a query that is wrong", &QueryError{Code: "SYN0002"}, false},
		{"a part of the answer", &PartialError{}, false},
		{"too much", &TooMuchError{}, false},
		{"no answer in time", &TimeoutError{}, false},
		{"the end of the wait", context.Canceled, false},
		{"400", &ServiceError{Status: http.StatusBadRequest}, false},
		{"401", &ServiceError{Status: http.StatusUnauthorized}, true},
		{"403", &ServiceError{Status: http.StatusForbidden}, true},
		{"404", &ServiceError{Status: http.StatusNotFound}, true},
		{"429", &ServiceError{Status: http.StatusTooManyRequests}, true},
		{"500", &ServiceError{Status: http.StatusInternalServerError}, false},
		{"503", &ServiceError{Status: http.StatusServiceUnavailable}, true},
		{"504", &ServiceError{Status: http.StatusGatewayTimeout}, false},
	} {
		if got := Unavailable(test.err); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
		if test.err == nil {
			continue
		}
		if got := Unavailable(fmt.Errorf("querying: %w", test.err)); got != test.want {
			t.Errorf("%s, wrapped: %t", test.name, got)
		}
	}
}
