package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"pushback/detect/notify/text"
)

// allCommands are the commands that one can run, by their paths.
func allCommands() map[string]*cobra.Command {
	found := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.IsAdditionalHelpTopicCommand() {
			return
		}
		found[cmd.CommandPath()] = cmd
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRoot(io.Discard, io.Discard))
	return found
}

// Every help has an example, which names commands and flags that there are, and no
// strange words.
func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	for path, cmd := range allCommands() {
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s has no example, or nothing short to say of it", path)
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, "handler ") && !strings.Contains(line, "func start") {
				t.Errorf("%s: the example %q", path, line)
			}
			for part := range strings.SplitSeq(line, "|") {
				_, of, found := strings.Cut(part, "handler ")
				if !found {
					continue
				}
				words := strings.Fields(strings.TrimRight(of, ")"))
				named, _, err := newRoot(io.Discard, io.Discard).Find(words)
				if err != nil || named == nil || !named.HasParent() {
					t.Errorf("%s: %q names no command", path, line)
					continue
				}
				for _, f := range flagName.FindAllStringSubmatch(part, -1) {
					if named.InitDefaultHelpFlag(); !hasFlag(named, f[1][2:]) {
						t.Errorf("%s: %q: there is no flag %s", path, line, f[1])
					}
				}
			}
		}
		args := append(strings.Fields(path)[1:], "--help")
		r := handler(t, args...)
		if r.code != exitDone || r.stderr != "" || !strings.Contains(r.stdout, "Examples:\n") || strings.Contains(r.stdout, "PUSHBACK_LATENESS  ") {
			t.Errorf("%s: code %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
		if strings.Count(r.stdout, "\n") > 70 {
			t.Errorf("%s has %d lines", args, strings.Count(r.stdout, "\n"))
		}
	}
}

// Help is as wide as the terminal, but for what is to be copied.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--help"}, {"help", "settings"}, {"replay", "--help"}, {"outbox", "--help"}, {"test", "--help"}} {
		for _, width := range []string{"60", "100", "160"} {
			cmd := exec.CommandContext(t.Context(), bin, args...)
			cmd.Env = append(os.Environ(), "COLUMNS="+width)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			most := map[string]int{"60": 60, "100": 100, "160": mostHelpWidth}[width]
			for line := range strings.Lines(string(out)) {
				if w := text.Width(strings.TrimRight(line, "\n")); w > most && !strings.Contains(line, "handler ") {
					t.Errorf("%s at %s: %d columns: %s", args, width, w, line)
				}
			}
		}
	}
}

// Each mistake in a command line ends with 2, in our own words.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"dmeo":                         `unknown command "dmeo": did you mean "demo"? See handler --help`,
		"rep":                          `unknown command "rep": did you mean "replay"?`,
		"xyzzy":                        `unknown command "xyzzy": see handler --help`,
		"outbox lst":                   `unknown command "lst": did you mean "list"? See handler outbox --help`,
		"rule shema":                   `unknown command "shema": did you mean "schema"?`,
		"help outbx":                   `unknown command "outbx": did you mean "outbox"?`,
		"help setings":                 `unknown command "setings": did you mean "settings"?`,
		"help outbox lst":              `unknown command "lst": did you mean "list"?`,
		"completion zhs":               `unknown command "zhs": did you mean "zsh"?`,
		"completion bash x":            `bash takes no argument, and got "x": see handler completion bash --help`,
		"--hlep":                       "unknown flag: --hlep: did you mean --help? See handler --help",
		"demo --jsn":                   "unknown flag: --jsn: did you mean --json? See handler demo --help",
		"demo -json":                   "unknown flag: -json: did you mean --json?",
		"replay --log x":               "unknown flag: --log: did you mean --logs?",
		"check --send-card":            "unknown flag: --send-card",
		"demo -x":                      "unknown flag: -x: see handler demo --help",
		"demo --=x":                    `"--=x" is no flag`,
		"demo --seed":                  "--seed needs a value: see handler demo --help",
		"demo --seed x":                `invalid argument "x" for "--seed": expected a whole number from 0 on: see handler demo --help`,
		"demo --seed -1":               `expected a whole number from 0 on`,
		"demo --seed 1.5":              `expected a whole number from 0 on`,
		"demo --open=maybe":            `expected true or false`,
		"demo --serve nowhere":         `for "--serve": expected`,
		"demo --alert one":             `for "--alert": expected the number of an alert`,
		"demo x":                       `demo takes no argument, and got "x": see handler demo --help`,
		"backtest --days many":         "expected a whole number: see",
		"backtest --days 0":            "--days is 0",
		"route a b":                    "route takes one alert",
		"route --at noon":              `--at: "noon" is no time`,
		"route --routes nowhere.yaml":  "--routes nowhere.yaml: there is no such file",
		"route nowhere.json":           "nowhere.json: there is no such file: give a file that holds alerts",
		"card":                         "card needs --alert FILE",
		"card --alert - x":             "card takes no argument",
		"query":                        "query needs a query",
		"query a b":                    "query takes one query",
		"query --output xml x":         "--output is",
		"query --date-order ymd T":     "expected dmy (the day first)",
		"outbox drop":                  "needs the id of one alert",
		"outbox drop x --parked":       "not both",
		"rule convert":                 "convert takes one file",
		"test --run (":                 "no regular expression",
		"replay":                       "replay needs --logs",
		"replay --logs . --from x":     "--from is",
		"check --settings none.json":   "--settings",
		"lint none.yaml":               "",
		"demo --json --details":        "expected one of them",
		"serve":                        "serve is started by the Functions host",
		"replay --logs . --rules none": "",
	} {
		r := handler(t, strings.Fields(line)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "strconv") || strings.Contains(r.stderr, "parsing") && !strings.Contains(line, "(") {
			t.Errorf("%s: code %d: %s", line, r.code, r.stderr)
		}
	}
}

// A shell is offered commands, flags and the values of flags.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"re|":                           {"replay\t"},
		"outbox |":                      {"list\t", "retry\t"},
		"demo --|":                      {"--seed\t", "--alert\t"},
		"query --output |":              {"table\n", "csv-safe\n", ":4"},
		"query --date-order |":          {"dmy\tthe day first", "mdy"},
		"replay --rules |":              {"mfa-fatigue\tMFA Fatigue", ":0"},
		"replay --rules rules,|":        {"rules,mfa-fatigue"},
		"test |":                        {"mfa-fatigue"},
		"replay --table x.csv=|":        {"x.csv=SigninLogs\n"},
		"outbox drop --to |":            {"teams\n", "sentinel\n"},
		"help |":                        {"settings\t", "replay\t"},
		"replay --logs . --watchlists|": {"--watchlists\t"},
		"check --settings |":            {"json\n:8"},
		"tick --settings |":             {"json\n:8"},
		"silence add --rule |":          {"mfa-fatigue\tMFA Fatigue", ":4"},
		"silence add --max-severity |":  {"High\nMedium\nLow\nInformational\n:36"},
		"silence add --match |":         {"Account.FullName=\n", "IP.Address=\n", "detail.Applications=\n", ":6"},
		"silence add --hours |":         {"Europe/Berlin\n"},
		"silence show |":                {":4"},
		"silence check |":               {"yaml\nyml\n:8"},
		"silence |":                     {"add\t", "end\t"},
		"replay --silences |":           {"yaml\nyml\n:8"},
		"alerts list --severity High,|": {"High,Medium\n", ":36"},
		"alerts list --rule |":          {"mfa-rejected-by-user\t"},
		"alerts export --format |":      {"json\ncsv\n:4"},
		"rerun |":                       {"MFA Fatigue", ":4"},
	} {
		args := append([]string{"__complete"}, strings.Split(strings.TrimSuffix(line, "|"), " ")...)
		r := handler(t, args...)
		for _, w := range want {
			if r.code != exitDone || !strings.Contains(r.stdout, w) {
				t.Errorf("%s: code %d: %q is not in %s%s", line, r.code, w, r.stdout, r.stderr)
			}
		}
	}
	for shell, want := range map[string]string{"bash": "complete -o default -F __start_handler", "zsh": "#compdef handler", "fish": "complete -c handler", "powershell": "Register-ArgumentCompleter"} {
		if r := handler(t, "completion", shell); r.code != exitDone || !strings.Contains(r.stdout, want) {
			t.Errorf("%s: code %d: %.300s", shell, r.code, r.stdout)
		}
	}
}
