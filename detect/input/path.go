package input

import (
	"errors"
	"io/fs"
	"syscall"
)

// Reason is why a file or a folder could not be read, without its path.
func Reason(err error) string {
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return "its path is longer than the system takes: the folders are nested too deep"
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return err.Error()
}

// longestPath is how much of a path is shown.
const longestPath = 240

// ShortPath shortens a path for a message: its beginning and its end say where
// it is.
func ShortPath(path string) string {
	runes := []rune(path)
	if len(runes) <= longestPath {
		return path
	}
	return string(runes[:longestPath/2]) + "…" + string(runes[len(runes)-longestPath/2:])
}
