package detect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/ledger"
	"pushback/detect/notify"
)

func TestMergeAddresses(t *testing.T) {
	t.Parallel()
	at := func(hhmm string) time.Time { return clock(hhmm) }
	book := func(a address, parked map[string]time.Time) *addressBook {
		return (&addressBook{Addresses: map[string]*address{"x": &a}, Parked: parked}).clone()
	}
	before := address{Since: at("01:00"), Changed: at("02:00"), Taken: at("02:00"), Count: 5}
	refused := address{Since: at("01:00"), Changed: at("03:01"), Taken: at("02:00"), Count: 5, Refused: at("03:00"), Tries: 2, Next: at("03:03"), Error: "no"}
	again := refused // by hand
	again.Changed, again.Next, again.Tries = at("03:02"), at("03:00"), 0
	open := address{Since: at("01:00"), Changed: at("03:04"), Taken: at("02:00"), Count: 5}
	taken := address{Since: at("01:00"), Changed: at("03:05"), Taken: at("03:05"), Count: 7}
	late := refused
	late.Changed, late.Refused, late.Next = at("03:06"), at("03:06"), at("03:07")
	for _, test := range []struct {
		name               string
		read, ours, theirs address
		want               address
	}{
		{"only they changed it", before, before, refused, refused},
		{"only we changed it", before, refused, before, refused},
		{"by hand", refused, again, refused, again},
		{"it is up again, they were refused before", before, open, refused, open},
		{"we sent before they were refused", before, taken, late, address{Since: at("01:00"), Changed: at("03:06"), Taken: at("03:05"), Count: 7, Refused: at("03:06"), Tries: 2, Next: at("03:07"), Error: "no"}},
		{"both sent", before, taken, address{Since: at("01:00"), Changed: at("03:01"), Taken: at("03:01"), Count: 8}, address{Since: at("01:00"), Changed: at("03:05"), Taken: at("03:05"), Count: 10}},
		{"we sent, they were refused", before, taken, refused, taken},
		{"they sent, we were refused before", before, refused, taken, taken},
		{"both were refused", before, refused, address{Since: at("01:00"), Changed: at("02:59"), Taken: at("02:00"), Count: 5, Refused: at("02:59"), Tries: 1, Next: at("03:00")}, refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := mergeAddresses(book(test.read, nil), book(test.ours, nil), book(test.theirs, nil))
			if diff := cmp.Diff(test.want, *got.Addresses["x"]); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
		})
	}
	got := mergeAddresses(book(before, map[string]time.Time{"gone": at("01:00"), "a": at("01:00")}), book(before, map[string]time.Time{"a": at("02:00")}), book(before, map[string]time.Time{"gone": at("01:00"), "a": at("01:30"), "b": at("01:00")}))
	if diff := cmp.Diff(map[string]time.Time{"a": at("02:00"), "b": at("01:00")}, got.Parked); diff != "" {
		t.Errorf("parked (-want +got):\n%s", diff)
	}
}

// Two processes that note what they know of the addresses at once lose nothing.
func TestSaveAddressesTogether(t *testing.T) {
	t.Parallel()
	l := ledger.NewMemory()
	read := func() *addressBook {
		b, damaged, err := readAddresses(t.Context(), l)
		if err != nil || damaged != nil {
			t.Fatal(err, damaged)
		}
		return b
	}
	ours, theirs := read(), read()
	a, b := ours.clone(), theirs.clone()
	a.of("teams x", clock("10:00")).refused(clock("10:00"), clock("10:00"), 0, "no")
	b.of("teams y", clock("10:00")).accepted(clock("10:00"))
	if _, err := saveAddresses(t.Context(), l, ours, a); err != nil {
		t.Fatal(err)
	}
	saved, err := saveAddresses(t.Context(), l, theirs, b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read(), saved, cmp.AllowUnexported(addressBook{}), cmpopts.EquateEmpty()); diff != "" || len(saved.Addresses) != 2 || saved.Addresses["teams x"].Tries != 1 {
		t.Errorf("saved (-noted +returned):\n%s", diff)
	}
}

// A damaged note is said once and begun anew.
func TestDamagedAddresses(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	if _, _, err := d.ledger.SetNote(t.Context(), HealthRuleID, addressNote, `{"addresses":{"inbox":null,"x":7}`, ""); err != nil {
		t.Fatal(err)
	}
	d.inbox.fail = failing(errDown)
	if _, err := d.tick(clock("10:05")); err == nil {
		t.Error("no error")
	}
	d.inbox.fail = nil
	if report, err := d.tick(clock("10:06")); err != nil || report.Deliveries[0].Sent != 1 {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
	// Also if there is nothing else to note.
	d = oneAlert(t, config())
	d.world.events = append(d.world.events, happened("b", "bob", "10:10"))
	if _, _, err := d.ledger.SetNote(t.Context(), HealthRuleID, addressNote, "{", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.tick(clock("10:05")); err == nil {
		t.Error("no error")
	}
	if report, err := d.tick(clock("11:05")); err != nil || report.Deliveries[0].Sent != 1 {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
}

// An address that is no more is not said to refuse.
func TestRefusalsOfTheGone(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	d.inbox.fail = failing(errDown)
	_, _ = d.tick(clock("10:05"))
	list, err := Refusals(t.Context(), d.ledger)
	if diff := cmp.Diff([]Refusal{{Destination: "inbox", Since: clock("10:05"), Next: clock("10:06"), Error: "it is down"}}, list); diff != "" || err != nil {
		t.Errorf("%v, refusals (-want +got):\n%s", err, diff)
	}
	d.inbox = &inbox{name: "another"}
	d.restart()
	_, _ = d.tick(clock("10:10"))
	if list, err := Refusals(t.Context(), d.ledger); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// What somebody asks for is done by the next tick.
func TestTryRefused(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	attempts(d, "10:05", "11:10", failing(errDown))
	if err := TryRefused(t.Context(), d.ledger, clock("11:10")); err != nil {
		t.Fatal(err)
	}
	if report, err := d.tick(clock("11:11")); err == nil || report.Deliveries[0].Addresses[0].Next != clock("11:12") {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
}

// What is known of an address that is used no more is forgotten in the end.
func TestForgetAddresses(t *testing.T) {
	t.Parallel()
	b := (&addressBook{Addresses: map[string]*address{
		"mail to counting": {Since: clock("01:00"), Refused: clock("01:00")}, "mail old": {Since: clock("01:00")},
		"mail recent": {Since: clock("01:00"), Changed: clock("01:00").Add(30 * 24 * time.Hour)},
		"mail gone":   {Since: clock("01:00"), Changed: clock("01:00").Add(30 * 24 * time.Hour), Refused: clock("01:00")},
	}}).clone()
	b.forget([]notify.Notifier{&mailroom{inbox: inbox{name: "mail"}}}, clock("02:00").Add(forgetAfter))
	var left []string
	for key := range b.Addresses {
		left = append(left, key)
	}
	if diff := cmp.Diff([]string{"mail recent", "mail to counting"}, left, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Error(diff)
	}
}
