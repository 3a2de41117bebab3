//go:build !unix

package input

import "os"

// openNow opens a file for reading. Pipes have no path among files here.
func openNow(path string) (*os.File, error) { return os.Open(path) }
