package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// TestTargets pins that each address of a destination is a delivery of its own: where
// one has the alert, the other is tried again, and never another.
func TestTargets(t *testing.T) {
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l, ctx := open(), t.Context()
		a := newAlert("rule", activity("a", 0, 1))
		amy := []alert.Mention{{ID: "amy@contoso.example", Name: "Amy"}}
		targets := func(destination string, of alert.Alert) ([]Target, bool) {
			if of.ID != a.ID {
				t.Errorf("asked of %s", of.ID)
			}
			switch destination {
			case "teams":
				return []Target{{Address: "SOC", Mentions: amy}, {Address: "VIP"}}, true
			case "pager":
				return nil, true // only what else it is routed to
			}
			return nil, false
		}
		e := Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(60)}, Alerts: []alert.Alert{a}, Destinations: []string{"log", "pager", "teams"}, Targets: targets}
		if err := l.Record(ctx, e); err != nil {
			t.Fatal(err)
		}
		type owed struct {
			to, address, of string
			mentions        []alert.Mention
		}
		list := func() (list []owed) {
			t.Helper()
			all, err := open().Outbox(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range all {
				list = append(list, owed{o.Destination, o.Address, o.Alert.Address, o.Alert.Mentions})
			}
			return list
		}
		check := func(want ...owed) {
			t.Helper()
			if diff := cmp.Diff(want, list(), cmp.AllowUnexported(owed{})); diff != "" {
				t.Errorf("what is owed (-want +got):\n%s", diff)
			}
		}
		check(owed{to: "log"}, owed{"teams", "SOC", "SOC", amy}, owed{to: "teams", address: "VIP", of: "VIP"})

		of := func(address string) Owed {
			t.Helper()
			all, err := l.OwedOf(ctx, a.ID, "teams")
			for _, o := range all {
				if o.Address == address {
					return o
				}
			}
			t.Fatalf("%s is not owed: %v", address, err)
			return Owed{}
		}
		whole, claimed, err := l.Claim(ctx, of("SOC"), at(60), at(61))
		if err != nil || !claimed || whole.Address != "SOC" || !cmp.Equal(whole.Mentions, amy) || !cmp.Equal(whole.Activities, a.Activities) {
			t.Errorf("claimed = %t, %v: %+v", claimed, err, whole)
		}
		if whole, claimed, err = l.Claim(ctx, of("VIP"), at(60), at(61)); err != nil || !claimed || whole.Address != "VIP" || whole.Mentions != nil {
			t.Errorf("claimed = %t, %v: %+v", claimed, err, whole)
		}
		if err := l.Sent(ctx, of("SOC")); err != nil {
			t.Fatal(err)
		}
		if err := l.Failed(ctx, of("VIP"), Failure{Err: "503", Next: at(70)}); err != nil {
			t.Fatal(err)
		}
		check(owed{to: "log"}, owed{to: "teams", address: "VIP", of: "VIP"})
		if k, err := l.KeptOf(ctx, a.ID); err != nil || len(k.Deliveries) != 3 || k.Deliveries[1].Address != "SOC" || k.Deliveries[1].Sent.IsZero() || k.Deliveries[2].LastError != "503" || k.Alert.Address != "" {
			t.Errorf("%+v, %v", k, err)
		}
	})
}

// TestTargetsOfNone pins that nothing is lost by a route: what goes to no address of any
// destination goes to all of them.
func TestTargetsOfNone(t *testing.T) {
	t.Parallel()
	e := Entry{Destinations: []string{"log", "teams"}, Targets: func(string, alert.Alert) ([]Target, bool) { return nil, true }}
	if diff := cmp.Diff([]delivery{{Name: "log"}, {Name: "teams"}}, e.deliveries(alert.Alert{})); diff != "" {
		t.Error(diff)
	}
}
