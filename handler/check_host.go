package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"pushback/detect/input"
	"pushback/handler/settings"
)

// runtimeVariable says which kind of worker the host starts.
const runtimeVariable = "FUNCTIONS_WORKER_RUNTIME"

// hostFile is host.json as far as the handler depends on it.
type hostFile struct {
	FunctionTimeout json.RawMessage
	CustomHandler   struct {
		Description struct{ DefaultExecutablePath, WorkingDirectory string }
	}
}

// readConfig reads a file of the app, as the text of one.
func readConfig(path string) (string, error) {
	const most = 1 << 20
	data, err := input.ReadFile(context.Background(), path, most)
	if err != nil {
		return "", err
	}
	return input.Text(data)
}

// host checks what the Functions host would make of the folder of the app: the
// one that the host says, or the current one.
func (c *checker) host() {
	root := cmp.Or(os.Getenv("AzureWebJobsScriptRoot"), os.Getenv("FUNCTIONS_APP_ROOT_PATH"), ".")
	text, err := readConfig(filepath.Join(root, "host.json"))
	if errors.Is(err, fs.ErrNotExist) {
		c.note("host", checkOK, "host.json is not in this folder, so it was not checked: run check in the folder of the app")
		return
	}
	var file hostFile
	if err == nil {
		err = json.Unmarshal([]byte(text), &file)
	}
	if err != nil {
		c.note("host", checkFailed, "host.json cannot be read: %v", err)
		return
	}
	warned := false
	for _, problem := range []string{
		functionTimeoutProblem(file.FunctionTimeout, c.settings.TickTimeout),
		executableProblem(root, file),
		workerRuntimeProblem(root),
	} {
		if problem != "" {
			warned = true
			c.note("host", checkWarning, "%s", problem)
		}
	}
	if !warned {
		path, by := executable(root, file)
		c.note("host", checkOK, "%s starts %s", by, path)
	}
}

// defaultFunctionTimeout is what the host grants on Flex Consumption if host.json
// does not say: https://learn.microsoft.com/azure/azure-functions/functions-host-json#functiontimeout
const defaultFunctionTimeout = 30 * time.Minute

// functionTimeoutProblem says whether the host would kill a tick before its own
// time is up. A tick timeout of zero is none: it is wrong, as the settings say.
func functionTimeoutProblem(raw json.RawMessage, tick time.Duration) string {
	limit, named := defaultFunctionTimeout, fmt.Sprintf("host.json sets no functionTimeout, which is %s then,", defaultFunctionTimeout)
	if !isMissing(raw) {
		text := strings.Trim(string(raw), `"`)
		if text == "-1" {
			return "" // there is none
		}
		var ok bool
		if limit, ok = parseTimeSpan(text); !ok {
			return fmt.Sprintf("functionTimeout in host.json is %.40q, which is not a time span such as 00:10:00: the host does not start", text)
		}
		named = fmt.Sprintf("functionTimeout in host.json is %s,", limit)
	}
	if tick > 0 && limit <= tick {
		return fmt.Sprintf("%s and a tick may take %s: the host would kill it before it has saved how far it came. Set %s_TICK_TIMEOUT at least half a minute below it", named, tick, settings.Prefix)
	}
	return ""
}

// timeSpan is a time span as .NET writes it: days, hours, minutes, seconds.
var timeSpan = regexp.MustCompile(`^(?:(\d{1,4})[.:])?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d{1,7})?$`)

func parseTimeSpan(text string) (time.Duration, bool) {
	m := timeSpan.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	var parts [4]time.Duration
	for i := range parts {
		n, err := strconv.Atoi(cmp.Or(m[i+1], "0"))
		if err != nil {
			return 0, false
		}
		parts[i] = time.Duration(n)
	}
	if parts[1] > 23 || parts[2] > 59 || parts[3] > 59 {
		return 0, false
	}
	return parts[0]*24*time.Hour + parts[1]*time.Hour + parts[2]*time.Minute + parts[3]*time.Second, true
}

// percentVariable is how host.json refers to an environment variable.
var percentVariable = regexp.MustCompile(`%[^%]+%`)

// executableVariable outweighs what host.json names:
// https://learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values
const executableVariable = "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath"

// executable returns what the host starts, and what names it.
func executable(root string, file hostFile) (path, by string) {
	if path = os.Getenv(executableVariable); path != "" {
		return path, executableVariable
	}
	// A file that cannot be read is a problem of its own.
	if path, _ = localSetting(root, executableVariable); path != "" {
		return path, "local.settings.json"
	}
	return file.CustomHandler.Description.DefaultExecutablePath, "host.json"
}

// executableProblem says whether the host cannot start the executable. It runs
// on without it, and each tick hangs.
func executableProblem(root string, file hostFile) string {
	const then = "the host runs on, and each tick hangs"
	description := file.CustomHandler.Description
	named, by := executable(root, file)
	if named == "" {
		return "host.json names no executable: set customHandler.description.defaultExecutablePath to bin/handler"
	}
	path := percentVariable.ReplaceAllStringFunc(named, func(name string) string {
		if value, ok := os.LookupEnv(strings.Trim(name, "%")); ok {
			return value
		}
		return name
	})
	if !filepath.IsAbs(path) {
		in := description.WorkingDirectory
		if !filepath.IsAbs(in) {
			in = filepath.Join(root, in)
		}
		path = filepath.Join(in, path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The host takes what is not there for a program of the system.
		if _, err := exec.LookPath(named); err == nil && filepath.Base(named) == named {
			return ""
		}
		// It starts what is named, and adds no .exe:
		// https://learn.microsoft.com/azure/azure-functions/create-first-function-vs-code-other#configure-your-function-app
		if _, err := os.Stat(path + ".exe"); err == nil {
			return fmt.Sprintf("%s names the executable %s, and %[2]s.exe is there: %s. Set %s to %[2]s.exe among the Values of local.settings.json", by, named, then, executableVariable)
		}
		return fmt.Sprintf("%s names the executable %s, which is not there: %s. Run go run ./infra/build", by, named, then)
	case err != nil:
		return fmt.Sprintf("%s names the executable %s, which cannot be looked at: %v", by, named, err)
	case !info.Mode().IsRegular():
		return fmt.Sprintf("%s names the executable %s, which is not a file: %s. Run go run ./infra/build", by, named, then)
	case info.Mode().Perm()&0o111 == 0 && runtime.GOOS != "windows":
		return fmt.Sprintf("the executable %s has no run bit: %s. Run chmod +x %s", named, then, named)
	}
	return ""
}

// workerRuntimeProblem says whether the host, or Core Tools, would take the app
// for something else than a custom handler.
func workerRuntimeProblem(root string) string {
	const fix = "set it to custom in local.settings.json; an app on Flex Consumption takes none"
	value, ok := os.LookupEnv(runtimeVariable)
	if !ok || value == "" {
		local, err := localSetting(root, runtimeVariable)
		if err != nil {
			return fmt.Sprintf("local.settings.json cannot be read, so that func start does not either: %v", err)
		}
		value = local
	}
	_, err := os.Stat(filepath.Join(root, "go.mod"))
	switch {
	case value == "":
		return fmt.Sprintf("%s is not set, so that the host looks for another kind of app: %s", runtimeVariable, fix)
	case strings.EqualFold(value, "native") && err == nil:
		return fmt.Sprintf("%s is native, and beside this go.mod Core Tools would build the folder for the Go worker: %s", runtimeVariable, fix)
	case !strings.EqualFold(value, "custom"):
		return fmt.Sprintf("%s is %.40q, so that the host looks for another kind of app: %s", runtimeVariable, value, fix)
	}
	return ""
}

// localSetting returns a value of local.settings.json, which func start makes an
// environment variable of, or nothing. The file may hold secrets.
func localSetting(root, name string) (string, error) {
	text, err := readConfig(filepath.Join(root, "local.settings.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var file struct{ Values map[string]any }
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return "", err
	}
	value, _ := file.Values[name].(string)
	return value, nil
}
