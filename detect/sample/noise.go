package sample

// noise writes the failures of strong authentication that are no rejection,
// each by a user of its own.
func (g *generator) noise() {
	r := g.begin("noise")
	for _, n := range []struct {
		story                Story
		outcome              outcome
		hour, minute, second int
	}{
		{Timeout, timedOut, 8, 14, 9},
		{Timeout, timedOut, 8, 15, 31},
		{Timeout, timedOut, 14, 20, 40},
		{DuplicateAttempt, duplicate, 9, 44, 2},
		{DuplicateAttempt, duplicate, 9, 44, 11},
		{WrongNumber, wrongNumber, 11, 5, 26},
		{WrongCode, wrongCode, 11, 52, 3},
		{WrongCode, wrongCode, 11, 52, 48},
	} {
		p := g.cast[n.story][0]
		g.emit(signIn{
			story: n.story, at: g.when(p, n.hour, n.minute, n.second).Add(r.fraction()),
			who: p, from: p.office.place, with: p.laptop, to: officeHome,
			outcome: n.outcome, strong: true,
		})
	}
}
