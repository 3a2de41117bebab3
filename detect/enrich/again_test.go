package enrich

import (
	"testing"
	"time"

	"pushback/detect/alert"
)

// Who declined by mistake signs in soon, at the same address and on the same
// device.
func TestAgain(t *testing.T) {
	t.Parallel()
	at := func(kind alert.MomentKind, minute int, address, device string) prompt {
		moment := time.Date(2026, 3, 17, 9, minute, 0, 0, time.UTC)
		return prompt{kind: kind, time: moment, last: moment, address: address, device: device}
	}
	const home, laptop = "198.51.100.1", "laptop"
	declined := at(alert.MomentRejected, 10, home, laptop)
	for _, test := range []struct {
		name     string
		declined prompt
		then     prompt
		want     string
	}{
		{"a minute later", declined, at(alert.MomentSuccess, 11, home, laptop), ", and signed in on it 1 min after rejecting"},
		{"much later", declined, at(alert.MomentSuccess, 26, home, laptop), ""},
		{"before", declined, at(alert.MomentSuccess, 9, home, laptop), ""},
		{"another prompt", declined, at(alert.MomentPrompt, 11, home, laptop), ""},
		{"on another device", declined, at(alert.MomentSuccess, 11, home, "phone"), ""},
		{"at another address", declined, at(alert.MomentSuccess, 11, "203.0.113.9", laptop), ""},
		{"on a device without an id", at(alert.MomentRejected, 10, home, ""), at(alert.MomentSuccess, 11, home, ""), ""},
	} {
		r := rejections{prompts: []prompt{at(alert.MomentRejected, 5, home, laptop), test.declined}}
		if got := r.again(subject{prompts: []prompt{test.then}}); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if got := (rejections{}).again(subject{}); got != "" {
		t.Errorf("without a rejection: %q", got)
	}
}
