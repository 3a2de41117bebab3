package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/detect/silence"
)

// newAlertsErase is the command that erases what is known of a person.
func newAlertsErase() *cobra.Command {
	var e eraser
	cmd := &cobra.Command{
		Use:   "erase --user NAME",
		Short: "Erase a person's details from the ledger, and keep what has nothing reported again",
		Long: "Erases what the ledger knows of a person: from the alerts that were sent, dropped or held back, and from its notes. NAME\n" +
			"is a user principal name or an id of the account; the other names that alerts know the same account by count too, and\n" +
			"are printed. An alert about nobody else loses all that was logged: title, entities, addresses, details, rows and context.\n" +
			"Of one about others as well, what names the person is erased. Ids, times, severities, what was found and the\n" +
			"fingerprints stay: nothing is reported again, and alerts list shows that there was an alert.\n\n" +
			"An alert that a destination still waits for is left as it is, and the exit code is 1: deliver it, drop it with handler\n" +
			"outbox drop, or give --undelivered, which erases it and has it never be sent. Silences are left too, and named.\n\n" +
			"Erasing again changes nothing more; one that is cut short is finished by the next. What was sent to Teams, Sentinel or\n" +
			"the log is there, and is to be erased there.",
		Example: "  handler alerts erase --user alice@contoso.example --dry-run\n  handler alerts erase --user alice@contoso.example",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.stdout = cmd.OutOrStdout()
			return e.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&e.user, "user", "", "the user principal name or the id of the account (required)")
	cmd.Flags().BoolVar(&e.undelivered, "undelivered", false, "also erase alerts that a destination still waits for: they are dropped, and never sent")
	cmd.Flags().BoolVar(&e.dryRun, "dry-run", false, "say what would be erased, and change nothing")
	cmd.Flags().BoolVar(&e.json, "json", false, "print one JSON object, and nothing else")
	return cmd
}

// eraser erases what is known of a person.
type eraser struct {
	archive                   archive
	user                      string
	undelivered, dryRun, json bool
	stdout                    io.Writer

	person *alert.Person
	out    erasedOutput
}

// erasedOutput is what --json prints.
type erasedOutput struct {
	DryRun bool `json:"dryRun"`
	// Names are all that the person is known under.
	Names []string `json:"names"`
	// Delivered, HeldBack and Dropped count the alerts whose details were erased:
	// those that were sent or dropped before, those that are held back, and those
	// that were not delivered and are dropped now. Notes counts notes.
	Delivered int `json:"delivered"`
	HeldBack  int `json:"heldBack"`
	Dropped   int `json:"dropped"`
	Notes     int `json:"notes"`
	// Left are the ids of the alerts that are not delivered, and Silences those of the
	// silences, that name the person and were left as they are.
	Left     []string `json:"left,omitempty"`
	Silences []string `json:"silences,omitempty"`
}

// leastName is how long the name of a person is at least: what is shorter may be a
// part of anything.
const leastName = 5

func (e *eraser) run(ctx context.Context) error {
	e.user = strings.TrimSpace(e.user)
	switch {
	case e.user == "":
		return usageError{errors.New("alerts erase needs --user, the user principal name or the id of an account")}
	case len(e.user) < leastName || len(alert.NewPerson(e.user).Names()) == 0:
		return usageError{fmt.Errorf("--user is %.60q: expected all of a user principal name or an id, %d to 500 characters", e.user, leastName)}
	}
	if err := e.archive.open(ctx); err != nil {
		return err
	}
	found, err := e.find(ctx)
	if err == nil {
		err = e.erase(ctx, found)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("cut short: the next erasure goes on from here: %w", ctx.Err())
	}
	return errors.Join(err, e.print(), e.left())
}

// find returns the alerts that say something of the person, by all names that they
// know. Those that know more than one name come last: as long as they are there, an
// erasure that is cut short can be finished.
func (e *eraser) find(ctx context.Context) (found []ledger.Kept, err error) {
	given := alert.NewPerson(e.user)
	names := []string{e.user}
	failed := e.archive.each(ctx, func(k ledger.Kept) error {
		for _, other := range given.Others(k.Alert) {
			if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, other) }) {
				names = append(names, other)
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	e.person = alert.NewPerson(names...)
	e.out.Names, e.out.DryRun = e.person.Names(), e.dryRun
	var linking []ledger.Kept
	err = e.archive.each(ctx, func(k ledger.Kept) error {
		switch in := e.person.In(k.Alert); {
		case !in && !slices.ContainsFunc(k.Deliveries, func(d ledger.Delivery) bool { return e.person.Named(d.LastError) }):
			return nil
		case len(given.Others(k.Alert)) > 0:
			k.Alert.Rows = nil
			linking = append(linking, k)
		default:
			k.Alert.Rows = nil
			found = append(found, k)
		}
		return nil
	})
	if failed != nil { // which the second time says too
		err = errors.Join(err, errors.New("what cannot be read is not erased"))
	}
	return append(found, linking...), err
}

// erase erases what was found, the notes first.
func (e *eraser) erase(ctx context.Context, found []ledger.Kept) error {
	var errs []error
	edit := func(id ledger.NoteID, note string) (string, bool) {
		if !e.person.NamedJSON([]byte(note)) {
			return note, false
		}
		if id.ID == ledger.OwnID && id.Name == ledger.SilencesNote {
			e.silences(note)
			return note, false
		}
		if e.dryRun {
			e.out.Notes++
			return note, false
		}
		if without, ok := sentinel.EraseNote(note); ok {
			note = without
		}
		return string(e.person.RedactJSON([]byte(note))), true
	}
	changed, err := e.archive.ledger.EditNotes(ctx, edit)
	errs = append(errs, err)
	if !e.dryRun {
		e.out.Notes = changed
	}
	for _, k := range found {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if k.Owed() && !e.undelivered {
			e.out.Left = append(e.out.Left, k.Alert.ID)
			continue
		}
		if !e.dryRun {
			changed, err := e.archive.ledger.Rewrite(ctx, k, e.undelivered, e.person.Erase, e.person.Redact)
			switch {
			case errors.Is(err, ledger.ErrOwed): // retried meanwhile
				e.out.Left = append(e.out.Left, k.Alert.ID)
				continue
			case err != nil:
				errs = append(errs, err)
				continue
			case !changed:
				continue
			}
		}
		switch {
		case k.Owed():
			e.out.Dropped++
		case len(k.Deliveries) == 0:
			e.out.HeldBack++
		default:
			e.out.Delivered++
		}
	}
	return errors.Join(errs...)
}

// silences notes which silences name the person: what they are for is not to change.
func (e *eraser) silences(note string) {
	list, err := silence.DecodeAdHoc(note)
	for _, s := range list {
		if text, err := json.Marshal(s); err == nil && e.person.NamedJSON(text) && !slices.Contains(e.out.Silences, s.ID) {
			e.out.Silences = append(e.out.Silences, s.ID)
		}
	}
	if err != nil {
		e.out.Silences = append(e.out.Silences, ledger.SilencesNote)
	}
}

// print says what was erased.
func (e *eraser) print() error {
	if e.json {
		written, err := json.Marshal(e.out)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "%s\n", escaped(written))
		return err
	}
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(text.Safe(secret.Hide(fmt.Sprintf(format, args...))) + "\n")
	}
	if others := e.out.Names[1:]; len(others) > 0 {
		line("%s is also known as %s", e.out.Names[0], someNames(others))
	}
	did := "erased"
	if e.dryRun {
		did = "would be erased"
	}
	if e.out.Delivered+e.out.HeldBack+e.out.Dropped+e.out.Notes == 0 {
		line("nothing of %s %s", e.out.Names[0], map[bool]string{false: "was left to erase", true: "would be erased"}[e.dryRun])
	} else {
		line("%s of %s: in %s sent or dropped, %s held back and %s", did, e.out.Names[0],
			count(int64(e.out.Delivered), "alert"), count(int64(e.out.HeldBack), "alert"), count(int64(e.out.Notes), "note"))
	}
	if n := e.out.Dropped; n > 0 {
		line("%s and never sent: %s that a destination waited for", did, count(int64(n), "alert"))
	}
	for _, name := range e.out.Silences {
		line("left: silence %s names the person, and is kept until 30 days after its end: see handler silence end", name)
	}
	_, err := io.WriteString(e.stdout, b.String())
	return err
}

// left is the error of alerts that are not delivered.
func (e *eraser) left() error {
	n := len(e.out.Left)
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s left, since a destination waits for %s: %s: deliver or drop %[2]s (see handler outbox), or give --undelivered to erase and never send %[2]s",
		countIs(n, "alert"), itOrThem(n), someNames(e.out.Left))
}

func countIs(n int, noun string) string { return count(int64(n), noun) + " " + isAre(n) }

func itOrThem(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
