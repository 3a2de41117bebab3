package logs

import (
	"bytes"
	"runtime"
	"sync"
)

// readNDJSON reads one record per line. A line that is bad costs only itself.
//
// Taking lines apart is most of the work, and needs to know nothing of the
// lines before. So other goroutines do it, block by block, while this one
// reads ahead and puts what they found into the tables, in the order of the
// file: the outcome is the same as with one.
func (f *file) readNDJSON() error {
	ahead := &blocksAhead{workers: runtime.GOMAXPROCS(0)}
	defer ahead.stop()
	for {
		b, more := f.nextBlock(ahead.empty())
		if !more && !ahead.started() {
			b.parse(&f.parser) // a small file
			return f.block(b)
		}
		ahead.add(b)
		for ahead.full() || !more {
			b := ahead.next()
			if b == nil {
				return nil
			}
			if err := f.block(b); err != nil {
				return err
			}
			ahead.reuse(b)
		}
	}
}

// blockSize is how many bytes of lines are taken apart at once, or more if
// the last of them is longer.
const blockSize = 256 << 10

// block is a run of lines.
type block struct {
	text    []byte
	lines   []blockLine
	members []member // of all its lines
	parsed  chan struct{}
}

// blockLine is a line and what it was found to hold.
type blockLine struct {
	piece            // its text is not valid here
	from, to   int   // the line in the block's text
	first, end int   // its members
	apart      bool  // it was taken apart
	err        error // why it could not be
}

// nextBlock fills a block with lines, and reports false at the end of the file.
func (f *file) nextBlock(b *block) (*block, bool) {
	b.text, b.lines, b.members, b.parsed = b.text[:0], b.lines[:0], b.members[:0], make(chan struct{})
	for len(b.text) < blockSize {
		p, ok := f.w.nextLine()
		if !ok {
			return b, false
		}
		from := len(b.text)
		b.text = append(b.text, p.text...)
		b.lines = append(b.lines, blockLine{piece: p, from: from, to: len(b.text)})
	}
	return b, true
}

// parse takes apart the lines that are objects. Anything else is left to the
// one who puts the records into tables.
func (b *block) parse(p *parser) {
	for i := range b.lines {
		l := &b.lines[i]
		text := bytes.Trim(b.text[l.from:l.to], " \t\r")
		if len(text) == 0 || text[0] != '{' || l.cut || l.tooLong() {
			continue
		}
		members, err := p.object(text)
		l.apart, l.err = true, err
		l.first = len(b.members)
		b.members = append(b.members, members...)
		l.end = len(b.members)
	}
}

// block puts the records of a block into the tables.
func (f *file) block(b *block) error {
	for i := range b.lines {
		l := &b.lines[i]
		if f.badPiece(l.piece) {
			continue
		}
		text := bytes.TrimRight(b.text[l.from:l.to], " \t\r")
		if len(text) == 0 {
			continue
		}
		var err error
		if l.apart {
			trimmed := bytes.TrimLeft(text, " \t\r")
			line, column := position(text, len(text)-len(trimmed), l.line, l.column)
			err = f.parsed(trimmed, b.members[l.first:l.end], l.err, line, column)
		} else {
			err = f.value(text, l.line, l.column)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blocksAhead are the blocks of a file that are being taken apart, in order.
type blocksAhead struct {
	workers int
	todo    chan *block
	running sync.WaitGroup
	waiting []*block // not put into tables yet
	free    []*block
}

func (a *blocksAhead) started() bool { return a.todo != nil }

// full says whether it is time to put the first of the blocks into tables.
func (a *blocksAhead) full() bool { return len(a.waiting) > 2*a.workers }

// empty gives a block to be filled.
func (a *blocksAhead) empty() *block {
	if last := len(a.free) - 1; last >= 0 {
		b := a.free[last]
		a.free = a.free[:last]
		return b
	}
	return new(block)
}

func (a *blocksAhead) reuse(b *block) { a.free = append(a.free, b) }

func (a *blocksAhead) add(b *block) {
	if a.todo == nil {
		a.todo = make(chan *block, 2*a.workers+1)
		for range a.workers {
			a.running.Go(func() {
				var p parser
				for b := range a.todo {
					b.parse(&p)
					close(b.parsed)
				}
			})
		}
	}
	a.waiting = append(a.waiting, b)
	a.todo <- b
}

// next waits for the first of the blocks, and returns nil if there is none.
func (a *blocksAhead) next() *block {
	if len(a.waiting) == 0 {
		return nil
	}
	b := a.waiting[0]
	a.waiting = a.waiting[1:]
	<-b.parsed
	return b
}

// stop ends the work on blocks that nobody asks for any more.
func (a *blocksAhead) stop() {
	if a.todo != nil {
		close(a.todo)
		a.running.Wait()
	}
}
