package sample

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestGenerateIsDeterministic(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 7, Day: testDay, Users: minUsers}
	first := Generate(o)

	later := o
	later.Day = testDay.Add(17*time.Hour + 4*time.Minute).In(time.FixedZone("elsewhere", -5*3600))
	for name, other := range map[string]*Day{"again": Generate(o), "another instant of the day": Generate(later)} {
		if diff := cmp.Diff(first, other, wholeBytes); diff != "" {
			t.Errorf("%s: the day differs (-first +other):\n%.2000s", name, diff)
		}
	}

	reseeded := o
	reseeded.Seed = 8
	if slices.EqualFunc(first.Records, Generate(reseeded).Records, func(a, b Record) bool { return string(a.JSON) == string(b.JSON) }) {
		t.Error("another seed gives the same day")
	}
}

// The size of the company, and which day it is, change nothing in the stories.
func TestStoriesDoNotDependOnSize(t *testing.T) {
	t.Parallel()
	type rejection struct {
		Second time.Duration // of the day
		User   string
		IP     string
		Fraud  bool
		Story  Story
	}
	rejections := func(o Options) []rejection {
		d := Generate(o)
		all := make([]rejection, len(d.Rejections))
		for i, r := range d.Rejections {
			ip := r.IP
			if r.Story == KnownPlaceRejection || r.Story == MistakenRejection {
				ip = "home"
			}
			all[i] = rejection{r.Time.Sub(o.midnight()).Truncate(time.Second), r.User, ip, r.Fraud, r.Story}
		}
		return all
	}
	for _, seed := range []uint64{0, 1} {
		want := rejections(Options{Seed: seed, Day: testDay})
		for _, o := range []Options{{Day: testDay.AddDate(0, 4, 11)}, {Day: testDay, Users: 1}, {Day: testDay, Users: 400}} {
			o.Seed = seed
			if diff := cmp.Diff(want, rejections(o)); diff != "" {
				t.Errorf("%+v: rejections differ (-want +got):\n%s", o, diff)
			}
		}
	}
}

// Each seed has other people in the stories, at other times and from other
// places, and plants what the others do.
func TestSeedsVaryTheStories(t *testing.T) {
	t.Parallel()
	const seeds = 12
	type seen struct{ users, times, addresses, cities, apps map[string]bool }
	of := map[Story]*seen{}
	for seed := range uint64(seeds) {
		d := Generate(Options{Seed: seed, Day: testDay, Users: minUsers})
		users := map[string]bool{}
		for _, p := range d.Plants {
			if users[p.User] {
				t.Errorf("seed %d: %s is in two stories", seed, p.User)
			}
			users[p.User] = true
		}
		if len(d.Plants) != len(cast)+1 {
			t.Errorf("seed %d plants %d, want %d", seed, len(d.Plants), len(cast)+1)
		}
		first := map[Story]bool{}
		for _, r := range d.Records {
			if r.Table != SigninLogs && r.Table != AADNonInteractiveUserSignInLogs || first[r.Story] || r.Generated.Before(testDay) {
				continue
			}
			first[r.Story] = true
			s := of[r.Story]
			if s == nil {
				s = &seen{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
				of[r.Story] = s
			}
			x := parse(t, r)
			s.users[x.User], s.times[r.Generated.Format("15:04")], s.addresses[x.IP], s.apps[x.App] = true, true, true, true
			s.cities[detail(t, x.Location, "city")] = true
		}
	}
	for _, p := range theDay().Plants {
		s := of[p.Story]
		if s == nil {
			t.Errorf("%s left no sign-in", p.Story)
			continue
		}
		for what, n := range map[string]int{"users": len(s.users), "times": len(s.times), "addresses": len(s.addresses), "cities": len(s.cities), "applications": len(s.apps)} {
			switch {
			case what == "users" && p.Story == GuestRejection: // a guest of the tenant's own list
			case what == "applications" && (p.Story == Hostile || p.Story == NonInteractiveRejection): // named so
			case (what == "addresses" || what == "cities" || what == "applications") && len(p.Rules) == 0 && p.Story != FatigueUnanswered: // at the office
			case n < 4:
				t.Errorf("%s has %d %s over %d seeds", p.Story, n, what, seeds)
			}
		}
	}
}

// Who got in, or asked for it at night, did so while the user slept.
func TestNightAttacks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		g := newGenerator(Options{Seed: seed, Day: testDay, Users: minUsers})
		for s, fs := range frames {
			for i, f := range fs {
				p := g.cast[s][i]
				from, to := f.first+g.shifts[p], f.last+g.shifts[p]
				if from < 0 || to >= 24*time.Hour {
					t.Errorf("seed %d: %s is from %s to %s of the day", seed, s, from, to)
				}
				if local := (from + p.office.offset + 24*time.Hour) % (24 * time.Hour); f.asleep && local > 5*time.Hour {
					t.Errorf("seed %d: %s begins at %s where %s lives", seed, s, local, p.upn)
				}
			}
		}
	}
}

func TestRecordsAreInOrderAndInTheDay(t *testing.T) {
	t.Parallel()
	d := theDay()
	end := testDay.Add(24 * time.Hour)
	if !slices.IsSortedFunc(d.Records, func(a, b Record) int { return a.Received.Compare(b.Received) }) {
		t.Error("records are not in the order of Received")
	}
	for _, r := range d.Records {
		from := testDay
		switch {
		case r.Table == IdentityInfo:
			from = testDay.AddDate(0, 0, -14)
		case r.Table == SigninLogs && (r.Story == Ordinary || r.Story == OrdinaryMFA || r.Story == Guest):
			from = testDay.AddDate(0, 0, -15)
		}
		if r.Generated.Before(from) || !r.Generated.Before(end) {
			t.Errorf("%s record of %s is generated at %s, outside the day", r.Table, r.Story, r.Generated)
		}
		delay := r.Received.Sub(r.Generated)
		if delay < 0 {
			t.Errorf("%s record of %s is received %s before it was generated", r.Table, r.Story, -delay)
		}
		if delay >= 5*time.Minute && r.Story != LateRejection {
			t.Errorf("%s record of %s is received after %s", r.Table, r.Story, delay)
		}
	}
}

func TestShapeOfTheDay(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, r := range theDay().Records {
		count[r.Table]++
	}
	for table, want := range map[string][2]int{
		SigninLogs:                      {11000, 17000},
		AADNonInteractiveUserSignInLogs: {11000, 20000},
		IdentityInfo:                    {250, 400},
		BehaviorAnalytics:               {50, 300},
	} {
		if n := count[table]; n < want[0] || n > want[1] {
			t.Errorf("%d records of %s, want %d to %d", n, table, want[0], want[1])
		}
	}
	more := Generate(Options{Seed: 1, Day: testDay, Users: 2 * DefaultUsers})
	if ratio := float64(len(more.Records)) / float64(len(theDay().Records)); ratio < 1.7 || ratio > 2.3 {
		t.Errorf("twice the users have %.2f times the records", ratio)
	}
}

// The ground truth follows from the records alone.
func TestRejectionsAreWhatTheRecordsSay(t *testing.T) {
	t.Parallel()
	d := theDay()
	type key struct{ user, ip, correlation string }
	found := map[key]*Rejection{}
	for _, x := range allRows(t) {
		if !x.rejected(t) {
			if x.story.fires() || x.ResultType != "500121" {
				continue
			}
			if d := strings.ToLower(x.details(t)); strings.Contains(d, "declined") || strings.Contains(d, "fraud") {
				t.Errorf("a record of %s says %q", x.story, d)
			}
			continue
		}
		if !x.story.fires() {
			t.Errorf("a record of %s is a rejection: %+v", x.story, x)
		}
		k := key{strings.ToLower(x.User), x.IP, x.CorrelationID}
		f := found[k]
		if f == nil {
			f = &Rejection{
				Time: x.Time, Received: x.Received, User: k.user, UserID: x.UserID, TenantID: x.ResourceID,
				IP: x.IP, CorrelationID: x.CorrelationID, Story: x.story,
			}
			found[k] = f
		}
		if x.AADTenantID != "" && x.AADTenantID != f.TenantID {
			t.Errorf("tenant %s and resource tenant %s differ", x.AADTenantID, f.TenantID)
		}
		if x.Time.Before(f.Time) {
			f.Time = x.Time
		}
		if x.Received.Before(f.Received) {
			f.Received = x.Received
		}
		f.Interactive = f.Interactive || x.Interactive
		f.Fraud = f.Fraud || strings.Contains(x.details(t), "Fraud")
	}
	var want []Rejection
	for _, f := range found {
		want = append(want, *f)
	}
	sort := cmpopts.SortSlices(func(a, b Rejection) bool { return a.CorrelationID < b.CorrelationID })
	if diff := cmp.Diff(want, d.Rejections, sort); diff != "" {
		t.Errorf("rejections (-records +truth):\n%s", diff)
	}
	if !slices.IsSortedFunc(d.Rejections, func(a, b Rejection) int { return a.Time.Compare(b.Time) }) {
		t.Error("rejections are not in the order of Time")
	}
}
