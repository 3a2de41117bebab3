package notify

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What an error says is found however deep it is wrapped, and what is not an
// Error is taken for one about the address.
func TestJudge(t *testing.T) {
	t.Parallel()
	cause := errors.New("it is full")
	refused := &Error{Err: cause, Shut: true, RetryAfter: time.Minute}
	for _, test := range []struct {
		name string
		err  error
		want Error
	}{
		{"an Error", refused, *refused},
		{"a wrapped one", fmt.Errorf("teams: posting: %w", refused), *refused},
		{"a joined one", errors.Join(cause, refused), *refused},
		{"another error", cause, Error{Err: cause}},
	} {
		got := Judge(test.err)
		if !errors.Is(got.Err, test.want.Err) {
			t.Errorf("%s: it is about %v", test.name, got.Err)
		}
		got.Err, test.want.Err = nil, nil
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if !errors.Is(refused, cause) || refused.Error() != "it is full" {
		t.Errorf("%v does not say why", refused)
	}
}
