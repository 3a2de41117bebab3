package pull

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pushback/detect/input"
	"pushback/detect/rule"
)

// Folder is a folder of rules as it is.
type Folder struct {
	Path  string
	Rules []*rule.Rule
	// Problems are errors of rules' files, which are in no list.
	Problems []rule.Problem
	perFile  map[string]int    // rules
	broken   map[string]string // files that are wrong, by the ids in them
}

// ReadFolder reads the rules in a folder. One that is not there has none.
func ReadFolder(path string) (*Folder, error) {
	f := &Folder{Path: path, perFile: map[string]int{}, broken: map[string]string{}}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %s", path, input.Reason(err))
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file: name the folder of the rules", path)
	}
	var problems []rule.Problem
	f.Rules, problems = rule.Load(path)
	for _, p := range problems {
		// A folder of which nothing is a rule is one to be filled.
		if !p.Warning && p.File != path {
			f.Problems = append(f.Problems, p)
		}
	}
	for _, r := range f.Rules {
		f.perFile[r.File]++
	}
	for _, p := range f.Problems {
		if draft := rule.Draft(p.File); draft != nil && draft.ID != "" {
			f.broken[strings.ToLower(draft.ID)] = p.File
		}
	}
	return f, nil
}

// byID returns the rules by their ids in small letters.
func (f *Folder) byID() map[string]*rule.Rule {
	found := map[string]*rule.Rule{}
	for _, r := range f.Rules {
		found[strings.ToLower(r.ID)] = r
	}
	return found
}

// Content is what is brought out of a workspace. A list that could not be read is not
// there, and what the folder has of it stays as it is.
type Content struct {
	Rules      *Rules
	Functions  []Function
	Watchlists []Watchlist
}

// Result is what a pull did.
type Result struct {
	// Written and Changed are files that are new, and that were there; Same counts
	// those that needed no change.
	Written, Changed []string
	Same             int
	// Gone are rules of the folder that the workspace does not have.
	Gone     []*rule.Rule
	Problems []Problem
}

// puller writes a workspace's content into a folder.
type puller struct {
	folder *Folder
	root   *os.Root // no path leads out of it
	Result
}

// Write brings what the workspace holds into the folder. What is wrong with one of the
// files does not keep the others from being written.
func (f *Folder) Write(c Content) (Result, error) {
	if err := os.MkdirAll(f.Path, 0o755); err != nil {
		return Result{}, fmt.Errorf("%s: %s", f.Path, input.Reason(err))
	}
	root, err := os.OpenRoot(f.Path)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %s", f.Path, input.Reason(err))
	}
	defer root.Close()
	p := &puller{folder: f, root: root}
	if c.Rules != nil {
		p.rules(*c.Rules)
	}
	p.functions(c.Functions)
	p.watchlists(c.Watchlists)
	return p.Result, nil
}

func (p *puller) problem(format string, args ...any) {
	p.Problems = append(p.Problems, Problem{Text: fmt.Sprintf(format, args...)})
}

// rules writes the rules, each into the file that it is in, or into one of its own.
func (p *puller) rules(rules Rules) {
	here, names := p.folder.byID(), ruleNames(rules.List)
	there := map[string]bool{}
	for _, r := range rules.List {
		there[strings.ToLower(r.ID)] = true
		if old := here[strings.ToLower(r.ID)]; old != nil {
			p.replace(old, r)
			continue
		}
		if file := p.folder.broken[strings.ToLower(r.ID)]; file != "" {
			p.problem("%s has the rule %s and stays as it is, since it is wrong: repair it, or remove it", file, quoted(r.Name))
			continue
		}
		content, err := checkedYAML(p.path(names[r.ID]+".yaml"), r.Rule, nil)
		if err != nil {
			p.problem("the rule %s is left out: %v", quoted(r.Name), err)
			continue
		}
		name := names[r.ID] + ".yaml"
		if p.exists(name) { // another rule's, or none that can be read
			name = rule.FileName(r.Name) + "-" + digest(r.ID) + ".yaml"
		}
		if p.exists(name) {
			p.problem("%s is there already and is not the rule %s: repair it, or move it away", p.path(name), quoted(r.Name))
			continue
		}
		p.write(name, content)
	}
	for _, r := range p.folder.Rules {
		if id := strings.ToLower(r.ID); !there[id] && !rules.leftOut[id] {
			p.Gone = append(p.Gone, r)
		}
	}
}

// replace writes a rule into the file that has it, if that says something else. What
// the workspace does not keep of a rule stays.
func (p *puller) replace(old *rule.Rule, r Rule) {
	differences, err := Differences(old, r.Rule)
	if err != nil {
		p.problem("%s: %v", old.File, err)
		return
	}
	if len(differences) == 0 {
		p.Same++
		return
	}
	data, err := os.ReadFile(old.File)
	if err != nil {
		p.problem("%s: %s", old.File, input.Reason(err))
		return
	}
	ext := strings.ToLower(filepath.Ext(old.File))
	if p.folder.perFile[old.File] > 1 || ext != ".yaml" && ext != ".yml" || bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		p.problem("%s has the rule %s otherwise than the workspace, and in a form that is not written: remove it from there, and it is written into a file of its own", old.File, quoted(r.Name))
		return
	}
	merged := *r.Rule
	merged.ID, merged.Status, merged.Tags, merged.RequiredDataConnectors = old.ID, old.Status, old.Tags, old.RequiredDataConnectors
	if merged.Version == "" {
		merged.Version = old.Version
	}
	own, err := ownKeys(data)
	if err == nil {
		var content []byte
		if content, err = checkedYAML(old.File, &merged, own); err == nil {
			name, inside := filepath.Rel(p.folder.Path, old.File)
			if inside != nil {
				p.problem("%s: %v", old.File, inside)
				return
			}
			p.write(name, content)
			return
		}
	}
	p.problem("%s stays as it is: %v", old.File, err)
}

// checkedYAML returns a rule as a file, with Pushback's own keys behind it, and makes
// sure that it is read as one. Own keys may name files beside it.
func checkedYAML(file string, r *rule.Rule, own []byte) ([]byte, error) {
	content, err := r.YAML()
	if err != nil {
		return nil, err
	}
	content = append(content, own...)
	read, problems := rule.Parse(file, content)
	if read == nil {
		for _, p := range problems {
			if !p.Warning {
				return nil, fmt.Errorf("it cannot be written as a file that is read again: %s", p.Message)
			}
		}
		return nil, errors.New("it cannot be written as a file that is read again")
	}
	return content, nil
}

// ownKeys returns the lines of a rule's file that hold Pushback's own keys, with the
// comments among them.
func ownKeys(data []byte) ([]byte, error) {
	text, err := input.Text(data)
	if err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, err
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping of keys to values")
	}
	keys := root.Content[0].Content
	lines := strings.SplitAfter(unixLines(text), "\n")
	for i := 0; i+1 < len(keys); i += 2 {
		if keys[i].Value != "pushback" {
			continue
		}
		if root.Content[0].Style&yaml.FlowStyle != 0 || keys[i].Column != 1 {
			return nil, errors.New("its pushback keys are not on lines of their own")
		}
		end := len(lines)
		if i+2 < len(keys) {
			end = keys[i+2].Line - 1
			for end > keys[i].Line && strings.HasPrefix(lines[end-1], "#") { // of the next key
				end--
			}
		}
		own := strings.Join(lines[keys[i].Line-1:end], "")
		return []byte(strings.TrimRight(own, "\n") + "\n"), nil
	}
	return nil, nil
}

// functions writes the functions.
func (p *puller) functions(functions []Function) {
	names := functionFiles(functions)
	here, _ := rule.LoadFunctions(filepath.Join(p.folder.Path, functionsFolder))
	for i, f := range functions {
		content, ext, err := f.file()
		if err != nil {
			p.problem("%v", err)
			continue
		}
		name := filepath.Join(functionsFolder, names[i]+ext)
		var old []rule.Function
		for _, one := range here {
			if slices.Contains(one.Names, f.Alias) {
				old = append(old, one)
			}
		}
		switch {
		case len(old) == 0 || slices.ContainsFunc(old, func(one rule.Function) bool { return one.File == p.path(name) }):
			p.update(name, content)
		case slices.ContainsFunc(old, func(one rule.Function) bool { return sameFunction(one, f) }):
			p.Same++
		default:
			p.problem("%s has the function %s otherwise than the workspace: remove it, and it is written as %s", old[0].File, f.Alias, p.path(name))
		}
	}
}

// watchlists writes the watchlists.
func (p *puller) watchlists(lists []Watchlist) {
	taken := map[string]bool{}
	for _, w := range lists {
		name, err := watchlistFile(w.Alias, taken)
		if err == nil {
			err = w.err
		}
		var content []byte
		if err == nil {
			content, err = w.CSV()
		}
		if err != nil {
			p.problem("%v", err)
			continue
		}
		name = filepath.Join(watchlistsFolder, name)
		if old, err := p.root.ReadFile(name); err == nil && sameItems(old, content) {
			p.Same++
			continue
		}
		p.update(name, content)
	}
}

// update writes a file unless it is the same already.
func (p *puller) update(name string, content []byte) {
	if old, err := p.root.ReadFile(name); err == nil && bytes.Equal(bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n")), content) {
		p.Same++
		return
	}
	p.write(name, content)
}

// path is a file of the folder in messages.
func (p *puller) path(name string) string { return filepath.Join(p.folder.Path, name) }

// exists reports whether something has a name.
func (p *puller) exists(name string) bool {
	_, err := p.root.Lstat(name)
	return err == nil
}

// write puts a file into the folder, whole or not at all.
func (p *puller) write(name string, content []byte) {
	was := p.exists(name)
	if err := p.put(name, content); err != nil {
		p.problem("%s: %s", p.path(name), input.Reason(err))
		return
	}
	if was {
		p.Changed = append(p.Changed, p.path(name))
		return
	}
	p.Written = append(p.Written, p.path(name))
}

func (p *puller) put(name string, content []byte) (err error) {
	dir := filepath.Dir(name)
	if err := p.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// It begins with a dot, so that nothing takes it for a rule before it is whole.
	draft := filepath.Join(dir, ".pull-"+digest(name)+".tmp")
	if err := p.root.WriteFile(draft, content, 0o644); err != nil {
		return err
	}
	if err := p.root.Rename(draft, name); err != nil {
		return errors.Join(err, p.root.Remove(draft))
	}
	return nil
}
