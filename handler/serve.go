package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/kql"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/verdict"
	"pushback/handler/settings"
	"pushback/handler/telemetry"
)

// portVariable is how the Functions host says where to listen.
const portVariable = "FUNCTIONS_CUSTOMHANDLER_PORT"

// gcPercent has the collector run at a little more than what is in use: an
// instance is small, and a tick spends its time waiting.
const gcPercent = 6

// memoryLimit is from where on the collector runs as often as it must: the largest
// answer of a workspace needs about as much. It is no hard limit.
const memoryLimit = 160 << 20

func newServe() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the Azure Functions host, which starts this command (the default under the host)",
		Long: "Serves the Azure Functions host as its custom handler: listens on 127.0.0.1 at the port in\n" +
			portVariable + ", which the host sets, and runs a tick for each invocation of " + functionPath + ".",
		Example: "  func start     # in the folder of host.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			serving.Store(true)
			port, err := strconv.ParseUint(os.Getenv(portVariable), 10, 16)
			if err != nil || port == 0 {
				return usageError{fmt.Errorf("%s %s: serve is started by the Functions host, which sets it to a port", portVariable, settings.Quoted(os.Getenv(portVariable)))}
			}
			keepWriting()
			// Before all else: the host waits for this.
			listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return fmt.Errorf("listening where the host expects it: %w", err)
			}
			var level slog.LevelVar
			log := newLogger(cmd.OutOrStdout(), cmd.ErrOrStderr(), &level)
			ctx, end := context.WithCancelCause(cmd.Context())
			defer end(nil)
			guard(log, end, func() { err = serveApp(ctx, end, listener, log, &level) })
			return servedError(ctx, err)
		},
	}
}

// keepWriting lets the process outlive its log. A write to a pipe that nobody
// reads any more fails, and does not end the process in the middle of a tick.
func keepWriting() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// serveApp sets up the app as the settings say, and serves it until ctx ends.
// What goes on beside it ends it by end.
func serveApp(ctx context.Context, end context.CancelCauseFunc, listener net.Listener, log *slog.Logger, level *slog.LevelVar) error {
	s, err := settings.ReadFor("serve")
	level.Set(s.LogLevel)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if gone := parentGone(); gone != nil {
		go guard(log, end, func() {
			if watchParent(ctx, gone) {
				end(errOrphaned)
			}
		})
	}
	app := &app{settings: s, settingsErr: err, log: log}
	for _, name := range settings.Unknown() {
		log.Warn(unknownSetting(name))
	}
	timeout := cmp.Or(s.TickTimeout, 3*time.Minute)
	f := newFunction(log, app.open, timeout, ctx)
	// Before anything is opened, since it traces what is opened after it.
	// Without it the rules run all the same.
	if f.telemetry, err = telemetry.Open(ctx, versionText(), log); err != nil {
		log.Error("there is no telemetry: check the OTEL_ variables", "errors", failures(err))
	}
	go guard(log, end, f.prepare)
	err = serve(ctx, listener, f, graceTime)
	f.telemetry.Close()
	return err
}

// serve answers the host until ctx is done. Then it takes no new work, lets
// the tick that runs come to its end and its answer reach the host, and
// returns within the grace.
func serve(ctx context.Context, listener net.Listener, f *function, grace time.Duration) error {
	server := &http.Server{
		Handler:           &host{invoke: f.tick, longest: f.timeout + time.Minute, log: f.log},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second, // an invocation sets its own
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(f.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	f.log.Info("listening", "address", listener.Addr().String(), "version", versionText())

	select {
	case err := <-served:
		return fmt.Errorf("serving %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	f.log.Info("stopping", "why", context.Cause(ctx).Error())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	// Until the tick is done the server answers, with 503 to new work.
	err := errors.Join(f.wait(ctx), server.Shutdown(ctx))
	if err != nil {
		_ = server.Close() // what is left is cut off: err says so
		return fmt.Errorf("stopped with a tick under way, since it took longer than %s: the next one goes on from there: %w", grace, err)
	}
	f.log.Info("stopped")
	return nil
}

// app puts together what runs under the host.
type app struct {
	settings    settings.Settings
	settingsErr error
	log         *slog.Logger
	// kept, if set, is given what is recorded. If it is of a dry run, nothing is.
	kept *keptRecords
	// only, if set, says which rules run, and prepare changes what they run with.
	only    func(*rule.Rule) bool
	prepare func(ctx context.Context, config *detect.Config, rules []*rule.Rule, l *ledger.Ledger) error
}

// open makes the detector. It is the production one: rules, workspace, ledger
// and destinations as the settings say.
func (a *app) open(ctx context.Context) (*opened, error) {
	if a.settingsErr != nil {
		return nil, a.settingsErr
	}
	rules, ruleErr := a.rules()
	_, placeErr := ledgerOptions(a.settings)
	querier, err := openWorkspace(a.settings, a.log)
	if err := errors.Join(checkRetention(a.settings, rules), placeErr, err); err != nil {
		return nil, errors.Join(ruleErr, err)
	}
	if len(rules) == 0 {
		return nil, errors.Join(ruleErr, errors.New("no rule is left to run"))
	}
	records, err := a.ledger(ctx)
	if err != nil {
		return nil, err
	}
	config := detect.DefaultConfig()
	config.Delay, config.Lateness = a.settings.Delay, a.settings.Lateness
	config.CatchUp, config.Remembers = a.settings.CatchUp, a.settings.SeenRetention
	looks := looksOf(rules, kql.Catalog{Tables: kql.KnownTables()})
	config.Beginnings, config.LateLook = looks.beginnings, lateLook(a.settings, rules)
	config.Concurrency, config.Share = a.settings.Concurrency, a.settings.Share
	config.SendTimeout = sendTime
	config.MaxAlerts = a.settings.MaxAlerts
	config.Heartbeat = a.settings.TeamsHeartbeat
	config.LeaseLength = max(config.LeaseLength, a.settings.QueryTimeout+2*time.Minute)
	config.Health = detect.DefaultHealth()
	config.Health.Tables = ruleTables(rules)
	if ruleErr != nil {
		config.Health.Broken = failures(ruleErr)
	}
	withContext(&config, a.settings, querier, rules)
	silenceErr := a.silences(&config, rules)
	routeErr := a.routes(&config, rules, ruleErr == nil)
	destinations, err := openDestinations(setup{settings: a.settings, rules: rules, notes: records, querier: querier, log: a.log})
	if err != nil {
		return nil, err
	}
	if (a.kept == nil || !a.kept.dry) && slices.ContainsFunc(destinations, makesIncidents) {
		config.Verdicts = verdict.NewReader(querier, records)
	}
	for _, d := range withCaveat(a.settings) {
		a.log.Warn(d.caveat, "destination", d.name)
	}
	if a.only != nil { // silences may name the others
		rules, ruleErr = slices.DeleteFunc(rules, func(r *rule.Rule) bool { return !a.only(r) }), nil
	}
	if a.prepare != nil {
		if err := a.prepare(ctx, &config, rules, records); err != nil {
			return nil, err
		}
	}
	var to detect.Ledger = records
	if a.kept != nil {
		to, destinations = a.kept.wrap(records), a.kept.stand(destinations)
	}
	detector, err := detect.New(config, rules, querier, to, destinations...)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		if !config.Share.Has(r) {
			continue
		}
		a.log.Info("ready", "rule", r.ID, "name", r.Name, "version", r.Version, "file", r.File)
		if why := looks.without[r.ID]; why != nil && config.LateLook > 0 {
			a.log.Info("late passes run at every frequency: no look can tell whether records came in late", "rule", r.ID, "why", why.Error())
		}
	}
	if ruleErr != nil {
		a.log.Error("these rules do not run, and every tick fails until they are put right; the others run", "errors", failures(ruleErr))
	}
	return &opened{detector: detector, err: errors.Join(ruleErr, silenceErr, routeErr)}, nil
}

// makesIncidents reports whether analysts see a destination's alerts as incidents, and
// decide what they are.
func makesIncidents(n notify.Notifier) bool {
	_, ok := n.(notify.Opener)
	return ok
}

// silences reads the file of silences. One that is wrong holds nothing back: what it
// is for is less than an alert.
func (a *app) silences(config *detect.Config, rules []*rule.Rule) error {
	config.RuleNames = silenceRules(rules)
	if a.settings.Silences == "" {
		return nil
	}
	f, err := readSilences(a.settings.Silences, rules)
	if err != nil {
		a.log.Error("the file of silences holds nothing back, and every tick fails until it is put right; the rules run", "errors", failures(err))
		return err
	}
	for _, w := range f.warnings {
		a.log.Warn(w)
	}
	f.use(config, rules)
	return nil
}

// ledger opens the ledger, or a draft of it for a dry run.
func (a *app) ledger(ctx context.Context) (*ledger.Ledger, error) {
	if a.kept != nil && a.kept.dry {
		return openDraft(ctx, a.settings, a.log)
	}
	return openLedger(ctx, a.settings, a.log, true)
}

// rules reads the rules, and logs what there is to know of them.
func (a *app) rules() ([]*rule.Rule, error) {
	set := readRules(a.settings.Rules)
	for _, warning := range set.warnings() {
		a.log.Warn(warning)
	}
	running, disabled := divide(set.rules)
	for _, r := range disabled {
		a.log.Info("disabled", "rule", r.ID, "name", r.Name, "file", r.File)
	}
	return running, set.err()
}
