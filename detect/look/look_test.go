package look

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/workspace"
)

type noCredential struct{}

func (noCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

var midnight = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

func at(minute int) time.Time { return midnight.Add(time.Duration(minute) * time.Minute) }

// record was generated and came in so many minutes after midnight. A negative one
// is not known.
type record struct {
	generated, received int
	name                string
}

func tableOf(t *testing.T, name string, records ...record) *kql.Table {
	t.Helper()
	b := kql.NewTableBuilder(name, kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "_TimeReceived", Type: kql.DateTime}, {Name: "a b", Type: kql.String}})
	for _, r := range records {
		b.SetTime(0, at(r.generated))
		if r.received >= 0 {
			b.SetTime(1, at(r.received))
		}
		b.SetString(2, []byte(r.name))
		b.Commit()
	}
	return b.Build()
}

// ask asks a workspace that holds tables, so many minutes after midnight.
func ask(t *testing.T, now int, asks []Ask, tables ...*kql.Table) ([]Answer, time.Time, error) {
	t.Helper()
	client, err := workspace.New("local", noCredential{}, workspace.Options{ClientOptions: azcore.ClientOptions{
		Transport: &service.Service{DB: kql.NewDatabase(tables...), Now: func() time.Time { return at(now) }},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := client.Query(t.Context(), Query(asks))
	if err != nil {
		t.Fatalf("%v\n%s", err, Query(asks).Text)
	}
	return Read(asks, table)
}

// A look finds which stretches of time have records that came in since, that the
// beginning lets through and that the workspace has by now.
func TestLook(t *testing.T) {
	t.Parallel()
	since := at(100)
	everything := func(width int, beginnings ...Beginning) Ask {
		return Ask{Beginnings: beginnings, Since: since, From: at(0), To: at(120), Width: time.Duration(width) * time.Minute}
	}
	odd := tableOf(t, "Odd's \"table\"\\", record{5, 101, "x"})
	events := tableOf(t, "Events",
		record{1, 2, "x"},     // came in before
		record{31, 100, "x"},  // at the very moment: the look before has it
		record{32, 101, "x"},  // since
		record{38, 105, "x"},  // since, in the same stretch of ten minutes
		record{61, 106, "y"},  // not let through by "x"
		record{119, 110, "x"}, // at the end
		record{120, 110, "x"}, // behind it
		record{90, 111, "x"})  // not there yet
	unknown := tableOf(t, "Unknown", record{1, -1, "x"}, record{2, 101, "y"})
	x := `['a b'] == "x"`
	for name, tt := range map[string]struct {
		ask  Ask
		want []int // the stretches, in minutes
		err  error
	}{
		"a condition":           {ask: everything(10, Beginning{"Events", x}), want: []int{30, 110}},
		"all":                   {ask: everything(10, Beginning{"Events", ""}), want: []int{30, 60, 110}},
		"one of two conditions": {ask: everything(10, Beginning{"Events", x}, Beginning{"Events", `['a b'] == "y"`}), want: []int{30, 60, 110}},
		"one of them is all":    {ask: everything(10, Beginning{"Events", x}, Beginning{"Events", ""}, Beginning{"Events", x}), want: []int{30, 60, 110}},
		"wide stretches":        {ask: everything(60, Beginning{"Events", x}), want: []int{0, 60}},
		"nothing":               {ask: everything(10, Beginning{"Events", `['a b'] == "z"`})},
		"no table":              {ask: everything(10, Beginning{"Events", x}, Beginning{"Nowhere", x}), want: []int{30, 110}, err: &UnresolvedError{"Nowhere"}},
		"an odd name":           {ask: everything(10, Beginning{odd.Name(), ""}), want: []int{0}},
		"no time":               {ask: everything(10, Beginning{"Unknown", x}), err: &UnknownTimeError{"Unknown"}},
		"no time, not seen":     {ask: everything(10, Beginning{"Unknown", `['a b'] == "y"`}), want: []int{0}},
		"no tables":             {ask: everything(10)},
	} {
		// Beside another one, its answer is the same.
		other := everything(10, Beginning{"Events", `['a b'] == "y"`}, Beginning{odd.Name(), ""})
		answers, asked, err := ask(t, 110, []Ask{other, tt.ask, other}, events, odd, unknown)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !asked.Equal(at(110)) {
			t.Errorf("%s: asked at %s", name, asked)
		}
		for i, want := range [][]int{{60, 0}, tt.want, {60, 0}} {
			var got []int
			for _, s := range answers[i].Stretches {
				got = append(got, int(s.Sub(midnight).Minutes()))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, rule %d (-want +got):\n%s", name, i, diff)
			}
		}
		if got := answers[1].Err; fmt.Sprint(got) != fmt.Sprint(tt.err) {
			t.Errorf("%s: %v, want %v", name, got, tt.err)
		}
		if answers[0].Err != nil || answers[2].Err != nil {
			t.Errorf("%s: what is wrong with one is said of others: %v, %v", name, answers[0].Err, answers[2].Err)
		}
	}
}

// What came in after the last look at its last window is counted.
func TestBeyond(t *testing.T) {
	t.Parallel()
	events := tableOf(t, "Events",
		record{10, 1500 + 75, ""},  // its last window ends at 60
		record{10, 1500 + 60, ""},  // in time
		record{70, 1500 + 130, ""}) // its last window ends at 120
	a := Ask{
		Beginnings: []Beginning{{"Events", ""}}, Since: at(1000), From: at(0), To: at(3000), Width: time.Hour,
		Beyond: &Beyond{Frequency: time.Hour, Period: time.Hour, After: 1500 * time.Minute},
	}
	answers, _, err := ask(t, 2000, []Ask{a}, events)
	if err != nil {
		t.Fatal(err)
	}
	want := []TooLate{{"Events", 2, 1565 * time.Minute, 1515 * time.Minute}}
	if diff := cmp.Diff(want, answers[0].Beyond); diff != "" || answers[0].Err != nil {
		t.Errorf("%v (-want +got):\n%s", answers[0].Err, diff)
	}
	a.Beyond.After = 2000 * time.Minute
	if answers, _, err = ask(t, 2000, []Ask{a}, events); err != nil || answers[0].Err != nil || len(answers[0].Beyond) > 0 {
		t.Errorf("%+v, %v", answers, err)
	}
}

// A query has some twenty legs, and those of a rule stay together.
func TestBatches(t *testing.T) {
	t.Parallel()
	with := func(tables, condition int) Ask {
		var a Ask
		for i := range tables {
			a.Beginnings = append(a.Beginnings, Beginning{fmt.Sprint("T", i), strings.Repeat("x", condition)})
		}
		return a
	}
	var asks []Ask
	for range 19 {
		asks = append(asks, with(1, 10))
	}
	asks = append(asks, with(2, 10), with(25, 10), with(1, 15<<10), with(1, 15<<10), with(1, 15<<10), with(1, 15<<10), with(1, 15<<10))
	var sizes []int
	next := 0
	for _, batch := range Batches(asks) {
		sizes = append(sizes, len(batch))
		for _, i := range batch {
			if i != next {
				t.Errorf("ask %d comes after %d", i, next)
			}
			next++
		}
	}
	if diff := cmp.Diff([]int{19, 1, 1, 4, 1}, sizes); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if long := with(1, mostCondition).legs(); long[0].condition != "" {
		t.Errorf("a condition of %d bytes is asked for", len(long[0].condition))
	}
}

// An answer that is not one to a look says nothing.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	asks := []Ask{{Beginnings: []Beginning{{"Events", ""}}, From: at(0), To: at(60), Width: time.Hour}}
	columns := []workspace.Column{{Name: "Leg"}, {Name: "Asked"}, {Name: "Stretches"}, {Name: "Records"}, {Name: "Unknown"}, {Name: "Latest"}, {Name: "Excess"}}
	first := []any{int64(-1), at(1), nil, int64(0), int64(0), nil, nil}
	row := func(leg, stretches any, records int64) []any {
		return []any{leg, at(1), stretches, records, int64(0), nil, nil}
	}
	for name, table := range map[string]*workspace.Table{
		"no data":         {NoData: true},
		"no columns":      {},
		"no row":          {Columns: columns},
		"no first row":    {Columns: columns, Rows: [][]any{row(int64(0), nil, 0)}},
		"a leg twice":     {Columns: columns, Rows: [][]any{first, row(int64(0), nil, 0), row(int64(0), nil, 0)}},
		"a leg's name":    {Columns: columns, Rows: [][]any{first, row("0", nil, 0)}},
		"no list of them": {Columns: columns, Rows: [][]any{first, row(int64(0), workspace.NewDynamic(`{"a":1}`), 1)}},
	} {
		if answers, _, err := Read(asks, table); err == nil {
			t.Errorf("%s: %+v", name, answers)
		}
	}
	answers, _, err := Read(asks, &workspace.Table{Columns: columns, Rows: [][]any{first, row(int64(0), workspace.NewDynamic(`[]`), 3)}})
	if err != nil || answers[0].Err == nil || errors.As(answers[0].Err, new(*UnresolvedError)) {
		t.Errorf("records without a time: %+v, %v", answers, err)
	}
}
