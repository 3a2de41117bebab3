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
	before := address{Since: at("01:00"), Taken: at("02:00"), Count: 5}
	refused := address{Since: at("01:00"), Taken: at("02:00"), Count: 5, Refused: at("03:00"), Tries: 2, Next: at("03:03"), Last: "a", Error: "no"}
	taken := address{Since: at("01:00"), Taken: at("03:05"), Count: 7}
	for _, test := range []struct {
		name               string
		read, ours, theirs address
		want               address
	}{
		{"only they changed it", before, before, refused, refused},
		{"only we changed it", before, refused, before, refused},
		{"both sent", before, taken, address{Since: at("01:00"), Taken: at("03:01"), Count: 8}, address{Since: at("01:00"), Taken: at("03:05"), Count: 10}},
		{"we sent, they were refused", before, taken, refused, address{Since: at("01:00"), Taken: at("03:05"), Count: 7}},
		{"they sent, we were refused before", before, refused, taken, taken},
		{"both were refused", before, refused, address{Since: at("01:00"), Taken: at("02:00"), Count: 5, Refused: at("02:59"), Tries: 1, Next: at("03:00")}, refused},
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
}

// What is known of an address that is used no more is forgotten in the end.
func TestForgetAddresses(t *testing.T) {
	t.Parallel()
	b := (&addressBook{Addresses: map[string]*address{
		"mail to counting": {Since: clock("01:00")}, "mail old": {Since: clock("01:00")}, "mail recent": {Since: clock("01:00"), Next: clock("01:00").Add(30 * 24 * time.Hour)},
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
