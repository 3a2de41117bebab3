package console

import (
	"io"
	"strings"

	"pushback/detect/notify/text"
)

// Heading writes a line in bold face with an empty line before it.
func (c *Console) Heading(title string) error {
	return c.lines("\n", wrap(title, c.style.width()), c.style.Bold)
}

// Aside writes text of lesser weight, its further lines indented.
func (c *Console) Aside(words string) error {
	lines := wrap(words, c.style.width()-2)
	for i := 1; i < len(lines); i++ {
		lines[i] = "  " + lines[i]
	}
	return c.lines("", lines, c.style.Dim)
}

func (c *Console) lines(before string, lines []string, paint func(string) string) error {
	var sb strings.Builder
	sb.WriteString(before)
	for _, l := range lines {
		sb.WriteString(paint(l) + "\n")
	}
	_, err := io.WriteString(c.w, sb.String())
	return err
}

// Facts writes labels with what stands behind them, as pairs of the two.
func (c *Console) Facts(pairs ...string) error {
	label := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		label = max(label, text.Width(pairs[i]))
	}
	var sb strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		sb.WriteString(c.field(field{pairs[i], pairs[i+1]}, label))
	}
	_, err := io.WriteString(c.w, sb.String())
	return err
}

// Text writes lines that are drawn already.
func (c *Console) Text(lines string) error {
	_, err := io.WriteString(c.w, lines)
	return err
}
