package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
	"pushback/detect/silence"
	"pushback/detect/verdict"
	"pushback/handler/settings"
)

const (
	defaultStatsDays = 30
	mostStatsDays    = 36_500
)

// newAlertsStats is the command that says what rules are worth.
func newAlertsStats() *cobra.Command {
	var s alertStats
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Say what became of each rule's alerts, and propose silences for whom was always benign",
		Long: "Prints for each rule how many alerts it made a day, what analysts classified their incidents as, how many are open, and\n" +
			"how long it took to close half of them. Serve reads the verdicts once a day where alerts become incidents of Sentinel;\n" +
			"here the ledger alone is read. Alerts are unknown as long as no incident of theirs is.\n\n" +
			"Who was in five incidents or more that were all closed as benign, and in no true positive of any rule, is proposed to\n" +
			"be silenced: review the entries, and put those that are right into the file of PUSHBACK_SILENCES.",
		Example: "  handler alerts stats --days 90 --rule mfa-rejected-by-user\n" +
			"  handler alerts stats --proposals >proposed.yaml",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.stdout, s.stderr, s.now = cmd.OutOrStdout(), cmd.ErrOrStderr(), time.Now().UTC()
			return s.run(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&s.days, "days", defaultStatsDays, "how many days to count, until now")
	cmd.Flags().StringVar(&s.archive.filter.rule, "rule", "", "only the alerts of this rule: its id, its name, or the name of one that ships")
	cmd.Flags().BoolVar(&s.json, "json", false, "print one JSON object, and nothing else")
	cmd.Flags().BoolVar(&s.proposals, "proposals", false, "print the silences that are proposed, as a file of silences, and nothing else")
	return cmd
}

// alertStats counts what became of alerts.
type alertStats struct {
	archive         archive
	days            int
	json, proposals bool
	now             time.Time
	stdout, stderr  io.Writer
}

// statsOutput is what --json prints.
type statsOutput struct {
	Days  int       `json:"days"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// VerdictsRead is up to when it is known what analysts decided, nil if nothing is.
	VerdictsRead *time.Time       `json:"verdictsRead"`
	Rules        []verdict.Stats  `json:"rules"`
	Proposals    []proposalOutput `json:"proposals"`
	// MoreProposals counts those beyond the most that are listed.
	MoreProposals int `json:"moreProposals,omitempty"`

	total verdict.Stats
}

type proposalOutput struct {
	Rule      string          `json:"rule"`
	RuleName  string          `json:"ruleName"`
	Incidents int             `json:"incidents"`
	Alerts    int             `json:"alerts"`
	LastAlert string          `json:"lastAlert"`
	Silence   silence.Silence `json:"silence"`
}

func (s *alertStats) run(ctx context.Context) error {
	switch {
	case s.days < 1 || s.days > mostStatsDays:
		return usageError{fmt.Errorf("--days is %d: expected 1 to %d", s.days, mostStatsDays)}
	case s.json && s.proposals:
		return usageError{errors.New("--json has the proposals too: give it or --proposals")}
	}
	if err := s.archive.filter.parse(s.now); err != nil {
		return err
	}
	if err := s.archive.open(ctx); err != nil {
		return err
	}
	warn := &warnings{w: s.stderr}
	defer warn.flush()
	known, err := verdict.Recall(ctx, s.archive.notes, s.now)
	if err != nil {
		return err
	}
	out := statsOutput{Days: s.days, Since: s.now.Add(-time.Duration(s.days) * 24 * time.Hour), Until: s.now, Proposals: []proposalOutput{}}
	if !known.Read.IsZero() {
		out.VerdictsRead = &known.Read
	}
	count, failed := s.count(ctx, known, out.Since)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed != nil {
		// A true positive may be among what cannot be read.
		failed = fmt.Errorf("%w; nothing is proposed to be silenced", failed)
	} else {
		s.propose(ctx, count, &out, warn)
	}
	out.Rules, out.total = count.Stats(), count.Total()
	write := s.words
	switch {
	case s.json:
		write = s.writeJSON
	case s.proposals:
		write = s.file
	}
	return errors.Join(failed, write(out))
}

// count counts all alerts that are kept: those of other rules, and from before the
// days that count, for what they say against a silence.
func (s *alertStats) count(ctx context.Context, known *verdict.Known, since time.Time) (*verdict.Count, error) {
	count := verdict.NewCount(since, s.now)
	all := s.archive
	all.filter = alertFilter{}
	err := all.each(ctx, func(k ledger.Kept) error {
		i, err := s.incident(ctx, known, k)
		if err != nil {
			return err
		}
		count.Add(k.Alert, i, s.archive.filter.wants(k.Alert))
		return nil
	})
	return count, err
}

// incident returns the incident of an alert. One by the API that was full without the
// alert's bookmark is known by its story.
func (s *alertStats) incident(ctx context.Context, known *verdict.Known, k ledger.Kept) (*verdict.Incident, error) {
	if i := known.Of(k.Alert.ID); i != nil {
		return i, nil
	}
	if !slices.ContainsFunc(k.Deliveries, func(d ledger.Delivery) bool { return d.Destination == sentinel.Name && !d.Sent.IsZero() }) {
		return nil, nil
	}
	id, _, err := sentinel.IncidentOf(ctx, s.archive.notes, k.Alert, s.archive.rules[k.Alert.RuleID])
	if err != nil || id == "" {
		return nil, err
	}
	return known.Named(id), nil
}

// propose proposes silences. What is in force already cannot be told without the
// silences that there are.
func (s *alertStats) propose(ctx context.Context, count *verdict.Count, out *statsOutput, warn *warnings) {
	rules := slices.Collect(maps.Values(s.archive.rules))
	desk := verdict.Desk{Words: silenceWords(rules), By: userName(), Holds: func(set *silence.Set, a alert.Alert) bool {
		by, _ := detect.WouldSilence(set, a, s.archive.rules[a.RuleID])
		return by != nil
	}}
	inForce, err := s.silences(ctx)
	if err != nil {
		warn.write(fmt.Sprintf("what is silenced already is proposed too: %v", err))
	}
	desk.InForce = inForce
	list, more := count.Propose(desk)
	for _, p := range list {
		out.Proposals = append(out.Proposals, proposalOutput{p.RuleID, p.RuleName, p.Incidents, p.Alerts, p.Last, p.Silence})
	}
	out.MoreProposals = more
}

// silences returns those of the file and of the ledger.
func (s *alertStats) silences(ctx context.Context) (list []silence.Silence, err error) {
	adHoc, _, err := detect.ReadSilences(ctx, s.archive.ledger)
	list = append(list, adHoc...)
	set, settingsErr := settings.ReadFor("alerts")
	if settingsErr != nil || set.Silences == "" {
		return list, errors.Join(err, settingsErr)
	}
	f, fileErr := readSilences(set.Silences, slices.Collect(maps.Values(s.archive.rules)))
	if fileErr == nil {
		list = append(list, f.list...)
	}
	return list, errors.Join(err, fileErr)
}

func (s *alertStats) writeJSON(out statsOutput) error {
	written, err := json.Marshal(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "%s\n", escaped(written))
	return err
}

// file writes the silences that are proposed.
func (s *alertStats) file(out statsOutput) error {
	_, err := io.WriteString(s.stdout, out.silences())
	return err
}

func (o statsOutput) silences() string {
	var list []silence.Silence
	of := map[string]proposalOutput{}
	for _, p := range o.Proposals {
		list = append(list, p.Silence)
		of[p.Silence.ID] = p
	}
	return silence.Format(list, func(s silence.Silence) string {
		return fmt.Sprintf("%s; the last alert: handler alerts show %s", text.Cut(of[s.ID].RuleName, 60), of[s.ID].LastAlert)
	})
}

// words prints the rules as a table, the reasons, and what is proposed.
func (s *alertStats) words(out statsOutput) error {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(text.Safe(fmt.Sprintf(format, args...)) + "\n") }
	line("%s until %s UTC", count(int64(out.Days), "day"), stamp(out.Until))
	if out.VerdictsRead != nil {
		line("What analysts decided is known up to %s UTC.", stamp(*out.VerdictsRead))
	} else {
		line("What analysts decided is not known: serve reads it once a day where PUSHBACK_ALERTS_ENDPOINT or PUSHBACK_SENTINEL_WORKSPACE is set.")
	}
	line("")
	if len(out.Rules) == 0 {
		line("no alerts")
	} else {
		out.table(line)
	}
	if len(out.Proposals) > 0 {
		line("")
		line("Silences to consider, for whom was in %d benign incidents or more and in no true positive. Review them, and put those", verdict.LeastBenign)
		line("that are right into the file of PUSHBACK_SILENCES (handler alerts stats --proposals prints these alone):")
		line("")
		b.WriteString(out.silences())
	}
	if out.MoreProposals > 0 {
		line("and %d more", out.MoreProposals)
	}
	_, err := io.WriteString(s.stdout, b.String())
	return err
}

const widestRule = 40

// table prints a line for each rule, and what reasons analysts gave.
func (o statsOutput) table(line func(string, ...any)) {
	rows := [][]string{{"RULE", "ALERTS", "A DAY", "TRUE", "FALSE", "BENIGN", "UNDETERMINED", "OPEN", "UNKNOWN", "TO CLOSE"}}
	row := func(name string, s verdict.Stats) {
		took := "-"
		if s.MedianToClose != nil {
			took = text.Length(s.MedianToClose.Duration())
		}
		cells := []string{name, fmt.Sprint(s.Alerts), fmt.Sprintf("%.1f", s.PerDay)}
		for _, n := range []int{s.TruePositive, s.FalsePositive, s.BenignPositive, s.Undetermined, s.Open, s.Unknown} {
			cells = append(cells, fmt.Sprint(n))
		}
		rows = append(rows, append(cells, took))
	}
	for _, s := range o.Rules {
		row(text.Cut(text.Safe(text.Line(cmp.Or(s.RuleName, s.RuleID))), widestRule), s)
	}
	if len(o.Rules) > 1 {
		row("all rules", o.total)
	}
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, c := range cells {
			widths[i] = max(widths[i], text.Width(c))
		}
	}
	for _, cells := range rows {
		written := make([]string, len(cells))
		for i, c := range cells {
			space := strings.Repeat(" ", widths[i]-text.Width(c))
			if written[i] = space + c; i == 0 {
				written[i] = c + space
			}
		}
		line("%s", strings.Join(written, "  "))
	}
	said := false
	for _, s := range o.Rules {
		var reasons []string
		for _, class := range verdict.Classes() {
			for _, reason := range slices.Sorted(maps.Keys(s.Reasons[class])) {
				reasons = append(reasons, fmt.Sprintf("%d %s as %s", s.Reasons[class][reason], reason, class))
			}
		}
		if s.HeldBack > 0 {
			reasons = append(reasons, fmt.Sprintf("%d held back, which the table does not count", s.HeldBack))
		}
		if len(reasons) == 0 {
			continue
		}
		if !said {
			line("")
			said = true
		}
		line("%s: %s", text.Cut(text.Safe(text.Line(cmp.Or(s.RuleName, s.RuleID))), widestRule), strings.Join(reasons, ", "))
	}
}
