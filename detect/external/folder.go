// Package external keeps the files that rules read with externaldata: it finds them in a
// folder, and downloads them into one. Running a query fetches nothing.
package external

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	slashpath "path"
	"path/filepath"
	"strings"

	"pushback/detect/kql"
)

// Open finds the files of a folder that stand for addresses, for kql.Database. They are
// laid out by host and path. Without a folder no file is there.
func Open(dir string) func(uri string) (kql.ExternalFile, error) {
	return func(uri string) (kql.ExternalFile, error) {
		name := kql.ExternalName(uri)
		if dir == "" {
			return nil, &kql.MissingExternal{Message: "externaldata reads " + name + ", and running a query fetches nothing: give a folder that has it with --external DIR (or PUSHBACK_EXTERNAL); handler external pull --rules PATH --external DIR downloads what rules name"}
		}
		place, err := Place(uri)
		if err != nil {
			return nil, err
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, fmt.Errorf("the folder of --external: %w", withoutPath(err))
		}
		defer func() { _ = root.Close() }() // the file stays open without it
		f, err := root.Open(filepath.FromSlash(place))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &kql.MissingExternal{Message: fmt.Sprintf("externaldata reads %s, and the folder of --external has no file %s: download it with handler external pull --rules PATH --external DIR, or put it there yourself", name, place)}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, place, withoutPath(err))
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("is not a file")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %s: %w", name, place, withoutPath(err)), f.Close())
		}
		return f, nil
	}
}

// withoutPath leaves out of an error where the folder is on this machine.
func withoutPath(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Place is where the file of an address is in the folder, with slashes: under its host,
// by its path. What follows a question mark does not count, as it may be a token.
func Place(uri string) (string, error) {
	uri, _, _ = strings.Cut(uri, ";")
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("%s is no address of a file that can be in the folder: it begins with https:// and a host", kql.ExternalName(uri))
	}
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && !(u.Scheme == "https" && port == "443") {
		host += "_" + port
	}
	parts := []string{safeName(host)}
	for part := range strings.SplitSeq(strings.TrimPrefix(slashpath.Clean("/"+u.Path), "/"), "/") {
		if part != "" {
			parts = append(parts, safeName(part))
		}
	}
	if len(parts) == 1 || strings.HasSuffix(u.Path, "/") {
		parts = append(parts, "index")
	}
	return strings.Join(parts, "/"), nil
}

// safeName is a name that every system takes for one name.
func safeName(name string) string {
	const most = 200
	var sb strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c < 0x20 || c == 0x7f || strings.IndexByte(`\:*?"<>|%`, c) >= 0:
			fmt.Fprintf(&sb, "%%%02X", c)
		default:
			sb.WriteByte(c)
		}
	}
	out := sb.String()
	if strings.Trim(out, ".") == "" {
		out = strings.ReplaceAll(out, ".", "%2E")
	}
	return out[:min(len(out), most)]
}
