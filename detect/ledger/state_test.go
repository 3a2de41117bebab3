package ledger

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// filled sets a value, and all that is in it, to something that is not zero.
func filled(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(noon.Add(time.Duration(*n)*time.Minute + 100*time.Nanosecond)))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				t.Fatalf("the field %s of %s is not exported: it would be lost", v.Type().Field(i).Name, v.Type())
			}
			filled(t, v.Field(i), n)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			filled(t, v.Index(i), n)
		}
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			filled(t, key, n)
			filled(t, value, n)
			v.SetMapIndex(key, value)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(t, v.Elem(), n)
	case v.Kind() == reflect.String:
		v.SetString("<\"é\x01" + string(rune('a'+*n%26)))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(*n))
	case v.CanUint():
		v.SetUint(uint64(*n))
	case v.CanFloat():
		v.SetFloat(float64(*n) + 0.5)
	default:
		t.Fatalf("a %s is not known here", v.Type())
	}
}

// TestStateIsKept saves a state with something in each of its fields, and reads the
// same. A field that is new is tested with the others.
func TestStateIsKept(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		var full State
		n := 0
		filled(t, reflect.ValueOf(&full).Elem(), &n)
		if errs := open().Save(t.Context(), []Saving{{RuleID: "full", State: full}, {RuleID: "empty"}}); errs[0] != nil || errs[1] != nil {
			t.Fatal(errs)
		}
		for id, want := range map[string]State{"full": full, "empty": {}} {
			begun := open()
			if err := begun.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, l := range []*Ledger{begun, open()} {
				got, err := l.State(t.Context(), id)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("State of %s, %v (-want +got):\n%s", id, err, diff)
				}
			}
		}
		// The ledger's is its own.
		before, err := json.Marshal(full)
		if err != nil {
			t.Fatal(err)
		}
		l := open()
		if errs := l.Save(t.Context(), []Saving{{RuleID: "full", State: full}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		full.Pending[0] = at(-60)
		got, err := l.State(t.Context(), "full")
		if err != nil {
			t.Fatal(err)
		}
		if after, err := json.Marshal(got); err != nil || string(after) != string(before) {
			t.Errorf("State = %s, %v; want %s", after, err, before)
		}
	})
}

// TestSharedRowIsKept writes a shared row with something in each of its fields.
func TestSharedRowIsKept(t *testing.T) {
	t.Parallel()
	want := runRow{
		ruleID: "rule", format: Format, epoch: 1 << 50, holder: "holder", until: at(1), tally: tally{"2026-03-14T12": 3},
		owes: true, began: at(2), recorded: at(3), purged: at(4),
	}
	n := 0
	filled(t, reflect.ValueOf(&want.state).Elem(), &n)
	zero := reflect.ValueOf(want)
	for i := range zero.NumField() {
		if name := zero.Type().Field(i).Name; zero.Field(i).IsZero() && name != "unmoved" {
			t.Errorf("the field %s is not tested", name)
		}
	}
	s := &tableStore{}
	c, err := s.prepare(directory, change{key: runKeyOf("rule"), row: &want})
	if err != nil {
		t.Fatal(err)
	}
	i, err := decodeItem(c.wire, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *i.row.(*runRow), cmp.AllowUnexported(runRow{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
