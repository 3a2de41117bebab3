package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be built is an error that says what. That builds work is tested with the
// handler, whose tests run on one.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"more"}, 2, `unknown argument "more"`},
		{[]string{"-nosuch"}, 2, "-nosuch"},
		{[]string{"-os", "nosuch", "-arch", "amd64", "-root", "../.."}, 1, "nosuch/amd64"},
		{[]string{"-version", "a b", "-root", "../.."}, 1, `"a b" is not a word`},
		{[]string{"-root", t.TempDir()}, 1, "will not say its commit"},
	} {
		var said strings.Builder
		args := append([]string{"-o", filepath.Join(t.TempDir(), "handler")}, tc.args...)
		if code := run(args, &said); code != tc.code || !strings.Contains(said.String(), tc.want) {
			t.Errorf("%q: %d, %s", tc.args, code, said.String())
		}
	}
}
