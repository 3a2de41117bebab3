package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	writer "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/deprecated"
)

// rowsOf reads a file as one line for each record.
func rowsOf(file []byte, most int) (lines []string, err error) {
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	err = f.Rows(context.Background(), most, func(values [][]byte) error {
		if values == nil {
			lines = append(lines, "too long")
			return nil
		}
		var line strings.Builder
		for i, c := range f.Columns() {
			fmt.Fprintf(&line, "%s=%s ", c.Name, values[i])
		}
		lines = append(lines, strings.TrimSpace(line.String()))
		return nil
	})
	return lines, err
}

func written[T any](t testing.TB, rows []T, options ...writer.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := writer.NewGenericWriter[T](&out, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type step struct {
	Method string `parquet:"method"`
	OK     *bool  `parquet:"ok,optional"`
}

type signIn struct {
	At      time.Time         `parquet:"at,timestamp(microsecond)"`
	User    *string           `parquet:"user,optional,dict"`
	Code    int32             `parquet:"code,delta"`
	Bytes   int64             `parquet:"bytes,delta"`
	Ratio   float64           `parquet:"ratio,split"`
	Small   float32           `parquet:"small,split"`
	App     string            `parquet:"app,delta"`
	Address string            `parquet:"address"`
	Managed bool              `parquet:"managed"`
	Steps   []step            `parquet:"steps,list"`
	Plain   []int64           `parquet:"plain"`
	Tags    map[string]string `parquet:"tags"`
	Device  *struct {
		Browser string   `parquet:"browser"`
		Names   []string `parquet:"names,list"`
	} `parquet:"device,optional"`
	Raw string `parquet:"raw,json"`
}

func signIns(n int) (rows []signIn, want []string) {
	for i := range n {
		yes := true
		r := signIn{
			At: time.Date(2026, 3, 17, 10, i, 0, 123456000, time.UTC), Code: int32(500121 - i), Bytes: -1 << 40 * int64(i),
			Ratio: float64(i) / 2, Small: 0.25, App: fmt.Sprintf("Office %d", i%4), Address: "192.0.2." + fmt.Sprint(i), Managed: i%3 == 0,
			Raw: fmt.Sprintf(`{"n":%d}`, i),
		}
		user, steps, plain, tags, device := "null", "[]", "[]", "{}", "null"
		if i%2 == 0 {
			name := fmt.Sprintf("user%d", i%6)
			r.User, user = &name, `"`+name+`"`
		}
		if i%3 == 1 {
			r.Steps, steps = []step{{"Password", &yes}, {"Text \"x\"", nil}}, `[{"method":"Password","ok":true},{"method":"Text \"x\"","ok":null}]`
			r.Plain, plain = []int64{1, -2}, "[1,-2]"
		}
		if i%5 == 2 {
			r.Tags, tags = map[string]string{"a": "b"}, `{"a":"b"}`
			r.Device = &struct {
				Browser string   `parquet:"browser"`
				Names   []string `parquet:"names,list"`
			}{"Edge", []string{"x", ""}}
			device = `{"browser":"Edge","names":["x",""]}`
		}
		rows = append(rows, r)
		want = append(want, fmt.Sprintf(`at="2026-03-17T10:%02d:00.123456Z" user=%s code=%d bytes=%d ratio=%v small=0.25 app=%q address=%q managed=%v steps=%s plain=%s tags=%s device=%s raw=%s`,
			i, user, r.Code, r.Bytes, r.Ratio, r.App, r.Address, r.Managed, steps, plain, tags, device, r.Raw))
	}
	return rows, want
}

// A file gives the same records whichever way it is written.
func TestWays(t *testing.T) {
	t.Parallel()
	rows, want := signIns(50)
	for _, codec := range []compress.Codec{&writer.Uncompressed, &writer.Snappy, &writer.Gzip, &writer.Brotli, &writer.Zstd, &writer.Lz4Raw} {
		for _, version := range []int{1, 2} {
			for _, size := range []int{16, 1 << 20} {
				t.Run(fmt.Sprintf("%v, pages %d of %d bytes", codec, version, size), func(t *testing.T) {
					t.Parallel()
					file := written(t, rows, writer.Compression(codec), writer.DataPageVersion(version), writer.PageBufferSize(size), writer.MaxRowsPerRowGroup(20))
					got, err := rowsOf(file, 1<<20)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("records (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	type every struct {
		Ms    int64            `parquet:"ms,timestamp(millisecond)"`
		Us    int64            `parquet:"us,timestamp(microsecond)"`
		Ns    int64            `parquet:"ns,timestamp(nanosecond)"`
		Old   deprecated.Int96 `parquet:"old"`
		Day   int32            `parquet:"day,date"`
		Clock int64            `parquet:"clock,time(microsecond)"`
		Short int32            `parquet:"short,decimal(2:9)"`
		Long  int64            `parquet:"long,decimal(4:18)"`
		Wide  [12]byte         `parquet:"wide,decimal(3:28)"`
		ID    uuid.UUID        `parquet:"id,uuid"`
		U32   uint32           `parquet:"u32"`
		U64   uint64           `parquet:"u64"`
		Real  float64          `parquet:"real"`
		Blob  []byte           `parquet:"blob"`
		Text  string           `parquet:"text"`
	}
	at := time.Date(2026, 3, 17, 9, 58, 3, 123456700, time.UTC)
	row := every{
		Ms: at.UnixMilli(), Us: at.UnixMicro(), Ns: at.UnixNano(), Old: deprecated.Int96{0x10, 0, 2_440_588 + 20_529},
		Day: 20_529, Clock: 3_723_000_004, Short: -5, Long: 123456, Wide: [12]byte{0: 0xff, 1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xfb, 11: 0x2e},
		ID: uuid.MustParse("6e9f4c12-0d1b-4a3c-9f7e-000000000001"), U32: math.MaxUint32, U64: math.MaxUint64, Real: math.Inf(-1), Blob: []byte{0xff, 0}, Text: "a\x00\"é",
	}
	for _, tt := range []struct {
		name string
		row  every
		want string
	}{
		{"usual", row, `ms="2026-03-17T09:58:03.123Z" us="2026-03-17T09:58:03.123456Z" ns="2026-03-17T09:58:03.1234567Z" old="2026-03-17T00:00:00Z" ` +
			`day="2026-03-17T00:00:00Z" clock="01:02:03.000004" short=-0.05 long=12.3456 wide=-1.234 id="6e9f4c12-0d1b-4a3c-9f7e-000000000001" ` +
			`u32=4294967295 u64=18446744073709551615 real="-Inf" blob="/wA=" text="a\u0000\"é"`},
		{"out of range", every{Ms: math.MaxInt64, Us: math.MinInt64, Ns: math.MinInt64, Day: math.MaxInt32, Clock: -1, Real: math.NaN()},
			`ms="9223372036854775807" us="-9223372036854775808" ns="1677-09-21T00:12:43.1452241Z" old="-2440588" ` +
				`day="2147483647" clock="-1" short=0.00 long=0.0000 wide=0.000 id="00000000-0000-0000-0000-000000000000" u32=0 u64=0 real="NaN" blob="" text=""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := written(t, []every{tt.row})
			got, err := rowsOf(file, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			f, err := Open(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			var kinds []Kind
			for _, c := range f.Columns() {
				kinds = append(kinds, c.Kind)
			}
			if diff := cmp.Diff([]Kind{Time, Time, Time, Time, Time, TimeSpan, Decimal, Decimal, Decimal, GUID, Long, Long, Real, Text, Text}, kinds); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}

// A record of more than the limit is left out, and the others are read.
func TestLongRecord(t *testing.T) {
	t.Parallel()
	type row struct {
		A string   `parquet:"a"`
		B []string `parquet:"b,list"`
	}
	many := make([]string, 1000)
	file := written(t, []row{{A: "x"}, {A: strings.Repeat("y", 300)}, {B: many}, {A: "z"}})
	got, err := rowsOf(file, 200)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`a="x" b=[]`, "too long", "too long", `a="z" b=[]`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// thriftOf writes a structure of the compact protocol: numbers, texts, structures
// and lists of structures, by the numbers of the fields.
func thriftOf(fields ...any) []byte {
	var out []byte
	last := int64(0)
	for i := 0; i < len(fields); i += 2 {
		id := int64(fields[i].(int))
		head := func(typ byte) {
			out = append(out, byte(id-last)<<4|typ)
			last = id
		}
		switch v := fields[i+1].(type) {
		case int:
			head(thriftI64)
			out = binary.AppendVarint(out, int64(v))
		case string:
			head(thriftBinary)
			out = append(binary.AppendUvarint(out, uint64(len(v))), v...)
		case []byte:
			head(thriftStruct)
			out = append(out, v...)
		case [][]byte:
			head(thriftList)
			out = binary.AppendUvarint(append(out, 0xf0|thriftStruct), uint64(len(v)))
			for _, element := range v {
				out = append(out, element...)
			}
		}
	}
	return append(out, 0)
}

// made makes a file of one column, whose pages and what is said of it are given.
func made(pages []byte, physical, repetition, codec, rows, values int) []byte {
	file := append([]byte(Magic), pages...)
	column := thriftOf(3, thriftOf(4, codec, 5, values, 7, len(pages), 9, len(Magic)))
	footer := thriftOf(
		2, [][]byte{thriftOf(4, "schema", 5, 1), thriftOf(1, physical, 3, repetition, 4, "a")},
		3, rows,
		4, [][]byte{thriftOf(1, [][]byte{column}, 3, rows)},
	)
	return closed(append(file, footer...), len(footer))
}

func closed(file []byte, footer int) []byte {
	return append(binary.LittleEndian.AppendUint32(file, uint32(footer)), Magic...)
}

// page makes a page of the first version.
func page(data string, unpacked, values, encoding int) []byte {
	return append(thriftOf(1, dataPage, 2, unpacked, 3, len(data), 5, thriftOf(1, values, 2, encoding, 3, encodingRLE, 4, encodingRLE)), data...)
}

func dictionaryOf(data string, values int) []byte {
	return append(thriftOf(1, dictionaryPage, 2, len(data), 3, len(data), 7, thriftOf(1, values, 2, 0)), data...)
}

// The file that the hostile ones are like is read.
func TestMade(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"plain":      made(page("\x01\x00\x00\x00x\x01\x00\x00\x00x", 10, 2, encodingPlain), physBytes, 0, 0, 2, 2),
		"dictionary": made(append(dictionaryOf("\x01\x00\x00\x00x", 1), page("\x01\x04\x00", 3, 2, encodingDictionary)...), physBytes, 0, 0, 2, 2),
		"prefixes":   made(page("\x80\x01\x04\x02\x00\x02\x00\x00\x00\x00\x80\x01\x04\x02\x02\x01\x00\x00\x00\x00x", 21, 2, encodingDeltaBytes), physBytes, 0, 0, 2, 2),
	} {
		got, err := rowsOf(file, 1<<20)
		if diff := cmp.Diff([]string{`a="x"`, `a="x"`}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// What a file says of itself costs no memory, and ends with an error that says what
// is wrong.
func TestHostile(t *testing.T) {
	const huge = math.MaxInt32
	good := page("\x01\x00\x00\x00x", 5, 1, encodingPlain)
	whole := made(good, physBytes, 0, 0, 1, 1)
	varint := func(n uint64) string { return string(binary.AppendUvarint(nil, n)) }
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	var zipped bytes.Buffer
	zipped.Write([]byte("\xff\xff\xff\xff\x07")) // a snappy block that says that it is 2 GiB
	longText := "\x00\x00\x10\x00" + strings.Repeat("x", 1<<20)
	tests := []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "cut off", []byte(Magic)},
		{"no end", "its end, which says what is in it, is missing", append(whole[:len(whole)-4:len(whole)-4], "xxxx"...)},
		{"encrypted", "an encrypted Parquet file", append(whole[:len(whole)-4:len(whole)-4], "PARE"...)},
		{"a footer longer than the file", "its footer is longer than the file", closed(append([]byte(Magic), good...), huge)},
		{"a footer of nothing", "it has no schema", closed(append([]byte(Magic), 0), 1)},
		{"a list without end in the footer", "its footer cannot be read", closed(append([]byte(Magic), "\x29\xfc\xff\xff\xff\xff\x07"...), 7)},
		{"a schema of two billion columns", "its schema is none that can be read", func() []byte {
			footer := thriftOf(2, [][]byte{thriftOf(4, "schema", 5, huge)}, 3, 0)
			return closed(append([]byte(Magic), footer...), len(footer))
		}()},
		{"a schema without end", "its schema is none that can be read", func() []byte {
			var nodes [][]byte
			for range 1000 {
				nodes = append(nodes, thriftOf(3, 1, 4, "a", 5, 1))
			}
			footer := thriftOf(2, nodes, 3, 0)
			return closed(append([]byte(Magic), footer...), len(footer))
		}()},
		{"a million row groups", `column "a" has values of fewer records than the row group`, func() []byte {
			groups := make([][]byte, 1_000_000)
			for i := range groups {
				groups[i] = thriftOf(1, [][]byte{thriftOf(3, thriftOf(4, 0, 5, 0, 7, 0, 9, 4))}, 3, 0)
			}
			groups[len(groups)-1] = thriftOf(1, [][]byte{thriftOf(3, thriftOf(4, 0, 5, 0, 7, 0, 9, 4))}, 3, huge)
			footer := thriftOf(2, [][]byte{thriftOf(4, "schema", 5, 1), thriftOf(1, physInt32, 4, "a")}, 4, groups)
			return closed(append([]byte(Magic), footer...), len(footer))
		}()},
		{"more row groups than any file has", "has more than 1048576 row groups", func() []byte {
			footer := thriftOf(2, [][]byte{thriftOf(4, "schema", 5, 1), thriftOf(1, physInt32, 4, "a")}, 4, make([][]byte, 0))
			footer = append(footer[:len(footer)-len("\xfc\x00\x00")], "\xfc\x80\x80\x80\x08"...)
			footer = append(footer, make([]byte, 16<<20)...)
			return closed(append([]byte(Magic), footer...), len(footer))
		}()},
		{"levels longer than their page", "the levels of a page are cut off", made(append(thriftOf(1, dataPageV2, 2, 1, 3, 1, 8, thriftOf(1, 1, 4, 0, 5, math.MaxInt64, 6, math.MaxInt64)), 0), physBytes, 1, 0, 1, 1)},
		{"records of which there are no values", "has values of fewer records than the row group", made(good, physBytes, 0, 0, huge, 1)},
		{"more values than records", "has values of more records than the row group", made(append(good, good...), physBytes, 0, 0, 1, 2)},
		{"a column beyond the end", "is said to be where the file is not", func() []byte {
			footer := thriftOf(2, [][]byte{thriftOf(4, "schema", 5, 1), thriftOf(1, physInt32, 4, "a")},
				4, [][]byte{thriftOf(1, [][]byte{thriftOf(3, thriftOf(5, 1, 7, 1<<40, 9, 4))}, 3, 1)})
			return closed(append([]byte(Magic), footer...), len(footer))
		}()},
		{"another file's column", "are in another file, as in _metadata", func() []byte {
			footer := thriftOf(2, [][]byte{thriftOf(4, "schema", 5, 1), thriftOf(1, physInt32, 4, "a")},
				4, [][]byte{thriftOf(1, [][]byte{thriftOf(1, "part-0.parquet", 3, thriftOf(5, 1, 7, 1, 9, 4))}, 3, 1)})
			return closed(append([]byte(Magic), footer...), len(footer))
		}()},
		{"LZO", `column "a" is compressed with LZO, which is not read: write the file again with zstd or snappy`, made(good, physBytes, 0, 3, 1, 1)},
		{"a page that unpacks to two billion bytes", "has a page of 2147483647 bytes; at most", made(page("x", huge, 1, encodingPlain), physBytes, 0, codecZstd, 1, 1)},
		{"a page that is longer than the file", "a page is said to be what it cannot be", made(thriftOf(1, 0, 2, 1, 3, huge, 5, thriftOf(1, 1)), physBytes, 0, 0, 1, 1)},
		{"a block of snappy of two billion bytes", "cannot be decompressed to the size", made(page(zipped.String(), 100, 1, encodingPlain), physBytes, 0, codecSnappy, 1, 1)},
		{"a block of LZ4 that is none", "cannot be decompressed to the size", made(page("\xf0\xff\xff\xff\xff", 100, 1, encodingPlain), physBytes, 0, codecLZ4Raw, 1, 1)},
		{"blocks of LZ4 that end too early", "cannot be decompressed to the size", made(page("\x7f\xff\xff\xff\x00\x00\x00\x01x", 100, 1, encodingPlain), physBytes, 0, codecLZ4, 1, 1)},
		{"a text longer than its page", "a page has fewer values than it is said to have", made(page("\xff\xff\xff\x7fx", 5, 1, encodingPlain), physBytes, 0, 0, 1, 1)},
		{"a page of two billion values", "has a page of 2147483647 values; at most", made(page("", 0, huge, encodingPlain), physBytes, 0, 0, huge, huge)},
		{"more values than the column", "its pages have more values than it is said to have", made(page("\x01\x00\x00\x00x", 5, 7, encodingPlain), physBytes, 0, 0, 1, 1)},
		{"levels without end", "the levels of a page are cut off", made(page("\xff\xff\xff\xffx", 5, 1, encodingPlain), physBytes, 1, 0, 1, 1)},
		{"levels that are too high", "its levels end too early, or are too high", made(page("\x02\x00\x00\x00\x02\x02", 6, 1, encodingPlain), physBytes, 1, 0, 1, 1)},
		{"levels of an old encoding", "levels in the encoding 4", made(append(thriftOf(1, dataPage, 2, 1, 3, 1, 5, thriftOf(1, 1, 2, 0, 3, 4, 4, 4)), 0), physBytes, 1, 0, 1, 1)},
		{"a dictionary that is not there", "a page is of a dictionary that is not there", made(page("\x01\x02\x00", 3, 1, encodingDictionary), physBytes, 0, 0, 1, 1)},
		{"a dictionary of two billion", "has a page of 2147483647 values; at most", made(append(dictionaryOf("\x01\x00\x00\x00x", huge), page("\x01\x02\x00", 3, 1, encodingDictionary)...), physBytes, 0, 0, 1, 1)},
		{"a dictionary that is cut off", "its dictionary is cut off", made(append(dictionaryOf("\x01\x00\x00\x00x", 2), page("\x01\x02\x00", 3, 1, encodingDictionary)...), physBytes, 0, 0, 1, 1)},
		{"an index beyond the dictionary", "a page has fewer values", made(append(dictionaryOf("\x01\x00\x00\x00x", 1), page("\x08\x02\x07", 3, 1, encodingDictionary)...), physBytes, 0, 0, 1, 1)},
		{"a text that stands for a terabyte", "take more than 1100 times what the file does",
			made(append(dictionaryOf(longText, 1), page("\x01"+varint(2_000_000)+"\x00", 1+len(varint(2_000_000))+1, 1_000_000, encodingDictionary)...), physBytes, 0, 0, 1_000_000, 1_000_000)},
		{"differences of two billion", "a page has fewer values", made(page("\x80\x01\x04"+varint(huge)+"\x00"+zeros(20), 27, 1, encodingDelta), physInt64, 0, 0, 1, 1)},
		{"blocks of two billion", "a page has fewer values", made(page(varint(1<<31)+"\x01\x01\x00"+zeros(20), 28, 1, encodingDelta), physInt64, 0, 0, 1, 1)},
		{"a prefix of nothing", "a page has fewer values", made(page("\x80\x01\x04\x01\x0a\x80\x01\x04\x01\x02x", 11, 1, encodingDeltaBytes), physBytes, 0, 0, 1, 1)},
		{"an encoding of the future", "values in the encoding 77, which is not read", made(page("x", 1, 1, 77), physBytes, 0, 0, 1, 1)},
		{"a header of a page that is none", "the header of a page cannot be read", made([]byte{0xff, 0xff, 0xff}, physBytes, 0, 0, 1, 1)},
		{"a checksum that is another", "the checksum of a page is another", made(append(thriftOf(1, 0, 2, 5, 3, 5, 4, 77, 5, thriftOf(1, 1, 2, 0, 3, 3, 4, 3)), "\x01\x00\x00\x00x"...), physBytes, 0, 0, 1, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := Open(bytes.NewReader(tt.file), int64(len(tt.file)))
			if err == nil {
				err = f.Rows(context.Background(), 16<<20, func([][]byte) error { return nil })
			}
			runtime.ReadMemStats(&after)
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %s", err, tt.want)
			}
			// What is read of a row group is not kept, so that of many is no measure.
			if took := after.TotalAlloc - before.TotalAlloc; !strings.Contains(tt.name, "row groups") && took > 64<<20 {
				t.Errorf("it took %d MiB", took>>20)
			}
		})
	}
}

// The pages of many columns together have a limit, too.
func TestHeld(t *testing.T) {
	t.Parallel()
	f := &File{root: &node{}, ctx: context.Background()}
	l := &leaf{file: f, node: &node{name: "a"}, chunk: chunk{codec: codecZstd}}
	f.root.children = []*node{l.node}
	f.held = MaxHeld - 10
	if _, ok := l.unpack(nil, nil, 0, pageHeader{unpacked: 11}); ok || f.err == nil || !strings.Contains(f.err.Error(), "take more than 512 MiB of memory") {
		t.Errorf("error = %v", f.err)
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	file := made(page("\x01\x00\x00\x00x", 5, 1, encodingPlain), physBytes, 0, 0, 1, 1)
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Rows(ctx, 1<<20, func([][]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

// Whatever a file holds, reading it ends.
func FuzzRows(f *testing.F) {
	rows, _ := signIns(12)
	f.Add(written(f, rows, writer.Compression(&writer.Snappy), writer.DataPageVersion(1)))
	f.Add(written(f, rows, writer.DataPageVersion(2), writer.MaxRowsPerRowGroup(5)))
	f.Add(made(page("\x01\x00\x00\x00x\x01\x00\x00\x00x", 10, 2, encodingPlain), physBytes, 0, 0, 2, 2))
	f.Add(made(append(dictionaryOf("\x01\x00\x00\x00x", 1), page("\x01\x04\x00", 3, 2, encodingDictionary)...), physBytes, 0, 0, 2, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := rowsOf(data, 1<<12)
		if _, ok := errors.AsType[*Error](err); err != nil && !ok {
			t.Errorf("unexpected: %v", err)
		}
	})
}
