package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressFrom is how many bytes are worth a progress bar: less is read before
// anybody looks.
const progressFrom = 16 << 20

// progress is a bar on standard error while long inputs are read. It shows
// nothing where standard error is not a terminal.
type progress struct {
	w    io.Writer
	show bool
	bar  *progressbar.ProgressBar
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, show: ok && term.IsTerminal(int(f.Fd()))}
}

// tell takes how many bytes are read, of how many.
func (p *progress) tell(done, total int64) {
	if !p.show || total < progressFrom {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetDescription("Reading"),
			progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(100_000_000), // nanoseconds
			progressbar.OptionClearOnFinish())
	}
	_ = p.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
