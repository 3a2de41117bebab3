package alert

import (
	"regexp"
	"testing"
	"time"
)

// Two GUIDs that collide in 64 bits of a hash were found in less than a minute.
func TestEventIDs(t *testing.T) {
	t.Parallel()
	const one, other = "1d459f4c-bdca-4396-8000-4000000000aa", "34104e4a-dd3d-41ee-8000-a000000000aa"
	if FormerEventID(one) != FormerEventID(other) {
		t.Error("the former ids do not collide: they are not those of format 1")
	}
	if NewEventID(one) == NewEventID(other) {
		t.Error("two events have one id")
	}
	if id := NewEventID(one); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(string(id)) {
		t.Errorf("the id %q is not 32 hexadecimal digits", id)
	}
	if _, _, ok := NewEventID(one).GroupMark(); ok {
		t.Error("an event's id is a mark")
	}
	at := time.Date(2026, 3, 17, 9, 0, 0, 5e6, time.UTC)
	group, moment, ok := NewGroupMark(one, at).GroupMark()
	if !ok || !moment.Equal(at) || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(group) {
		t.Errorf("the mark is of %q at %v, %v", group, moment, ok)
	}
	if next, _, _ := NewGroupMark(one, at.Add(time.Hour)).GroupMark(); next != group {
		t.Error("another moment is of another group")
	}
	if next, _, _ := NewGroupMark(other, at).GroupMark(); next == group {
		t.Error("two groups are one")
	}
}
