package enrich

import (
	"time"

	"pushback/detect/alert"
)

// method is a change of an account's methods for the second factor.
type method struct {
	time time.Time
	what string
}

// assessMethods finds changes of the account's methods afterwards.
func (r rejections) assessMethods(f findings, s subject) {
	if len(r.prompts) == 0 {
		return
	}
	for _, m := range s.methods {
		if after := m.time.Sub(r.prompts[0].time); after >= 0 && after <= alert.AftermathLasts {
			f.add(alert.FoundMethodChanged, "MFA methods changed "+ago(after)+" after the first prompt", "the MFA methods of %s changed %s after the first prompt: %s", s.title, ago(after), m.what)
		}
	}
}

func (b *batch) method(r row) {
	if a := b.find(r.text("UserId"), r.text("User")); a != nil {
		a.methods = append(a.methods, method{r.time("TimeGenerated"), r.text("OperationName")})
	}
}
