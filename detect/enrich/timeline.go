package enrich

import (
	"cmp"
	"fmt"
	"time"

	"pushback/detect/alert"
)

// mostMoments is how many prompts a timeline has room for.
const mostMoments = 20

// timeline lists what an account did around an alert, with what it did many
// times in a row as one moment.
func timeline(s subject) []alert.Moment {
	doing := map[alert.MomentKind][2]string{
		alert.MomentSuccess:  {"signed in", "signed in %d times"},
		alert.MomentRejected: {"rejected a prompt", "rejected %d prompts"},
		alert.MomentPrompt:   {"left a prompt unanswered or failed it", "left %d prompts unanswered or failed them"},
	}
	var list []alert.Moment
	for first := 0; first < len(s.prompts); {
		p, last := s.prompts[first], first
		for last+1 < len(s.prompts) {
			if next := s.prompts[last+1]; next.kind != p.kind || next.address != p.address || next.app != p.app {
				break
			}
			last++
		}
		text := doing[p.kind][0]
		if n := last - first; n > 0 {
			text = fmt.Sprintf(doing[p.kind][1], n+1) + " in " + ago(s.prompts[last].time.Sub(p.time))
		}
		list = append(list, alert.Moment{Time: p.time, Kind: p.kind, Text: fmt.Sprintf("%s from %s (%s)", text, cmp.Or(p.address, "an unknown address"), cmp.Or(p.app, "application unknown"))})
		first = last + 1
	}
	return list
}

// prompt is a second factor that was asked for, or a sign-in that succeeded.
type prompt struct {
	time                                                        time.Time
	last                                                        time.Time // of the requests that are one authentication
	kind                                                        alert.MomentKind
	refusedFirst                                                bool // a success at a step after a rejected one
	address, network, country, device, deviceName, app, session string
}

func (b *batch) after(r row) {
	if a := b.find(r.text("UserId"), r.text("User")); a != nil {
		a.prompts = append(a.prompts, prompt{
			time: r.time("TimeGenerated"), last: r.time("Last"), kind: alert.MomentKind(r.text("Kind")), refusedFirst: r.value("RefusedFirst") == true, address: canonical(r.text("IPAddress")),
			network: r.text("Network"), country: r.text("Country"), device: r.text("DeviceId"), deviceName: r.text("Device"), app: r.text("AppDisplayName"), session: r.text("Authentication"),
		})
	}
}
