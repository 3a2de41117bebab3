package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// localSettingsFile is where the Functions host reads the settings of an app that
// runs on this machine.
const localSettingsFile = "local.settings.json"

// localSettings reads the Values of a file as the Functions host does: their names
// and what they are. A name that begins with // is a comment. Its errors name the
// place and no value: one may be a secret.
func localSettings(path string) (map[string]string, error) {
	text, err := readConfig(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	text = withoutComments(text)
	var file struct {
		IsEncrypted json.RawMessage
		Values      map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return nil, localSettingsError(path, text, err)
	}
	if strings.EqualFold(strings.Trim(string(file.IsEncrypted), `"`), "true") {
		return nil, fmt.Errorf("%s: its values are encrypted, and only the Functions tools have the key: run func settings decrypt", path)
	}
	if file.Values == nil {
		return nil, fmt.Errorf(`%s: there is no "Values" with the settings in it: see local.settings.json.example`, path)
	}
	values := map[string]string{}
	for name, raw := range file.Values {
		if strings.HasPrefix(strings.TrimSpace(name), "//") {
			continue
		}
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, fmt.Errorf("%s: %.40q in Values cannot be the name of a variable", path, name)
		}
		var value string
		switch {
		case json.Unmarshal(raw, &value) == nil: // also of null, which is as if it were not there
			if isMissing(raw) {
				continue
			}
		case raw[0] == '{' || raw[0] == '[':
			return nil, fmt.Errorf("%s: the value of %.60q is a JSON %s: expected a text in quotation marks", path, name, map[byte]string{'{': "object", '[': "array"}[raw[0]])
		default: // the host takes a number and a boolean as their text
			value = string(raw)
		}
		if strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("%s: the value of %.60q holds a NUL character, which no variable can", path, name)
		}
		values[name] = value
	}
	return values, nil
}

// localSettingsError says where a file is not as expected.
func localSettingsError(path, text string, err error) error {
	at := func(offset int64) int { return 1 + strings.Count(text[:min(int(offset), len(text))], "\n") }
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s:%d: this is not JSON: %w", path, at(syntax.Offset), err)
	case errors.As(err, &kind):
		return fmt.Errorf(`%s:%d: a JSON %s is in a place where it does not belong: expected {"Values": {"NAME": "value"}}`, path, at(kind.Offset), strings.Fields(kind.Value + " value")[0])
	}
	return fmt.Errorf("%s: %w", path, err)
}

// withoutComments returns JSON as the Functions tools take it, with comments and
// commas before a closing bracket, as plain JSON. What is left out becomes spaces,
// so that places stay the same.
func withoutComments(text string) string {
	out := []byte(text)
	comma := -1 // that nothing but spaces came after
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	until := func(from int, end string) int {
		if i := strings.Index(text[from:], end); i >= 0 {
			return from + i + len(end)
		}
		return len(text)
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			i++
		case strings.HasPrefix(text[i:], "//"):
			end := i + len(strings.SplitN(text[i:], "\n", 2)[0])
			blank(i, end)
			i = end
		case strings.HasPrefix(text[i:], "/*"):
			end := until(i+2, "*/")
			blank(i, end)
			i = end
		case c == ',':
			comma = i
			i++
		case (c == '}' || c == ']') && comma >= 0:
			blank(comma, comma+1)
			comma = -1
			i++
		default:
			if !strings.ContainsRune(" \t\r\n", rune(c)) {
				comma = -1
			}
			i++
		}
	}
	return string(out)
}

// settingsFile is the file of settings that a command takes beside the
// environment.
type settingsFile struct{ path string }

func (f *settingsFile) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "settings", "", "a file with settings, in the form of "+localSettingsFile+", for what the environment does not set (default: ./"+localSettingsFile+" if it is there)")
}

// withSettings gives commands the flag --settings, and has each read the file before it
// does anything: they take their settings from the environment and, for what that does
// not set, from the file. check alone does it itself, to say what it read.
func withSettings(cmds ...*cobra.Command) {
	for _, cmd := range cmds {
		var file settingsFile
		file.flag(cmd)
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if _, _, err := file.apply(); err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
}

// apply sets the variables of the file that the environment does not have, and
// returns where they are from and the names of those that were set. Without a file
// it does nothing.
func (f *settingsFile) apply() (path string, names []string, err error) {
	path = f.path
	if path == "" {
		path = localSettingsFile
	}
	values, err := localSettings(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.path == "":
		return "", nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, usageError{fmt.Errorf("--settings: %s: there is no such file: give one in the form of %s", path, localSettingsFile)}
	case err != nil:
		return "", nil, err
	}
	for name, value := range values {
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return "", nil, fmt.Errorf("%s: setting the variable %.60q: %w", path, name, err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return path, names, nil
}
