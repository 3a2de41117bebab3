package sample

import "time"

// The least and the usual number of people in the tenant. The least leaves
// room for everyone the stories are about and some bystanders.
const (
	minUsers     = 50
	DefaultUsers = 300
)

// DefaultDay is the day that is written when none is asked for.
var DefaultDay = time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)

// Options choose the day. The zero value is a day like any other.
type Options struct {
	// Seed varies the day: who is in which story, when it happens, where the
	// prompts come from, and everything that carries no story. Seed 0 is the
	// documented day. Outcomes of the stories are the same for every seed.
	Seed uint64
	// Day is any instant of the day to write, which runs from midnight to
	// midnight UTC, and DefaultDay if it is zero.
	Day time.Time
	// Users is the number of people, DefaultUsers if it is 0 and at least
	// 50. Guests and accounts that are not people come on top.
	Users int
}

// users returns the number of people to make.
func (o Options) users() int {
	if o.Users == 0 {
		return DefaultUsers
	}
	return max(o.Users, minUsers)
}

// midnight returns the start of the day.
func (o Options) midnight() time.Time {
	if o.Day.IsZero() {
		return DefaultDay
	}
	y, m, d := o.Day.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
