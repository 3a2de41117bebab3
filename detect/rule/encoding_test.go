package rule

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A rule file is read in UTF-16 too, as Windows PowerShell writes one on `>`, and
// places in it are those of its characters.
func TestUTF16(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		for _, text := range []string{string(defaultYAML), "id: x\nname: größer 😀\nseverity: None\n", "\n\tx"} {
			var data []byte
			for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
				data = order.AppendUint16(data, unit)
			}
			want, wantProblems := Parse("r.yaml", []byte(text))
			got, problems := Parse("r.yaml", data)
			if diff := cmp.Diff(wantProblems, problems); diff != "" {
				t.Errorf("%s endian, problems (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Rule{}, Query{})); diff != "" {
				t.Errorf("%s endian (-want +got):\n%s", name, diff)
			}
		}
	}
}
