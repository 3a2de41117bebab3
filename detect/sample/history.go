package sample

import "time"

// historyDays is how far back the sign-ins reach that come before the day.
const historyDays = 14

// history writes what people did in the two weeks before: on each working day a
// sign-in on the laptop and one on the phone, from the places that they use in
// turn. So each of them satisfied MFA on several days.
func (g *generator) history() {
	r := g.begin("history")
	for _, p := range append(append([]*person{}, g.people...), g.guests...) {
		n := r.IntN(3)
		for day := historyDays; day > 0; day-- {
			midnight := g.day.AddDate(0, 0, -day)
			if d := midnight.Weekday(); d == time.Saturday || d == time.Sunday {
				continue
			}
			begins := midnight.Add(p.works - p.office.offset)
			g.usual(r, p, begins.Add(r.between(0, 4*time.Hour)), n, p.laptop)
			g.usual(r, p, begins.Add(r.between(4*time.Hour, 9*time.Hour)), n+1, p.mobile)
			n++
		}
	}
}

// usual writes one sign-in as the person makes them: the n-th decides where.
func (g *generator) usual(r random, p *person, at time.Time, n int, with device) {
	s := signIn{story: Ordinary, at: at, who: p, with: with, to: pick(r, []app{officeHome, outlookWeb, teamsWeb, sharePoint}), outcome: claimed, strong: true}
	switch {
	case p.homeWorker || n%3 == 0:
		s.from = p.home
	case n%3 == 1:
		s.from = p.onTheRoad()
	default:
		s.from = p.office.place
	}
	// Once a week and for what is new the token is not enough.
	if n%4 == 0 || r.chance(0.2) {
		s.story, s.outcome = OrdinaryMFA, approved
	}
	if s.who.guest {
		s.story = Guest
	}
	g.emit(s)
}
