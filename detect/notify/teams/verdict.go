package teams

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pushback/detect/notify"
	"pushback/detect/notify/post"
	"pushback/detect/transport"
)

// quotedStatus is how the body of a success says what went wrong behind the
// webhook: "... returned HTTP error 429 with ContextId ...".
var quotedStatus = regexp.MustCompile(`(?i)\bHTTP error ([45]\d\d)\b`)

// verdict says what an answer to a message means.
//
// A success is one whatever its body says, unless that reports a failure itself:
// workflows answer with whatever their authors like. What is taken for a failure
// is posted again.
func (t *Teams) verdict(said post.Answer, webhook WebhookURL, message []byte) error {
	status := said.Status
	about := status
	answer := strings.TrimSpace(strings.TrimPrefix(said.Text, "\ufeff"))
	if status >= 200 && status < 300 {
		failed := false
		if about, failed = reported(answer); !failed {
			return nil
		}
		if quoted := quotedStatus.FindString(answer); quoted != "" && about != http.StatusBadRequest && bytes.Contains(message, []byte(quoted)) {
			// It may only repeat what it was sent, which comes from logs.
			return &notify.Error{Err: refusal(status, inert(webhook.redact(answer), 200), webhook.refused(status, errorCode(answer))), Unanswered: true}
		}
	}
	e := &notify.Error{Err: refusal(status, inert(webhook.redact(answer), 200), webhook.refused(status, errorCode(answer)))}
	switch {
	case about == http.StatusRequestEntityTooLarge, about == http.StatusUnprocessableEntity:
		e.Message = true
	case about == http.StatusBadRequest:
		e.Message = aboutMessage(answer)
		e.Shut = !e.Message && shutCode().MatchString(strings.ReplaceAll(answer, " ", ""))
	case about == http.StatusTooManyRequests:
		e.Shut, e.RetryAfter = true, transport.RetryAfter(said.Header, t.options.Now())
	case about == http.StatusRequestTimeout:
		e.RetryAfter = transport.RetryAfter(said.Header, t.options.Now())
	case about >= 500:
		e.RetryAfter = transport.RetryAfter(said.Header, t.options.Now())
	default: // redirects, and what needs somebody's hand
		e.Shut = true
	}
	return e
}

// reported reports whether the body of a success says that it is none, and what
// the status would have been.
func reported(answer string) (status int, failed bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(answer), &object) == nil {
		for name, value := range object {
			if strings.EqualFold(name, "error") && !empty(value) {
				if errorCode(answer) != "" {
					return http.StatusBadRequest, true
				}
				return http.StatusBadGateway, true // of what kind it does not say
			}
		}
		return 0, false
	}
	if json.Valid([]byte(answer)) && !strings.HasPrefix(answer, `"`) {
		return 0, false // a list, or a number
	}
	if m := quotedStatus.FindStringSubmatch(answer); m != nil {
		status, _ = strconv.Atoi(m[1]) // three digits
		return status, true
	}
	return 0, false
}

// empty reports whether a value of JSON says nothing.
func empty(value json.RawMessage) bool {
	var v any
	return json.Unmarshal(value, &v) == nil && saysNothing(v)
}

func saysNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !saysNothing(e) })
	case map[string]any:
		for _, e := range v {
			if !saysNothing(e) {
				return false
			}
		}
		return true
	}
	return false
}

// What the codes of a 400 are about. The service documents no list of them; the
// names are seen in its answers. A code that is not known is taken for one about
// the address: then no alert is given up for it while the address takes no other.
// A 400 without a code comes from something else on the way: what it says can be
// about either.
var (
	shutCode = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)notenabled|disabled|notfound|suspended|stopped|deleted|authori[sz]|authenti|signature|forbidden|expired|quota|throttl|apiversion|environment|subscription|license|denied|triggername|methodnotvalid|hostname|invalidurl|plainhttp|cookie`)
	})
	bodyCode = regexp.MustCompile(`(?i)schema|content|payload|card|json|toolarge|invalidinput|inputinvalid`)
	bodyText = regexp.MustCompile(`(?i)\b(card|payload|schema|summary or text|json|too large|message size)\b`)
)

// errorCode returns the code in an answer such as {"error": {"code": "..."}}.
func errorCode(answer string) string {
	var object struct {
		Code  string
		Error json.RawMessage
	}
	if json.Unmarshal([]byte(answer), &object) != nil {
		return ""
	}
	var inner struct{ Code string }
	if json.Unmarshal(object.Error, &inner) == nil && inner.Code != "" {
		return inner.Code
	}
	return object.Code
}

// aboutMessage reports whether a 400 is about what was sent, and not about the
// workflow.
func aboutMessage(answer string) bool {
	code := errorCode(answer)
	switch {
	case shutCode().MatchString(code):
		return false
	case code == "" || strings.EqualFold(code, "BadRequest"):
		return !shutCode().MatchString(strings.ReplaceAll(answer, " ", "")) && (code != "" || bodyText.MatchString(answer))
	}
	return bodyCode.MatchString(code)
}

// refused says why a workflow let nobody in and what to do, if its answer says that it
// is that.
func (w WebhookURL) refused(status int, code string) string {
	const enter = "the object id of the app's identity, which handler check names, belongs under Allowed users of the workflow's trigger"
	wantsOther := strings.EqualFold(code, "DirectApiAuthorizationRequired") || strings.EqualFold(code, "OAuthAccessPolicyNotFound")
	wantsToken := wantsOther || strings.EqualFold(code, "MisMatchingOAuthClaims")
	switch {
	case status != http.StatusUnauthorized && status != http.StatusForbidden:
		return ""
	case w.audience != "" && wantsOther:
		return "the workflow takes no token: let its trigger be started by Specific users in my tenant, and copy its address again. " + enter
	case w.audience != "":
		return "the workflow does not take the app's identity: " + enter + ", the workflow must be of the identity's tenant, and it takes some minutes until it counts"
	case wantsToken && w.signed():
		return "the workflow takes no signature, or another: copy the address from its trigger again. If only users of the tenant may start it, set PUSHBACK_TEAMS_AUTH=identity; " + enter
	case wantsToken:
		return "the workflow wants a token: set PUSHBACK_TEAMS_AUTH=identity; " + enter + ". Or let Anyone start it, and copy its address again"
	}
	return ""
}

// refusal is the error of an answer that is not success, with what else is known of why.
func refusal(status int, answer, why string) error {
	text := fmt.Sprintf("it answered %d", status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	switch {
	case why != "":
		text += ": " + why
	case status < 300:
		text += " with an error in it"
	case status < 400:
		text += ", and redirects are not followed: copy the address from the workflow again"
	case status == http.StatusBadRequest && shutCode().MatchString(errorCode(answer)),
		status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusGone:
		text += ": is the workflow still there and turned on?"
	}
	if answer != "" {
		text += ": " + answer
	}
	return fmt.Errorf("%s", text)
}
