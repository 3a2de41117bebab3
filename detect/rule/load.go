package rule

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/input"
)

// Load reads the rules in a file, or every rule in a folder: all files below it that
// end in .yaml, .yml or .json, in the order of their paths, without hidden files
// and folders, the cases of tests, and files of silences and of routes. What the files may be says [ParseAll]. It
// reports every problem of every file. The rules without an
// error are returned even if others have one; the caller decides whether to
// run those. That there is no rule at all is an error, and so is an id that two
// rules share.
func Load(path string) ([]*Rule, []Problem) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, []Problem{readProblem(path, err)}
	}
	if !info.IsDir() {
		rules, problems := loadFile(path, false)
		if len(rules) == 0 && !hasError(problems) {
			for i := range problems { // why there is none
				problems[i].Warning = false
				problems[i].Message = strings.TrimSuffix(problems[i].Message, ": skipped")
			}
		}
		return distinct(rules, problems)
	}

	files, problems := ruleFiles(path)
	var rules []*Rule
	for _, file := range files {
		read, found := loadFile(file, true)
		problems = append(problems, found...)
		rules = append(rules, read...)
	}
	rules, problems = distinct(rules, problems)
	if len(rules) == 0 && !hasError(problems) {
		problems = append(problems, Problem{File: path, Message: "there is no rule in this folder: rules are files that end in .yaml, .yml or .json"})
	}
	sortProblems(problems)
	return rules, problems
}

// distinct returns the rules without those whose id another has before them, which are
// problems.
func distinct(rules []*Rule, problems []Problem) ([]*Rule, []Problem) {
	var kept []*Rule
	byID := map[string]*Rule{}
	for _, r := range rules {
		id := strings.ToLower(r.ID)
		if first := byID[id]; first != nil {
			problems = append(problems, r.sameID(first))
			continue
		}
		byID[id] = r
		kept = append(kept, r)
	}
	sortProblems(problems)
	return kept, problems
}

// sameID is the problem that another rule has the id already.
func (r *Rule) sameID(first *Rule) Problem {
	at, firstAt := r.at["id"], first.at["id"]
	return Problem{
		File: r.File, Line: at.line, Column: at.column,
		Message: fmt.Sprintf("id %s is already that of %q at %s:%d:%d: give each rule an id of its own",
			r.ID, first.Name, first.File, firstAt.line, firstAt.column),
	}
}

// ruleFiles lists the rule files below a folder, in lexical order.
func ruleFiles(root string) (files []string, problems []Problem) {
	return filesBelow(root, func(path string) bool { return !IsTestFile(path) }, ".yaml", ".yml", ".json")
}

// besides are the files that may stand beside rules, by the list that they hold.
var besides = map[string]*regexp.Regexp{
	"silences": regexp.MustCompile(`(?m)^\{?["']?silences["']?[ \t]*:`),
	"routes":   regexp.MustCompile(`(?m)^\{?["']?routes["']?[ \t]*:`),
}

var queryKey = regexp.MustCompile(`(?m)^["']?query["']?[ \t]*:`)

// isBeside returns of what a file is that may stand beside the rules, silences or routes,
// or nothing.
func isBeside(data []byte) string {
	if queryKey.Match(data) {
		return ""
	}
	for _, of := range slices.Sorted(maps.Keys(besides)) {
		if besides[of].Match(data) {
			return of
		}
	}
	return ""
}

// Beside lists the files of silences, or of routes, that stand in a folder of rules. Of a
// path that is such a file itself it is that.
func Beside(path, of string) (found []string) {
	list := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		list, _ = ruleFiles(path) // whoever reads the rules says what is wrong with it
	}
	for _, file := range list {
		switch strings.ToLower(filepath.Ext(file)) {
		case ".yaml", ".yml":
			if data, problem := readFile(file, maxJSONSize); problem == nil && isBeside(data) == of {
				found = append(found, file)
			}
		}
	}
	return found
}

// filesBelow lists the files below a folder that have one of some extensions and are
// wanted, in lexical order, without hidden ones.
func filesBelow(root string, wanted func(path string) bool, extensions ...string) (files []string, problems []Problem) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch hidden := path != root && strings.HasPrefix(entry.Name(), "."); {
		case err != nil:
			// One unreadable folder must not hide the problems of the others.
			problems = append(problems, readProblem(path, err))
		case hidden && entry.IsDir():
			return fs.SkipDir
		case hidden || entry.IsDir():
		case slices.Contains(extensions, strings.ToLower(filepath.Ext(path))) && wanted(path):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		problems = append(problems, readProblem(root, err))
	}
	return files, problems
}

// loadFile reads the rules in a file. Of JSON in a folder nothing is said if it has
// nothing to do with rules.
func loadFile(path string, inFolder bool) ([]*Rule, []Problem) {
	if what := foreignFiles[strings.ToLower(filepath.Ext(path))]; what != "" {
		if _, err := os.Stat(path); err == nil {
			return nil, []Problem{{File: path, Message: what}}
		}
	}
	data, problem := readFile(path, maxJSONSize)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	if inFolder && strings.EqualFold(filepath.Ext(path), ".json") && (len(data) > maxJSONSize || !mentionsQuery(data)) {
		return nil, nil
	}
	if inFolder && isBeside(data) != "" {
		return nil, nil
	}
	return ParseAll(path, data)
}

// foreignFiles says what the files are that people have beside their rules, by their
// extensions.
var foreignFiles = map[string]string{
	".bicep":  "Bicep, which is not read: give the template that az bicep build makes of it",
	".tf":     "Terraform, which is not read: give the rule as the portal exports it, or in YAML",
	".kql":    aQuery,
	".csl":    aQuery,
	".kusto":  aQuery,
	".ndjson": someLogs,
	".jsonl":  someLogs,
	".csv":    someLogs,
	".zip":    "an archive, which is not read: unpack it and give the folder",
	".toml":   "TOML, such as Elastic's rules are in, which is not read: " + aRule,
}

const (
	aQuery   = "a query and no rule: put it under query in a YAML file with id, name and severity, or run it with query --file"
	someLogs = "logs and no rule: give them with --logs"
)

// readFile reads a file. One byte over the limit is enough to say that it is too
// long.
func readFile(path string, most int64) ([]byte, *Problem) {
	data, err := readUpTo(path, most)
	if err != nil {
		problem := readProblem(path, err)
		return nil, &problem
	}
	return data, nil
}

func readUpTo(path string, most int64) ([]byte, error) {
	f, err := input.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

func readRule(path string) ([]byte, error) { return readUpTo(path, maxFileSize) }

func readProblem(path string, err error) Problem {
	if errors.Is(err, fs.ErrNotExist) {
		return Problem{File: path, Message: "there is no such file or folder: give the path of a rule file, or of a folder with rule files"}
	}
	if errors.Is(err, input.ErrNotRegular) {
		return Problem{File: path, Message: "it is not a regular file: give a file or a folder of files, and no pipe or device"}
	}
	return Problem{File: input.ShortPath(path), Message: "cannot read it: " + input.Reason(err)}
}
