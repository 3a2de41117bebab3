package detect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

// awkward are pieces of texts that an encoding may take for its own.
var awkward = []string{"", "a", "b", "\n", "a\nb", ",", "\x00", "s1a", "n", `"`, `["a","b"]`, "null", "1", "1.0", "true", "{}", "\u2028", "é"}

func awkwardText(r *rand.Rand) string {
	text := ""
	for range r.IntN(3) {
		text += awkward[r.IntN(len(awkward))]
	}
	return text
}

// awkwardValue returns a value of JSON.
func awkwardValue(r *rand.Rand, depth int) any {
	kind := r.IntN(8)
	if depth == 0 {
		kind = r.IntN(5)
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return json.Number(fmt.Sprint(r.IntN(4)))
	case 2:
		return r.IntN(2) == 0
	case 3, 4:
		return awkwardText(r)
	case 5:
		object := map[string]any{}
		for range r.IntN(3) {
			object[awkwardText(r)] = awkwardValue(r, depth-1)
		}
		return object
	default:
		array := []any{}
		for range r.IntN(4) {
			array = append(array, awkwardValue(r, depth-1))
		}
		return array
	}
}

// meaning writes a value as JSON, an array as its elements in any order.
func meaning(value any) string {
	write := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	array, ok := value.([]any)
	if !ok {
		return write(value)
	}
	count := map[string]int{}
	for _, e := range array {
		count[write(e)]++
	}
	return "set " + write(count)
}

// 10,000 identities of texts with separators, nulls, nested arrays and objects
// are as many fingerprints as they are different.
func TestIdentitiesDoNotCollide(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	byPrint, byMeaning := map[alert.Fingerprint]string{}, map[string]alert.Fingerprint{}
	for len(byMeaning) < 10_000 {
		table := workspace.Table{Columns: columns("A:dynamic", "B:dynamic", "Text:string")}
		a, b, text := awkwardValue(r, 3), awkwardValue(r, 3), awkwardText(r)
		row := []any{nil, nil, text}
		means := fmt.Sprintf("%s | %s | %q", meaning(a), meaning(b), text)
		for i, v := range []any{a, b} {
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if v != nil {
				row[i] = workspace.NewDynamic(string(raw))
			}
		}
		table.Rows = [][]any{row}
		reader := rowReader{ruleID: "r", table: &table, identities: []int{0, 1, 2}}
		f := alert.NewFingerprint("r", reader.encoded(nil, row, reader.identities))
		if other, ok := byPrint[f]; ok && other != means {
			t.Fatalf("%s and %s have one fingerprint", means, other)
		}
		if other, ok := byMeaning[means]; ok && other != f {
			t.Fatalf("%s has two fingerprints", means)
		}
		byPrint[f], byMeaning[means] = means, f
	}
}

// TestIdentityValues is about which cells are the same.
func TestIdentityValues(t *testing.T) {
	t.Parallel()
	d := func(text string) any { return workspace.NewDynamic(text) }
	for _, test := range []struct {
		name string
		a, b any
		same bool
	}{
		{"array and its elements in one", d(`["a","b"]`), d(`["a\nb"]`), false},
		{"array and text", d(`["a","b"]`), "a\nb", false},
		{"array and its JSON as text", d(`["a","b"]`), `["a","b"]`, false},
		{"null element", d(`["a",null]`), d(`["a"]`), false},
		{"null and empty element", d(`[null]`), d(`[""]`), false},
		{"number and text", d(`[1]`), d(`["1"]`), false},
		{"bool and text", d(`[true]`), d(`["true"]`), false},
		{"nested array", d(`[["a","b"]]`), d(`["a","b"]`), false},
		{"nested array and its JSON", d(`[["a"]]`), d(`["[\"a\"]"]`), false},
		{"order of an inner array", d(`[["a","b"]]`), d(`[["b","a"]]`), false},
		{"null and empty text", nil, "", false},
		{"once and twice", d(`["a","a"]`), d(`["a"]`), false},
		{"order of elements", d(`["b","a"]`), d(`["a","b"]`), true},
		{"order of keys", d(`{"a":1,"b":{"c":2,"d":3}}`), d(`{"b":{"d":3,"c":2},"a":1}`), true},
		{"white space", d(`{"a" : [ 1 ]}`), d(`{"a":[1]}`), true},
		{"escapes", d(`["\u0061"]`), d(`["a"]`), true},
		{"dynamic text and text", d(`"a"`), "a", true},
		{"number of both types", d(`7`), int64(7), true},
	} {
		if same := encodedIdentity(test.a, false) == encodedIdentity(test.b, false); same != test.same {
			t.Errorf("%s: the same is %v, want %v", test.name, same, test.same)
		}
	}
}

// An IP entity of any rule, and the identity, have an address in its one
// spelling; the log's own stays in the details.
func TestAddresses(t *testing.T) {
	t.Parallel()
	const mapped = `
entityMappings:
  - entityType: IP
    fieldMappings: [{identifier: Address, columnName: Ip}]
  - entityType: MailMessage
    fieldMappings: [{identifier: Recipient, columnName: User}, {identifier: SenderIP, columnName: Sender}]
customDetails: {Raw: Ip}
`
	build := func(ip, sender any) alert.Alert {
		t.Helper()
		table := &workspace.Table{
			Columns: columns("TimeGenerated:datetime", "User:string", "Ip:string", "Sender:string"),
			Rows:    [][]any{{clock("09:10"), "alice", ip, sender}},
		}
		if _, ok := ip.(workspace.Dynamic); ok {
			table.Columns[2].Type = "dynamic"
		}
		r := parse(t, mapped)
		window := alert.Span{Start: clock("09:00"), End: clock("10:00")}
		found := newRowReader(r, table, window).found()
		return newBuilder(r, table, window, clock("10:05")).alerts(found)[0]
	}
	a, b := build("2600:0:0:0:0:0:0:1", "203.0.113.7:25"), build("[2600::1]:443", "::ffff:203.0.113.7")
	if a.Activities[0].Fingerprint != b.Activities[0].Fingerprint || a.ID != b.ID {
		t.Error("one address in two spellings is two identities")
	}
	if diff := cmp.Diff(a.Entities, b.Entities); diff != "" {
		t.Errorf("entities (-a +b):\n%s", diff)
	}
	want := []alert.Entity{
		{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "2600::1"}}},
		{Type: "MailMessage", Fields: []alert.Field{{Identifier: "Recipient", Value: "alice"}, {Identifier: "SenderIP", Value: "203.0.113.7"}}},
	}
	if diff := cmp.Diff(want, a.Entities); diff != "" {
		t.Errorf("entities (-want +got):\n%s", diff)
	}
	details := []alert.Detail{{Name: "Raw", Values: []string{"2600:0:0:0:0:0:0:1"}}, {Name: "LoggedAddresses", Values: []string{"2600:0:0:0:0:0:0:1", "203.0.113.7:25"}}}
	if diff := cmp.Diff(details, a.CustomDetails); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if cell, _ := a.Rows[0].Get("Ip"); cell.Text() != "2600:0:0:0:0:0:0:1" {
		t.Errorf("the row says %q", cell.Text())
	}
	// All elements of an array, and what is no address as it is.
	list := build(workspace.NewDynamic(`["::FFFF:198.51.100.1","unknown"]`), "x")
	want = []alert.Entity{
		{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "198.51.100.1"}}},
		{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "unknown"}}},
		{Type: "MailMessage", Fields: []alert.Field{{Identifier: "Recipient", Value: "alice"}, {Identifier: "SenderIP", Value: "x"}}},
	}
	if diff := cmp.Diff(want, list.Entities); diff != "" {
		t.Errorf("entities of an array (-want +got):\n%s", diff)
	}
	if plain := build("203.0.113.7", "203.0.113.8"); len(plain.CustomDetails) != 1 {
		t.Errorf("addresses that the log spells alike have a detail: %v", plain.CustomDetails)
	}
}
