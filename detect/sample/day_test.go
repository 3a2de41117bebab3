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

// Every seed and every size has the same stories.
func TestStoriesDoNotDependOnSeed(t *testing.T) {
	t.Parallel()
	type rejection struct {
		Second time.Duration // of the day
		User   string
		Fraud  bool
		Story  Story
	}
	rejections := func(o Options) []rejection {
		d := Generate(o)
		all := make([]rejection, len(d.Rejections))
		for i, r := range d.Rejections {
			all[i] = rejection{r.Time.Sub(o.midnight()).Truncate(time.Second), r.User, r.Fraud, r.Story}
		}
		return all
	}
	want := rejections(Options{Seed: 1, Day: testDay})
	for _, o := range []Options{{}, {Seed: 2, Day: testDay}, {Seed: 1, Day: testDay.AddDate(0, 4, 11)}, {Seed: 3, Day: testDay, Users: 1}, {Seed: 4, Day: testDay, Users: 400}} {
		if diff := cmp.Diff(want, rejections(o)); diff != "" {
			t.Errorf("%+v: rejections differ (-want +got):\n%s", o, diff)
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
		if r.Table == IdentityInfo {
			from = testDay.AddDate(0, 0, -14)
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
		SigninLogs:                      {5500, 10000},
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
