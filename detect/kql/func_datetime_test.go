package kql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestZonesAreBounded asks for more names than are kept, as logs can.
func TestZonesAreBounded(t *testing.T) {
	t.Parallel()
	var c zoneCache
	for i := range 5 * mostZones {
		if z := c.named(fmt.Sprint("Nowhere/", i)); z != nil {
			t.Fatalf("%s is a zone", z)
		}
		for _, name := range []string{"Europe/Berlin", "UTC"} {
			if z := c.named(name); z == nil || z.String() != name {
				t.Fatalf("%s is %v", name, z)
			}
		}
	}
	for _, name := range []string{"", "Local", "../UTC", strings.Repeat("x", 1<<20)} {
		if z := c.named(name); z != nil {
			t.Errorf("%.20q is %s", name, z)
		}
	}
	kept := 0
	c.byName.Range(func(name, _ any) bool {
		if kept++; len(name.(string)) > longestZoneName {
			t.Errorf("a name of %d bytes is kept", len(name.(string)))
		}
		return true
	})
	if kept > mostZones {
		t.Errorf("%d names are kept, at most %d may be", kept, mostZones)
	}
}

// A time is written as the standard library writes it, the first and the last too.
func TestFormatDateTime(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	ticks := []int64{0, 1, ticksPerDay - 1, ticksPerDay, maxTicks, maxTicks - ticksPerSecond, timeToTicks(time.Date(2024, 2, 29, 23, 59, 59, 999999900, time.UTC))}
	for range 10_000 {
		ticks = append(ticks, random.Int64N(maxTicks+1))
	}
	for _, n := range ticks {
		if got, want := formatDateTime(n), ticksToTime(n).Format("2006-01-02T15:04:05.0000000Z"); got != want {
			t.Fatalf("%d: %s, want %s", n, got, want)
		}
	}
}
