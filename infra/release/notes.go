package main

import (
	"fmt"
	"regexp"
	"strings"

	"pushback/infra/binary"
)

// markdown are the characters that a subject of a commit must not mean anything with,
// and the @ that would call somebody.
var markdown = regexp.MustCompile("[\\\\`*_{}\\[\\]()<>#!|~@&]")

// notes lists the commits since the tag before, the newest first.
func notes(root, version string) (string, error) {
	commits, since := "HEAD", "the beginning"
	// The nearest tag below this commit; the first release has none.
	if before, err := binary.Git(root, "describe", "--tags", "--abbrev=0", "HEAD^"); err == nil {
		commits, since = before+"..HEAD", before
	}
	subjects, err := binary.Git(root, "log", "--no-merges", "--format=%h %s", commits, "--")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Changes from %s to %s:\n\n", since, version)
	for line := range strings.Lines(subjects) {
		commit, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprintf(&text, "- %s (%s)\n", markdown.ReplaceAllStringFunc(subject, func(c string) string {
			if c == "@" {
				return "@\u200b" // a name after it is not notified
			}
			return `\` + c
		}), commit)
	}
	text.WriteString("\nWhat to do with the files, and how to check where they come from: the section *Releases* of infra/README.md.\n")
	return text.String(), nil
}
