package silence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

// manyAdHoc are silences as the ledger has them.
func manyAdHoc(n int) (list AdHoc) {
	for i := range n {
		list = append(list, Silence{ID: fmt.Sprint("s", i), MaxSeverity: alert.Medium, Until: noon.Add(time.Hour), Reason: "pen test,\nticket 4711", By: "amy", Match: []Matcher{
			{Entity: "IP", Identifier: "Address", CIDR: []string{fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)}},
			{Entity: "Account", Identifier: "FullName", Values: []string{fmt.Sprintf("pentest-%d-*@x.example", i)}},
		}})
	}
	return list
}

func encoded(t testing.TB, list AdHoc) string {
	t.Helper()
	text, err := list.Encode(noon)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever changes between two readings, the second reads what a first would.
func TestReader(t *testing.T) {
	t.Parallel()
	list := manyAdHoc(5)
	more, err := list.Add(Silence{ID: "more", MaxSeverity: alert.Low, Until: noon.Add(time.Hour), Reason: "]}\n{\"", By: "bob", Match: list[0].Match})
	if err != nil {
		t.Fatal(err)
	}
	ended, _, err := more.End("s2", noon, "carol")
	if err != nil {
		t.Fatal(err)
	}
	form, err := json.Marshal(adHocForm{list}) // as versions before wrote it
	if err != nil {
		t.Fatal(err)
	}
	var r Reader
	for i, text := range []string{encoded(t, list), encoded(t, more), encoded(t, ended), encoded(t, ended[3:]), string(form), "", encoded(t, nil), encoded(t, more)} {
		got, err := r.Read(text)
		if err != nil {
			t.Fatalf("%d: %v: %s", i, err, text)
		}
		var want struct{ Silences AdHoc }
		if text != "" {
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatalf("%d: what is written is no JSON: %v", i, err)
			}
		}
		if diff := cmp.Diff(want.Silences, got, cmpopts.EquateEmpty(), cmp.AllowUnexported(Hours{}, weekly{})); diff != "" {
			t.Errorf("%d (-want +got):\n%s", i, diff)
		}
	}
}

// What is damaged is an error, also beside silences that are known, and what comes
// after it is read all the same.
func TestReaderDamaged(t *testing.T) {
	t.Parallel()
	good := encoded(t, manyAdHoc(3))
	var r Reader
	for _, c := range []struct{ from, to string }{
		{`"id":"s1"`, `"id":"s 1"`},
		{`"match":[`, `"match":[],"x":[`},
		{`"until":"`, `"until":"x`},
		{`"until":"2`, `"unti1":"2`},
		{",\n", "\n"},
		{"\n]}", ""},
		{"\n]}", "\n]}]}"},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if bad == good {
			t.Fatalf("%s is not in %s", c.from, good)
		}
		if list, err := r.Read(bad); err == nil || !strings.Contains(err.Error(), "damaged") || list != nil {
			t.Errorf("%s: %v, %d silences", c.to, err, len(list))
		}
		if list, err := r.Read(good); err != nil || len(list) != 3 {
			t.Errorf("after %s: %v, %d silences", c.to, err, len(list))
		}
	}
}

// BenchmarkRead measures reading 1,000 silences of the ledger, of which one was added,
// and having them ready, which a tick does when they changed; and the same in the first
// tick of a process.
func BenchmarkRead(b *testing.B) {
	list := manyAdHoc(1001)
	before, after := encoded(b, list[:1000]), encoded(b, list[1:])
	for name, read := range map[string]func(*Reader) (AdHoc, error){
		"changed": func(r *Reader) (AdHoc, error) { return r.Read(after) },
		"first":   func(*Reader) (AdHoc, error) { return DecodeAdHoc(after) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				var r Reader
				if _, err := r.Read(before); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				list, err := read(&r)
				if err != nil {
					b.Fatal(err)
				}
				New(list, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/tick")
		})
	}
}
