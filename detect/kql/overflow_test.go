package kql

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// Values at the ends of their types, of every function and operator that
// computes with integers. What the type does not hold is null.
func TestEndsOfRanges(t *testing.T) {
	t.Parallel()
	const (
		least     = "long(-9223372036854775808)"
		most      = "9223372036854775807"
		leastSpan = "totimespan(long(-9223372036854775808))"
		mostSpan  = "totimespan(9223372036854775807)"
		leastTime = "datetime(0001-01-01)"
		mostTime  = "datetime(9999-12-31 23:59:59.9999999)"
		shownMost = "10675199.02:48:05.4775807"
		allRows   = "datatable(x:long)[9223372036854775807, 9223372036854775807, long(-9223372036854775808), long(-9223372036854775808), 5] | "
	)
	tests := []struct{ expression, want string }{
		{"bin(" + least + ", 10)", "null"},
		{"bin(" + least + ", 2)", "-9223372036854775808"},
		{"bin(long(-9223372036854775800), 10)", "-9223372036854775800"},
		{"bin(long(-9223372036854775801), 10)", "null"},
		{"bin(" + most + ", 10)", "9223372036854775800"},
		{"bin(" + most + ", " + most + ")", most},
		{"bin(-1, " + most + ")", "-9223372036854775807"},
		{"bin(-1, " + least + ")", "null"},
		{"floor(" + least + ", 10)", "null"},
		{"bin(int(-2147483648), int(10))", "null"},
		{"bin(int(-2147483648), 10)", "-2147483650"},
		{"bin(" + leastSpan + ", 1d)", "null"},
		{"bin(" + leastSpan + ", 1tick)", "-10675199.02:48:05.4775808"},
		{"bin(" + mostSpan + ", 1d)", "10675199.00:00:00"},
		{"bin(" + mostTime + ", 1d)", "9999-12-31T00:00:00.0000000Z"},
		{"bin(" + leastTime + ", 7d)", "0001-01-01T00:00:00.0000000Z"},
		{"bin(" + mostTime + ", " + mostSpan + ")", "0001-01-01T00:00:00.0000000Z"},
		{"bin_at(" + least + ", 10, 5)", "null"},
		{"bin_at(" + most + ", 10, " + least + ")", "9223372036854775802"},
		{"bin_at(" + least + ", 10, " + most + ")", "null"},
		{"bin_at(" + most + ", 10, -1)", "9223372036854775799"},
		{"bin_at(" + leastTime + ", 7d, " + mostTime + ")", "null"},
		{"bin_at(" + mostTime + ", 1d, " + leastTime + ")", "9999-12-31T00:00:00.0000000Z"},
		{"bin_at(" + leastSpan + ", 1d, 12h)", "null"},
		{"bin_at(" + mostSpan + ", 1d, " + leastSpan + ")", "10675198.21:11:54.5224192"},
		{"bin_at(int(-2147483648), int(10), int(5))", "null"},
		{"abs(" + least + ")", "null"},
		{"abs(-9223372036854775807)", most},
		{"abs(" + leastSpan + ")", "null"},
		{"abs(int(-2147483648))", "2147483648"},
		{"-(" + least + ")", "null"},
		{"-(" + leastSpan + ")", "null"},
		{"-toint(-2147483648)", "2147483648"},
		{"-long(9223372036854775807)", "-9223372036854775807"},
		{most + " + 1", "null"},
		{least + " + -1", "null"},
		{most + " + " + least, "-1"},
		{least + " - 1", "null"},
		{"-2 - " + most, "null"},
		{"0 - " + least, "null"},
		{"-1 - " + least, most},
		{most + " * 2", "null"},
		{"3037000500 * 3037000500", "null"},
		{"3037000499 * 3037000499", "9223372030926249001"},
		{least + " * -1", "null"},
		{"-1 * " + least, "null"},
		{least + " / -1", "null"},
		{least + " / 1", "-9223372036854775808"},
		{most + " / 0", "null"},
		{least + " % -1", "0"},
		{"-5 % " + least, "9223372036854775803"},
		{least + " % " + most, "9223372036854775806"},
		{"toint(2147483647) + toint(1)", "2147483648"},
		{mostSpan + " + 1tick", "null"},
		{leastSpan + " - 1tick", "null"},
		{leastSpan + " + " + mostSpan, "-00:00:00.0000001"},
		{mostSpan + " * 2", "null"},
		{"2 * " + mostSpan, "null"},
		{leastSpan + " * -1", "null"},
		{mostSpan + " / 1", shownMost},
		{leastSpan + " / -1", "null"},
		{mostSpan + " / 0", "null"},
		{leastSpan + " / 2", "-5337599.13:24:02.7387904"},
		{"totimespan(9007199254740993) / 1", "10424.23:58:45.4740993"},
		{leastSpan + " / " + leastSpan, "1"},
		{leastSpan + " % -1tick", "00:00:00"},
		{mostTime + " + 1tick", "null"},
		{leastTime + " - 1tick", "null"},
		{mostTime + " + " + mostSpan, "null"},
		{mostTime + " - " + leastSpan, "null"},
		{leastTime + " + " + leastSpan, "null"},
		{leastTime + " - " + mostTime, "-3652058.23:59:59.9999999"},
		{"round(" + most + ", -1)", "null"},
		{"round(" + most + ", -2)", "9223372036854775800"},
		{"round(" + most + ", -18)", "9000000000000000000"},
		{"round(" + most + ", -19)", "null"},
		{"round(" + most + ", -20)", "0"},
		{"round(" + most + ", " + least + ")", "0"},
		{"round(" + most + ", " + most + ")", most},
		{"round(" + least + ", -1)", "null"},
		{"round(" + least + ", -3)", "null"},
		{"round(" + least + ", -2)", "-9223372036854775800"},
		{"round(9007199254740993, -1)", "9007199254740990"},
		{"round(9007199254740995, -1)", "9007199254741000"},
		{"round(9007199254741005, -1)", "9007199254741000"},
		{"round(-25, -1)", "-20"},
		{"round(-35, -1)", "-40"},
		{"round(5000000000000000000, -19)", "0"},
		{"round(int(2147483647), -1)", "null"},
		{"ceiling(" + most + ")", most},
		{"around(5, 6, " + most + ")", "true"},
		{"around(" + least + ", -5, " + most + ")", "true"},
		{"around(" + least + ", 5, " + most + ")", "false"},
		{"around(0, " + most + ", -1)", "false"},
		{"around(" + most + ", " + most + ", -1)", "false"},
		{"tolong(9223372036854775807.0)", "null"},
		{"tolong(-9223372036854775808.0)", "-9223372036854775808"},
		{"tolong(9223372036854774784.0)", "9223372036854774784"},
		{"tolong(decimal(9007199254740993))", "9007199254740993"},
		{"tolong(decimal(9223372036854775807.9))", most},
		{"tolong(decimal(-9223372036854775808))", "-9223372036854775808"},
		{"tolong(decimal(9223372036854775808))", "null"},
		{"tolong('9223372036854775808')", "null"},
		{"toint(2147483648)", "null"},
		{"toint(-2147483649.0)", "null"},
		{"toint(2147483647.9)", "2147483647"},
		{"totimespan('10675199.02:48:05.4775807')", shownMost},
		{"totimespan('10675199.02:48:05.4775808')", "null"},
		{"totimespan('-10675199.02:48:05.4775808')", "-10675199.02:48:05.4775808"},
		{"totimespan('-10675199.02:48:05.4775809')", "null"},
		{"totimespan('10675199.23:59:59')", "null"},
		{"totimespan('10675200d')", "null"},
		{"totimespan('-9223372036854775808tick')", "-10675199.02:48:05.4775808"},
		{"totimespan('9223372036854775808tick')", "null"},
		{"todatetime(9223372036854775807)", "null"},
		{"make_timespan(10675198, 23, 59, 59)", "10675198.23:59:59"},
		{"datetime_add('nanosecond', " + least + ", datetime(2026-03-17))", "1733-12-06T00:12:43.1452242Z"},
		{"datetime_add('day', " + most + ", datetime(2026-03-17))", "null"},
		{"datetime_add('week', " + least + ", datetime(2026-03-17))", "null"},
		{"datetime_add('year', " + most + ", datetime(2026-03-17))", "null"},
		{"datetime_add('month', " + least + ", datetime(2026-03-17))", "null"},
		{"datetime_add('year', 7973, datetime(2026-03-17))", "9999-03-17T00:00:00.0000000Z"},
		{"datetime_diff('nanosecond', " + mostTime + ", " + leastTime + ")", "null"},
		{"datetime_diff('nanosecond', datetime(2026-03-17), datetime(2026-03-16))", "86400000000000"},
		{"datetime_diff('microsecond', " + mostTime + ", " + leastTime + ")", "315537897599999999"},
		{"startofday(" + leastTime + ", 2000000)", "5476-10-25T00:00:00.0000000Z"},
		{"startofday(" + mostTime + ", " + most + ")", "null"},
		{"startofday(" + leastTime + ", " + least + ")", "null"},
		{"startofmonth(datetime(2026-03-17), 4000000)", "null"},
		{"startofyear(datetime(2026-03-17), " + most + ")", "null"},
		{"startofyear(datetime(2026-03-17), " + least + ")", "null"},
		{"startofweek(" + leastTime + ")", "null"},
		{"endofyear(" + mostTime + ")", "9999-12-31T23:59:59.9999999Z"},
		{"endofmonth(" + mostTime + ", 1)", "null"},
		{"endofweek(" + mostTime + ")", "null"},
		{"endofday(" + leastTime + ", -1)", "null"},
		{"endofmonth(" + leastTime + ", 119987)", "9999-12-31T23:59:59.9999999Z"},
		{"dayofyear(" + mostTime + ")", "365"},
		{"week_of_year(" + mostTime + ")", "52"},
		{"unixtime_seconds_todatetime(" + most + ")", "null"},
		{"unixtime_nanoseconds_todatetime(" + least + ")", "1677-09-21T00:12:43.1452241Z"},
		{"datetime_utc_to_local(" + mostTime + ", 'Asia/Tokyo')", "null"},
		{"format_timespan(" + leastSpan + ", 'd.HH:mm:ss.fffffff')", "10675199.02:48:05.4775808"},
		{"format_timespan(" + mostSpan + ", 'd.HH:mm:ss.fffffff')", shownMost},
		{"format_datetime(" + mostTime + ", 'yyyy-MM-dd h tt fffffff')", "9999-12-31 11 PM 9999999"},
		{"format_datetime(" + leastTime + ", 'yyyy-MM-dd h tt')", "0001-01-01 12 AM"},
		{"binary_shift_left(1, 63)", "-9223372036854775808"},
		{"binary_shift_left(1, " + most + ")", "-9223372036854775808"},
		{"binary_shift_right(" + least + ", " + most + ")", "-1"},
		{"binary_shift_left(1, " + least + ")", "null"},
		{"hash('x', " + least + ")", "null"},
		{"hash('World', " + most + ")", "1846988464401551951"},
		{"substring('abc', " + most + ")", "''"},
		{"substring('abc', " + least + ", " + most + ")", "abc"},
		{"substring('abc', 1, " + most + ")", "bc"},
		{"substring('abc', 1, " + least + ")", "''"},
		{"indexof('abc', 'b', " + least + ", " + most + ")", "1"},
		{"indexof('abc', 'b', " + most + ")", "-1"},
		{"indexof('abc', 'b', 0, -1, " + most + ")", "-1"},
		{"tostring(array_slice(dynamic([1,2,3]), " + least + ", " + most + "))", "[1,2,3]"},
		{"tostring(array_slice(dynamic([1,2,3]), " + most + ", " + least + "))", "[]"},
		{"tostring(array_split(dynamic([1,2,3]), " + most + "))", "[[1,2,3],[]]"},
		{"tostring(array_rotate_left(dynamic([1,2,3]), " + least + "))", "[2,3,1]"},
		{"tostring(array_rotate_right(dynamic([1,2,3]), " + least + "))", "[3,1,2]"},
		{"tostring(array_shift_left(dynamic([1,2,3]), " + least + "))", "[null,null,null]"},
		{"tostring(array_shift_right(dynamic([1,2,3]), " + least + "))", "[null,null,null]"},
		{"array_index_of(dynamic([1,2,3]), 2, " + least + ", " + most + ")", "1"},
		{"tostring(dynamic([1,2,3])[" + most + "])", "''"},
		{"tostring(split('a,b', ',', " + most + "))", "''"},
		{"tostring(dynamic([-9223372036854775808]))", "[-9223372036854775808]"},
		{"strrep('a', " + least + ")", "''"},
		{"strrep('', " + most + ")", "''"},
		{"repeat(1, " + least + ")", "null"},
		{"tohex(" + least + ")", "8000000000000000"},
		{"pow(" + most + ", 2) > 8.5e37", "true"},
		{"tostring(range(9223372036854775805, " + most + ", 2))", "[9223372036854775805,9223372036854775807]"},
		{"tostring(range(-9223372036854775807, " + least + ", -5))", "[-9223372036854775807]"},
		{"array_length(range(" + least + ", " + most + ", " + most + "))", "3"},
		{"toscalar(range x from 9223372036854775805 to " + most + " step 2 | summarize tostring(make_list(x)))", "[9223372036854775805,9223372036854775807]"},
		{"toscalar(range x from " + least + " to " + most + " step " + most + " | count)", "3"},
		{"toscalar(range x from datetime(9999-12-31) to " + mostTime + " step 20h | count)", "2"},
		{"toscalar(range x from int(2147483646) to int(2147483647) step int(1) | count)", "2"},
		{"toscalar(" + allRows + "where x > 0 | summarize sum(x))", "null"},
		{"toscalar(" + allRows + "where x != 5 | summarize sum(x))", "-2"},
		{"toscalar(" + allRows + "where x > 0 | summarize sumif(x, x > 5))", "null"},
		{"toscalar(" + allRows + "summarize sum(totimespan(x)))", "00:00:00.0000003"},
		{"toscalar(" + allRows + "where x > 5 | summarize sum(totimespan(x)))", "null"},
		{"toscalar(" + allRows + "where x > 5 | summarize avg(totimespan(x)))", shownMost},
		{"toscalar(" + allRows + "where x < 0 | summarize avg(totimespan(x)))", "-10675199.02:48:05.4775808"},
		{"toscalar(range i from 1 to 20 step 1 | summarize avg(datetime(2026-03-17)))", "2026-03-17T00:00:00.0000000Z"},
		{"toscalar(range i from 1 to 20 step 1 | summarize avgif(datetime(2026-03-17), i > 2))", "2026-03-17T00:00:00.0000000Z"},
		{"toscalar(" + allRows + "serialize | extend n = row_cumsum(x) | summarize tostring(make_list(coalesce(n, 0))))", "[9223372036854775807,0,9223372036854775806,-2,3]"},
		{"toscalar(" + allRows + "serialize | extend n = row_number(9223372036854775806) | summarize tostring(make_list(coalesce(n, 0))))", "[9223372036854775806,9223372036854775807,0,0,0]"},
		{"toscalar(" + allRows + "serialize | extend n = coalesce(prev(x, " + least + "), next(x, " + most + "), 7) | summarize max(n))", "7"},
		{"toscalar(" + allRows + "take " + most + " | count)", "5"},
		{"toscalar(" + allRows + "top " + most + " by x | count)", "5"},
		{"toscalar(" + allRows + "summarize array_length(make_list(x, " + most + ")))", "5"},
	}
	for _, tt := range tests {
		out, err := runTestQuery("print x = " + tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		if got := renderValue(out.Value(0, 0)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.expression, got, tt.want)
		}
	}
}

// extremes are the integers near which arithmetic goes wrong.
func extremes() []int64 {
	var list []int64
	for _, n := range []int64{math.MinInt64, math.MaxInt64, math.MinInt32, math.MaxInt32, 1 << 53, -1 << 53, 1 << 62, -1 << 62, 3037000500, -3037000500, 0} {
		for d := int64(-3); d <= 3; d++ {
			list = append(list, n+d) // wraps to the other end
		}
	}
	for _, n := range []int64{10, 1000, 86_400 * ticksPerSecond, 1_000_000_000_000_000_000, 5_000_000_000_000_000_000} {
		list = append(list, n, -n)
	}
	random := rand.New(rand.NewPCG(18, 12))
	for range 20 {
		list = append(list, int64(random.Uint64()), int64(random.Uint64()>>(1+random.IntN(62))))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Every operation on integers and timespans is that of math/big, or null where
// its result is no integer of 64 bits.
func TestIntegerArithmeticModel(t *testing.T) {
	t.Parallel()
	type operation struct {
		expression string // of x and y
		exact      func(x, y *big.Int) *big.Int
	}
	one := big.NewInt(1)
	unlessZero := func(f func(x, y *big.Int) *big.Int) func(x, y *big.Int) *big.Int {
		return func(x, y *big.Int) *big.Int {
			if y.Sign() == 0 {
				return nil
			}
			return f(x, y)
		}
	}
	down := func(x, y *big.Int) *big.Int { // for y > 0, Mod is never negative
		if y.Sign() <= 0 {
			return nil
		}
		return new(big.Int).Sub(x, new(big.Int).Mod(x, y))
	}
	round := func(digits int64) func(x, y *big.Int) *big.Int {
		return func(x, _ *big.Int) *big.Int {
			scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits), nil)
			quotient, rest := new(big.Int).QuoRem(new(big.Int).Abs(x), scale, new(big.Int))
			switch twice := new(big.Int).Lsh(rest, 1); {
			case twice.Cmp(scale) > 0, twice.Cmp(scale) == 0 && quotient.Bit(0) == 1:
				quotient.Add(quotient, one)
			}
			quotient.Mul(quotient, scale)
			if x.Sign() < 0 {
				quotient.Neg(quotient)
			}
			return quotient
		}
	}
	add := func(x, y *big.Int) *big.Int { return new(big.Int).Add(x, y) }
	subtract := func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }
	multiply := func(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }
	quotient := unlessZero(func(x, y *big.Int) *big.Int { return new(big.Int).Quo(x, y) })
	remainder := unlessZero(func(x, y *big.Int) *big.Int { return new(big.Int).Mod(x, y) })
	negative := func(x, _ *big.Int) *big.Int { return new(big.Int).Neg(x) }
	operations := []operation{
		{"x + y", add}, {"x - y", subtract}, {"x * y", multiply}, {"x / y", quotient}, {"x % y", remainder},
		{"-x", negative}, {"abs(x)", func(x, _ *big.Int) *big.Int { return new(big.Int).Abs(x) }},
		{"bin(x, y)", down}, {"floor(x, y)", down},
		{"bin_at(x, y, 7)", func(x, y *big.Int) *big.Int {
			if d := down(subtract(x, big.NewInt(7)), y); d != nil {
				return add(d, big.NewInt(7))
			}
			return nil
		}},
		{"bin_at(x, 1000, y)", func(x, y *big.Int) *big.Int { return add(down(subtract(x, y), big.NewInt(1000)), y) }},
		{"round(x, -1)", round(1)}, {"round(x, -3)", round(3)}, {"round(x, -17)", round(17)}, {"round(x, -18)", round(18)},
		{"round(x, -19)", round(19)}, {"round(x, -20)", round(20)}, {"round(x, 5)", func(x, _ *big.Int) *big.Int { return x }},
		{"tolong(totimespan(x) + totimespan(y))", add}, {"tolong(totimespan(x) - totimespan(y))", subtract},
		{"tolong(totimespan(x) * y)", multiply}, {"tolong(y * totimespan(x))", multiply}, {"tolong(totimespan(x) / y)", quotient},
		{"tolong(totimespan(x) % totimespan(y))", remainder}, {"tolong(-totimespan(x))", negative},
		{"tolong(bin(totimespan(x), totimespan(y)))", down},
		{"tolong(bin_at(totimespan(x), 1000tick, totimespan(y)))", func(x, y *big.Int) *big.Int { return add(down(subtract(x, y), big.NewInt(1000)), y) }},
		{"tolong(todynamic(tostring(x)) + y)", add}, {"tolong(todecimal(x))", func(x, _ *big.Int) *big.Int { return x }},
	}
	list := extremes()
	b := NewTableBuilder("T", Schema{{Name: "x", Type: Long}, {Name: "y", Type: Long}})
	for _, x := range list {
		for _, y := range list {
			b.SetLong(0, x)
			b.SetLong(1, y)
			b.Commit()
		}
	}
	db := NewDatabase(b.Build())
	for _, op := range operations {
		out, err := Run(context.Background(), "T | project x, y, r = "+op.expression, db, Options{})
		if err != nil {
			t.Fatalf("%s: %v", op.expression, err)
		}
		for row := range out.Rows() {
			x, y, got := out.Value(row, 0).n, out.Value(row, 1).n, out.Value(row, 2)
			want := op.exact(big.NewInt(x), big.NewInt(y))
			switch {
			case want == nil || !want.IsInt64():
				if !got.IsNull() {
					t.Fatalf("%s with x = %d, y = %d: got %s, want null", op.expression, x, y, renderValue(got))
				}
			case got.kind != Long || got.n != want.Int64():
				t.Fatalf("%s with x = %d, y = %d: got %s, want %s", op.expression, x, y, renderValue(got), want)
			}
		}
	}

	// Sums are exact in any order.
	random := rand.New(rand.NewPCG(12, 18))
	for range 200 {
		var wide wideSum
		exact := new(big.Int)
		for n := range int64(1 + random.IntN(40)) {
			x := list[random.IntN(len(list))]
			wide.add(x)
			exact.Add(exact, big.NewInt(x))
			if got, ok := wide.whole(); ok != exact.IsInt64() || ok && got != exact.Int64() {
				t.Fatalf("the sum %s is %d (%t)", exact, got, ok)
			}
			if got, ok := wide.mean(n + 1); !ok || got != new(big.Int).Quo(exact, big.NewInt(n+1)).Int64() {
				t.Fatalf("the mean of %d integers that are %s is %d (%t)", n+1, exact, got, ok)
			}
		}
	}
}
