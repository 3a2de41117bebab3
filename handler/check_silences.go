package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pushback/detect"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/silence"
	"pushback/handler/settings"
)

// silences checks the file of silences, and lists those in force.
func (c *checker) silences(rules []*rule.Rule) {
	path := c.settings.Silences
	if path == "" {
		return
	}
	list, problems := silence.Load(path, silenceWords(rules))
	for _, p := range problems {
		status := checkFailed
		if p.Warning {
			status = checkWarning
		}
		c.note("silence", status, "%s", p)
	}
	if silence.Errors(problems) != nil {
		c.note("silence", checkFailed, "%s (%s_SILENCES) holds nothing back until it is put right", path, settings.Prefix)
		return
	}
	c.inForce(list, path)
}

// silencesOf lists the silences of the ledger that are in force.
func (c *checker) silencesOf(ctx context.Context, l *ledger.Ledger) {
	list, _, err := detect.ReadSilences(ctx, l)
	if err != nil {
		c.fail("silence", advised(err))
		return
	}
	c.inForce(list, "")
}

func (c *checker) inForce(list []silence.Silence, path string) {
	now, n := c.now(), 0
	for _, s := range list {
		if !s.Holds(now) {
			continue
		}
		n++
		status, ends := checkOK, "until "+s.Until.UTC().Format(time.RFC3339)
		if s.Until.IsZero() {
			ends = "to be reviewed on " + s.Review.UTC().Format(time.DateOnly)
		}
		if s.StateAt(now) == silence.NeedsLook {
			status, ends = checkWarning, fmt.Sprintf("past its review of %s: see whether it is needed, and give it a new one", s.Review.UTC().Format(time.DateOnly))
		}
		at := s.Place
		if at == "" {
			at = "the ledger"
		}
		var matchers []string
		for _, m := range s.Match {
			matchers = append(matchers, m.String())
		}
		if len(s.Hours) > 0 {
			hours := make([]string, len(s.Hours))
			for i, h := range s.Hours {
				hours[i] = h.String()
			}
			ends = strings.Join(hours, " or ") + ", " + ends
		}
		c.note("silence", status, "%s (%s) holds back alerts of %s up to %s with %.300s, %s: %s (%s)", s.ID, at, rulesText(s), s.MaxSeverity, strings.Join(matchers, " and "), ends, s.Reason, s.By)
	}
	if path != "" && n == 0 {
		c.note("silence", checkOK, "%s has %s, none of them in force", path, count(int64(len(list)), "silence"))
	}
}
