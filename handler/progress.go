package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressFrom is how many bytes are worth a progress bar: less is read before
// anybody looks.
const progressFrom = 16 << 20

// progressAfter is how long a run goes on before it shows a progress bar.
const progressAfter = 2 * time.Second

// progress is a bar on standard error while something takes long. It shows
// nothing where standard error is not a terminal.
type progress struct {
	w     io.Writer
	show  bool
	bar   *progressbar.ProgressBar
	now   func() time.Time
	began time.Time
}

func newProgress(stderr io.Writer) *progress {
	return &progress{w: stderr, show: isTerminal(stderr), now: time.Now, began: time.Now()}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// bytes takes how many bytes are read, of how many.
func (p *progress) bytes(done, total int64) {
	if p.show && total >= progressFrom {
		p.draw("Reading", done, total, progressbar.OptionShowBytes(true))
	}
}

// run takes how far the clock has come, of how far it has to go.
func (p *progress) run(done, total time.Duration) {
	if p.show {
		p.draw("Running", int64(done/time.Minute), int64(total/time.Minute))
	}
}

func (p *progress) draw(doing string, done, total int64, options ...progressbar.Option) {
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(max(total, 1), append([]progressbar.Option{
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetDescription(doing),
			progressbar.OptionThrottle(100 * time.Millisecond),
			progressbar.OptionSetPredictTime(false), // the bar counts from when it is first drawn
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionSetWidth(min(max(styleOf(p.w).Width-50, 5), 40)), // beside what is said
		}, options...)...)
	}
	p.bar.Describe(doing + p.left(done, total))
	_ = p.bar.Set64(min(done, max(total, 1))) // a bar that cannot be drawn is no reason to stop
}

// predictAfter is how long something goes on before it is said how long it will
// take. Before that nobody knows.
const predictAfter = 3 * time.Second

// left says how much longer it will take, once there is something to tell it by.
func (p *progress) left(done, total int64) string {
	elapsed := p.now().Sub(p.began)
	if elapsed < predictAfter || done <= 0 || done >= total {
		return ""
	}
	left := time.Duration(float64(elapsed) * float64(total-done) / float64(done))
	if left > 48*time.Hour {
		return ""
	}
	return ", about " + max(left.Round(time.Second), time.Second).String() + " left"
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// clearing is standard output while there may be a bar: it takes the bar away
// before it writes.
type clearing struct {
	io.Writer
	bar *progress
}

func (c *clearing) Write(text []byte) (int, error) {
	if c.bar.bar != nil {
		_ = c.bar.bar.Clear() // a bar that cannot be cleared is no reason to stop
	}
	return c.Writer.Write(text)
}
