package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pushback/detect/input"
)

// source is a file to be read.
type source struct {
	path  string // to open it and to name it in messages
	named string // the part of the path that may name a table
	size  int64
	loose bool      // nobody chose this very file
	src   io.Reader // what to read in place of a file; nil for a file
}

// found is what a folder holds.
type found struct {
	sources []source
	skipped []Skipped
	total   int64
}

func (f *found) add(path, named string, size int64, loose bool) {
	f.sources = append(f.sources, source{path: path, named: named, size: size, loose: loose})
	f.total += size
}

func (f *found) skip(path, reason string) {
	f.skipped = append(f.skipped, Skipped{Path: path, Reason: reason})
}

// join adds what another folder holds.
func (f *found) join(other *found) {
	f.sources = append(f.sources, other.sources...)
	f.skipped = append(f.skipped, other.skipped...)
	f.total += other.total
}

// once leaves out files that are there already, by another name or in another
// folder: their records would count twice.
func (f *found) once() {
	seen := make(map[string]string)
	kept := f.sources[:0]
	for _, s := range f.sources {
		if s.src == nil {
			real, err := filepath.EvalSymlinks(s.path)
			if err == nil {
				real, err = filepath.Abs(real)
			}
			if first, ok := seen[real]; err == nil && ok {
				f.skip(s.path, "read already, as "+first)
				f.total -= s.size
				continue
			}
			seen[real] = s.path
		}
		kept = append(kept, s)
	}
	f.sources = kept
}

// find lists the files to be read, in the order of their names.
func find(root string) (*found, error) {
	if scheme, _, ok := strings.Cut(root, "://"); ok && plausible().MatchString(scheme) {
		// The rest may hold a token, which must not be shown.
		return nil, fmt.Errorf("logs: an address (%s://...) is not read; download the file and give its path", scheme)
	}
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("logs: no file or folder %s; give the folder that holds the exported logs", shownPath(root))
	case err != nil:
		return nil, fmt.Errorf("logs: %w", err)
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil, fmt.Errorf("logs: %s is neither a file nor a folder", shownPath(root))
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	f := new(found)
	if !info.IsDir() {
		// The caller chose this very file, so its ending does not matter.
		named := filepath.Join(filepath.Base(filepath.Dir(absolute)), filepath.Base(absolute))
		f.add(root, named, info.Size(), false)
		return f, nil
	}
	// A link is followed to a file but not to a folder, so that links cannot
	// make a loop.
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	err = filepath.WalkDir(real, func(at string, entry fs.DirEntry, err error) error {
		if err != nil && at == real {
			return err
		}
		inside, relErr := filepath.Rel(real, at)
		if relErr != nil {
			return relErr
		}
		shown := filepath.Join(root, inside)
		if err != nil {
			f.skip(input.ShortPath(shown), input.Reason(err))
			return nil
		}
		switch {
		case inside == ".":
		case strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return filepath.SkipDir
			}
		case entry.IsDir():
		case entry.Type()&fs.ModeSymlink != 0:
			f.link(real, root, filepath.Base(absolute), inside)
		case !entry.Type().IsRegular():
			f.skip(shown, "not a regular file")
		case !isKind(entry.Name()):
			f.skip(shown, notKind(shown))
		default:
			info, err := entry.Info()
			if err != nil {
				f.skip(shown, err.Error())
				return nil
			}
			f.add(shown, filepath.Join(filepath.Base(absolute), inside), info.Size(), true)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("logs: list %s: %w", shownPath(root), err)
	}
	switch {
	case len(f.sources) == 0 && len(f.skipped) == 0:
		return nil, fmt.Errorf("logs: the folder %s is empty; it should hold exported logs (%s)", shownPath(root), knownKinds)
	case len(f.sources) == 0:
		return nil, fmt.Errorf("logs: the folder %s has no file of a known kind (%s) among its %d, such as %s: %s",
			shownPath(root), knownKinds, len(f.skipped), shownPath(f.skipped[0].Path), f.skipped[0].Reason)
	}
	return f, nil
}

// link adds the file that a symbolic link leads to, unless the folder holds
// that file itself: its records would count twice.
func (f *found) link(real, root, base, inside string) {
	shown := filepath.Join(root, inside)
	target, err := filepath.EvalSymlinks(filepath.Join(real, inside))
	if err != nil {
		f.skip(shown, "a link that leads nowhere")
		return
	}
	info, err := os.Stat(target)
	if err != nil {
		f.skip(shown, err.Error())
		return
	}
	within, err := filepath.Rel(real, target)
	switch {
	case info.IsDir():
		f.skip(shown, "a link to a folder; give that folder itself to read it")
	case !info.Mode().IsRegular():
		f.skip(shown, "not a regular file")
	case err == nil && within != ".." && !strings.HasPrefix(within, ".."+string(filepath.Separator)):
		f.skip(shown, "a link to "+within+", which is read under that name")
	case !isKind(shown):
		f.skip(shown, notKind(shown))
	default:
		f.add(shown, filepath.Join(base, inside), info.Size(), true)
	}
}

// files reads what was found. Files that hold nothing but bad lines are
// reported together, so that one run names them all.
func (r *Reader) files(ctx context.Context, f *found) error {
	r.total = f.total
	r.report.Skipped = append(r.report.Skipped, f.skipped...)
	var bad []error
	for _, s := range f.sources {
		err := r.open(ctx, s)
		var unusable *FileError
		var order *DateOrderError
		if errors.As(err, &unusable) {
			bad = append(bad, err)
		} else if errors.As(err, &order) {
			bad = append(bad, err)
			r.failed = nil // the other files are read for their errors alone
		} else if err != nil {
			return err
		}
	}
	if r.opts.GoOn && len(bad) < len(f.sources) && !slices.ContainsFunc(bad, isDateOrder) {
		r.report.Unusable = append(r.report.Unusable, bad...)
		return nil
	}
	const most = 10
	if more := len(bad) - most; more > 0 {
		bad = append(bad[:most:most], fmt.Errorf("logs: and %d more files hold nothing that can be read", more))
	}
	return errors.Join(bad...)
}

// isDateOrder reports whether an error says that dates were read in the wrong order,
// which leaves nothing to go on with.
func isDateOrder(err error) bool {
	var order *DateOrderError
	return errors.As(err, &order)
}

func (r *Reader) open(ctx context.Context, s source) error {
	if s.src != nil {
		return r.file(ctx, s, s.src)
	}
	file, err := input.Open(s.path)
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	before := r.done
	err = r.file(ctx, s, file)
	if rest := before + s.size - r.done; rest > 0 {
		r.progress(rest) // a broken stream is not read to its end
	}
	if closing := file.Close(); err == nil && closing != nil {
		err = fmt.Errorf("logs: %w", closing)
	}
	return err
}
