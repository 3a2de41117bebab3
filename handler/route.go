package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/text"
	"pushback/detect/route"
	"pushback/detect/silence"
	"pushback/handler/settings"
)

// newRoute is the command that says where alerts go.
func newRoute() *cobra.Command {
	var d routeDesk
	cmd := &cobra.Command{
		Use:   "route [ALERT]",
		Short: "Say where an alert would go and why, or list the routes",
		Long: "Says to which addresses the routes of PUSHBACK_ROUTES send an alert, which of them match and on what the others do\n" +
			"not. ALERT is a file with alerts as demo --json, replay --json and alerts show --json print them, - for standard\n" +
			"input, or the id of an alert of the ledger. Without it the routes are listed. Nothing is sent.\n\n" +
			"It is decided where an alert goes as it is recorded, so that of hours its own time counts; --at gives another. An\n" +
			"address is named by the setting that holds it and is not shown.",
		Example: "  handler route\n" +
			"  handler demo --json | handler route - --routes rules/routes.yaml\n" +
			"  handler route b0b19a53-0325-8ac2-6e93-0873c00515b8 --at 2026-12-24T23:00:00Z",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{errors.New("route takes one alert: a file, - for standard input, or the id of one")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.open(); err != nil {
				return err
			}
			if len(args) == 0 {
				return d.writeRoutes(cmd.OutOrStdout())
			}
			return d.decide(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&d.path, "routes", "", "a file of routes (default: that of PUSHBACK_ROUTES)")
	cmd.Flags().StringVar(&d.at, "at", "", "decide as if the alerts were made at this time, such as 2026-12-24T23:00:00Z")
	cmd.Flags().BoolVar(&d.json, "json", false, "print one JSON object per alert, or per route")
	withSettings(cmd)
	return cmd
}

// alertID is the form of an alert's id.
var alertID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// routeDesk is what the command works with.
type routeDesk struct {
	path, at string
	json     bool

	settings settings.Settings
	when     time.Time
	file     *routesFile
}

func (d *routeDesk) open() (err error) {
	if d.at != "" {
		if d.when, err = silence.ParseTime(d.at); err != nil {
			return usageError{fmt.Errorf("--at: %w", err)}
		}
	}
	if d.path != "" {
		if err := checkFile("routes", d.path, "a file of routes"); err != nil {
			return err
		}
	}
	if d.settings, err = settings.ReadFor("route"); err != nil {
		return err
	}
	if d.path == "" {
		d.path = d.settings.Routes
	}
	if d.path == "" {
		d.file = &routesFile{}
		return nil
	}
	set := readRules(d.settings.Rules)
	d.file, err = readRoutes(d.path, d.settings, set.rules, set.allRead())
	return err
}

// routeOutput is a route as --json prints it.
type routeOutput struct {
	Route string `json:"route,omitempty"`
	Place string `json:"place"`
	Match string `json:"match,omitempty"`
	// Matches and WhyNot are of an alert.
	Matches  *bool           `json:"matches,omitempty"`
	WhyNot   string          `json:"whyNot,omitempty"`
	To       []string        `json:"to"`
	Mention  []alert.Mention `json:"mention,omitempty"`
	Continue bool            `json:"continue,omitempty"`
}

func outputOf(r *route.Route) routeOutput {
	return routeOutput{Route: r.Name, Place: r.Place, To: r.To, Mention: r.Mention, Continue: r.Continue}
}

// writeRoutes lists the routes.
func (d *routeDesk) writeRoutes(w io.Writer) error {
	var b strings.Builder
	for _, r := range d.file.set.All() {
		if d.json {
			out := outputOf(r)
			out.Match = matchText(r.Match)
			if err := d.line(&b, out); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(&b, "%s\n  %s\n  to %s\n", text.Safe(r.Title()), text.Safe(matchText(r.Match)), text.Safe(routeTo(r)))
	}
	if !d.json {
		fmt.Fprintf(&b, "%s\n", d.otherwise(len(d.file.list) > 0))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// otherwise says where alerts go that no route takes.
func (d *routeDesk) otherwise(some bool) string {
	var own []string
	for _, one := range destinations {
		if one.configured(d.settings) {
			own = append(own, d.own(one))
		}
	}
	if !some {
		return fmt.Sprintf("There are no routes (%s_ROUTES): alerts go to %s", settings.Prefix, strings.Join(own, ", "))
	}
	return "What no route takes goes to " + strings.Join(own, ", ")
}

// own names a destination with what decides where it has alerts that no route takes.
func (d *routeDesk) own(one destination) string {
	switch {
	case one.addresses == nil:
		return one.name
	case one.name == "teams" && len(d.settings.TeamsRoutes) > 0:
		return one.name + " at what " + settings.Prefix + "_TEAMS_ROUTES says, or " + settings.Prefix + "_" + one.setting
	}
	return one.name + " at " + settings.Prefix + "_" + one.setting
}

// decision is where an alert goes, as --json prints it.
type decision struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Severity alert.Severity  `json:"severity"`
	At       time.Time       `json:"at"` // when it was made, or --at
	HeldBack *alert.HeldBack `json:"heldBack,omitempty"`
	// Address is where alone the alert goes, as a copy of one about Pushback itself does.
	Address string        `json:"address,omitempty"`
	Routes  []routeOutput `json:"routes"`
	To      []sentTo      `json:"to"`
	// Recorded are its deliveries in the ledger, if that is where it is from.
	Recorded []string `json:"recorded,omitempty"`
}

// sentTo is a destination of an alert. Without a setting it has one place.
type sentTo struct {
	Destination string          `json:"destination"`
	Setting     string          `json:"setting,omitempty"`
	Mention     []alert.Mention `json:"mention,omitempty"`
}

// decide says where alerts go.
func (d *routeDesk) decide(ctx context.Context, from string, stdin io.Reader, w io.Writer) error {
	alerts, recorded, err := d.alerts(ctx, from, stdin)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i, a := range alerts {
		out := d.of(a)
		out.Recorded = recorded
		if d.json {
			if err := d.line(&b, out); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			b.WriteString("\n")
		}
		out.write(&b)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func (d *routeDesk) line(b *strings.Builder, v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		fmt.Fprintf(b, "%s\n", escaped(line))
	}
	return err
}

// alerts reads those that the argument names: an id is one where there is no such file.
func (d *routeDesk) alerts(ctx context.Context, from string, stdin io.Reader) (list []alert.Alert, recorded []string, err error) {
	_, statErr := os.Stat(from)
	if id := strings.ToLower(strings.TrimSpace(from)); alertID.MatchString(id) && statErr != nil {
		return d.kept(ctx, id)
	}
	if from != "-" {
		if err := checkPath(from, "a file that holds alerts as demo --json prints them, or the id of an alert"); err != nil {
			return nil, nil, err
		}
	}
	list, err = readAlerts(ctx, "route", from, stdin)
	return list, nil, err
}

// kept reads an alert of the ledger, and where it was to go.
func (d *routeDesk) kept(ctx context.Context, id string) ([]alert.Alert, []string, error) {
	var a archive
	if err := a.open(ctx); err != nil {
		return nil, nil, err
	}
	k, err := a.ledger.KeptOf(ctx, id)
	if errors.Is(err, ledger.ErrNotKept) {
		err = fmt.Errorf("%w: see handler alerts list --since 90d", err)
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := a.describe(ctx, k)
	var recorded []string
	for _, of := range r.Deliveries {
		recorded = append(recorded, of.words())
	}
	return []alert.Alert{k.Alert}, recorded, err
}

// of decides about an alert.
func (d *routeDesk) of(a alert.Alert) decision {
	if !d.when.IsZero() {
		a.Created = d.when
	}
	out := decision{ID: a.ID, Title: a.Title, Severity: a.Severity, At: a.Created, HeldBack: a.HeldBack, Routes: []routeOutput{}, To: []sentTo{}}
	if out.Address = a.Address; a.Address != "" {
		return out
	}
	made := d.file.set.Decide(a)
	for _, s := range made.Steps {
		one, matches := outputOf(s.Route), s.WhyNot == ""
		one.Matches, one.WhyNot = &matches, s.WhyNot
		out.Routes = append(out.Routes, one)
	}
	if a.HeldBack != nil {
		return out
	}
	for _, one := range destinations {
		if !one.configured(d.settings) {
			continue
		}
		at, routed := d.file.set.At(made, one.name)
		if !routed {
			to := sentTo{Destination: one.name}
			if one.addresses != nil {
				to.Setting = settings.Prefix + "_" + one.setting
				if one.name == "teams" && len(d.settings.TeamsRoutes) > 0 {
					to.Setting = settings.Prefix + "_TEAMS_ROUTES"
				}
			}
			out.To = append(out.To, to)
		}
		for _, t := range at {
			out.To = append(out.To, sentTo{one.name, t.Setting, t.Mentions})
		}
	}
	return out
}

// write says it to a reader.
func (d decision) write(b *strings.Builder) {
	line := func(format string, args ...any) { b.WriteString(text.Safe(fmt.Sprintf(format, args...)) + "\n") }
	line("%s  %s  %s", d.ID, d.Severity, text.Cut(d.Title, 100))
	for _, r := range d.Routes {
		name := r.Place
		if r.Route != "" {
			name = r.Route + " (" + r.Place + ")"
		}
		switch {
		case r.WhyNot != "":
			line("  %s does not match: %s", name, r.WhyNot)
		case r.Continue:
			line("  %s matches, and goes on", name)
		default:
			line("  %s matches, and ends here", name)
		}
	}
	switch {
	case d.HeldBack != nil:
		line("  it goes nowhere: %s, %s", heldBackWords(d.HeldBack), d.HeldBack.Reason)
	case d.Address != "":
		line("  it is for %s alone, whatever routes say", d.Address)
	case len(d.To) == 0:
		line("  no destination is set up")
	}
	for _, t := range d.To {
		at := ""
		if t.Setting != "" {
			at = " at " + t.Setting
		}
		if names := mentionNames(t.Mention); names != "" {
			at += ", and mentions " + names
		}
		line("  it goes to %s%s", t.Destination, at)
	}
	for _, r := range d.Recorded {
		line("  recorded: %s", r)
	}
}
