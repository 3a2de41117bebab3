package kql

import (
	"fmt"
	"strings"
	"testing"
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
