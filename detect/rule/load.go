package rule

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pushback/detect/input"
)

// Load reads the rule in a file, or every rule in a folder: all files below it
// that end in .yaml or .yml, in the order of their paths, without hidden files
// and folders and files of cases. It reports every problem of every file. The rules without an
// error are returned even if others have one; the caller decides whether to
// run those. That there is no rule at all is an error, and so is an id that two
// rules share.
func Load(path string) ([]*Rule, []Problem) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, []Problem{readProblem(path, err)}
	}
	if !info.IsDir() {
		r, problems := loadFile(path)
		if r == nil {
			return nil, problems
		}
		return []*Rule{r}, problems
	}

	files, problems := ruleFiles(path)
	if len(files) == 0 && len(problems) == 0 {
		return nil, []Problem{{File: path, Message: "there is no rule in this folder: rules are files that end in .yaml or .yml"}}
	}
	var rules []*Rule
	byID := map[string]*Rule{}
	for _, file := range files {
		r, found := loadFile(file)
		problems = append(problems, found...)
		if r == nil {
			continue
		}
		id := strings.ToLower(r.ID)
		if first := byID[id]; first != nil {
			problems = append(problems, r.sameID(first))
			continue
		}
		byID[id] = r
		rules = append(rules, r)
	}
	sortProblems(problems)
	return rules, problems
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
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch hidden := path != root && strings.HasPrefix(entry.Name(), "."); {
		case err != nil:
			// One unreadable folder must not hide the problems of the others.
			problems = append(problems, readProblem(path, err))
		case hidden && entry.IsDir():
			return fs.SkipDir
		case hidden || entry.IsDir():
		default:
			if ext := strings.ToLower(filepath.Ext(path)); (ext == ".yaml" || ext == ".yml") && !IsTestFile(path) {
				files = append(files, path)
			}
		}
		return nil
	})
	if err != nil {
		problems = append(problems, readProblem(root, err))
	}
	return files, problems
}

func loadFile(path string) (*Rule, []Problem) {
	data, err := readRule(path)
	if err != nil {
		return nil, []Problem{readProblem(path, err)}
	}
	return Parse(path, data)
}

func readRule(path string) ([]byte, error) {
	f, err := input.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte over the limit is enough for Parse to say that it is too long.
	return io.ReadAll(io.LimitReader(f, maxFileSize+1))
}

func readProblem(path string, err error) Problem {
	if errors.Is(err, fs.ErrNotExist) {
		return Problem{File: path, Message: "there is no such file or folder: give the path of a rule file, or of a folder with rule files"}
	}
	if errors.Is(err, input.ErrNotRegular) {
		return Problem{File: path, Message: "it is not a regular file: give a file or a folder of files, and no pipe or device"}
	}
	return Problem{File: input.ShortPath(path), Message: "cannot read it: " + input.Reason(err)}
}
