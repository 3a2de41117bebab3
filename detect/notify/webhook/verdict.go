package webhook

import (
	"fmt"
	"net/http"
	"time"

	"pushback/detect/notify"
	"pushback/detect/notify/post"
	"pushback/detect/notify/text"
	"pushback/detect/transport"
)

// goneFor is how long an address is left alone that says that it is gone. Somebody
// may have switched it off by mistake.
const goneFor = time.Hour

// mostReason is how many characters of an answer an error quotes.
const mostReason = 200

// verdict says what an answer means, as the specification has it. A success is one
// whatever its body says.
//
// A refusal that may be about the message or about the address, such as a 400, says
// neither: an alert that is refused while others are taken is parked, and an
// address that takes none is shut.
func (w *Webhook) verdict(answer post.Answer) error {
	status := answer.Status
	if status >= 200 && status < 300 {
		return nil
	}
	e := &notify.Error{Err: w.refusal(answer)}
	switch {
	case status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		e.Message = true
	case status == http.StatusBadRequest, status == http.StatusConflict:
	case status == http.StatusGone:
		e.Shut, e.RetryAfter = true, goneFor
	case status == http.StatusTooManyRequests:
		e.Shut, e.RetryAfter = true, transport.RetryAfter(answer.Header, w.options.Now())
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		e.RetryAfter = transport.RetryAfter(answer.Header, w.options.Now())
	default: // redirects, and what needs somebody's hand
		e.Shut = true
	}
	return e
}

// refusal is the error of an answer that is not success.
func (w *Webhook) refusal(answer post.Answer) error {
	said := fmt.Sprintf("it answered %d", answer.Status)
	if name := http.StatusText(answer.Status); name != "" {
		said += " " + name
	}
	switch status := answer.Status; {
	case status >= 300 && status < 400:
		said += ", and redirects are not followed: set the address that it leads to"
	case status == http.StatusGone:
		said += ", so that it wants no more: set another address, or none"
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		said += ": does the receiver have the secret that messages are signed with, and the right time?"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		said += ": is this the address that takes a POST?"
	}
	if reason := text.Cut(text.Safe(text.Line(w.secrets.redact(w.to.Redact(answer.Text)))), mostReason); reason != "" {
		said += ": " + reason
	}
	return fmt.Errorf("%s", said)
}
