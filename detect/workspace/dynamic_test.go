package workspace

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzDynamic compares what is read of a JSON text, and how it is kept, with what
// encoding/json makes of it.
func FuzzDynamic(f *testing.F) {
	for _, text := range []string{
		`["a","b"]`, `["a\u0062\"\\\/","\ud83d\ude00","\ud800"]`, `{"a":{"b":[1,-2.50e+10,true,false,null]},"a":{}}`, `[[],{},[{}],""]`,
		"\"\xff\"", "\"<b>&\u2028\u2029é\"", " [ 1 ,\t2 ]\n", `null`, `"null"`, `bare`, `[1,]`, `{} {}`, ``, `"`, `12345678901234567890`, "[\"\xed\xa0\x80\"]",
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat(`{"a":`, 9_999) + "1" + strings.Repeat("}", 9_999),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := NewDynamic(text)
		wantRaw, err := json.Marshal(json.RawMessage(text))
		if err != nil || text == "" {
			wantRaw, _ = json.Marshal(text)
		}
		if !bytes.Equal(got.JSON(), wantRaw) {
			t.Errorf("%q is kept as %q, want %q", text, got.JSON(), wantRaw)
		}
		d := json.NewDecoder(bytes.NewReader(wantRaw))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		for range 2 { // what another text left behind does not matter
			if got := parseJSON(wantRaw); !reflect.DeepEqual(got, want) { // cmp takes minutes for what nests deep
				t.Errorf("%.200q is %.200v, want %.200v", text, got, want)
			}
		}
		if !reflect.DeepEqual(got.Value(), want) {
			t.Errorf("the value of %.200q is %.200v, want %.200v", text, got.Value(), want)
		}
	})
}

// FuzzLiteral compares the text of a JSON string with what encoding/json makes of it.
func FuzzLiteral(f *testing.F) {
	for _, cell := range []string{`"a"`, `"a\"b\\c\/\u00e9\ud83d\ude00"`, `"\ud800x"`, "\"\xff\\n\"", `""`, `"` + strings.Repeat(`\"x`, 2000) + `"`} {
		f.Add([]byte(cell))
	}
	f.Fuzz(func(t *testing.T, cell []byte) {
		var want string
		if len(cell) == 0 || cell[0] != '"' || json.Unmarshal(cell, &want) != nil || cell[len(cell)-1] != '"' {
			return
		}
		if got, ok, err := literal(cell); got != want || !ok || err != nil {
			t.Errorf("%q is %q, %v, %v, want %q", cell, got, ok, err, want)
		}
	})
}
