package detect

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"pushback/detect/rule"
)

// Share is one of several parts of the rules, each of which an app of its own runs
// over one ledger. The zero value is all of them. A rule's lease keeps it to one app
// at a time, also while their number changes.
type Share struct{ Number, Of int }

// MostShares is how many parts there can be.
const MostShares = 64

// ParseShare reads a share, such as 2/4.
func ParseShare(text string) (Share, error) {
	number, of, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(number)
	m, err2 := strconv.Atoi(of)
	share := Share{n, m}
	if !ok || err != nil || err2 != nil || n < 1 || n > m || m > MostShares || share.String() != text {
		return Share{}, fmt.Errorf("%q is not a share such as 2/4: the second of four, %d at most", text, MostShares)
	}
	return share, nil
}

// String is the share as ParseShare reads it.
func (s Share) String() string { return fmt.Sprintf("%d/%d", max(s.Number, 1), s.shares()) }

func (s Share) shares() int { return max(s.Of, 1) }

// first reports whether what is done once for all is this share's.
func (s Share) first() bool { return s.Number <= 1 }

// Has reports whether a rule is of the share. Rules of one story are of one share.
func (s Share) Has(r *rule.Rule) bool {
	if r.Story != "" {
		return s.has("story " + r.Story)
	}
	return s.has(r.ID)
}

// has reports whether what has a name is of the share. It is the same in every
// version, or an update would move rules.
func (s Share) has(name string) bool {
	if s.Of <= 1 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return h.Sum64()%uint64(s.Of) == uint64(s.Number-1)
}

// division says which rules are of a share, and which others there are.
type division struct {
	share Share
	// own and others are the ids of the rules that are set up.
	own, others map[string]bool
}

func divide(share Share, rules []*rule.Rule) division {
	d := division{share, map[string]bool{}, map[string]bool{}}
	for _, r := range rules {
		if share.Has(r) {
			d.own[r.ID] = true
		} else {
			d.others[r.ID] = true
		}
	}
	return d
}

// sends reports whether what a rule owes is sent by this share: also what a rule
// owes that there is no more.
func (d division) sends(ruleID string) bool {
	switch {
	case ruleID == HealthRuleID:
		return d.share.first()
	case d.own[ruleID], d.others[ruleID]:
		return d.own[ruleID]
	}
	return d.share.has(ruleID)
}

// sees reports whether this share can see that a condition holds or is over: those of
// its rules and of its ticks, and in the first those of all that is there once.
func (d division) sees(key conditionKey) bool {
	switch key.kind {
	case ruleFails, windowsSkipped, recordsTooLate:
		if d.own[key.name] || d.others[key.name] {
			return d.own[key.name]
		}
	case ticksCut:
		if s, err := ParseShare(key.name); err == nil && s.Of == d.share.shares() {
			return s.String() == d.share.String()
		}
	}
	return d.share.first()
}
