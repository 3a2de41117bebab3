package logs

import (
	"bytes"
	"runtime"
	"sync"
)

// readNDJSON reads one record per line. A line that is bad costs only itself.
//
// Taking lines apart is most of the work, and needs to know nothing of the lines
// before. So several goroutines do it, block by block, and whoever has parsed the next
// block of the file puts it into the tables: one at a time and in the order of the file,
// so that the outcome is the same as with one goroutine. Each reads its blocks itself, so
// that they are in the cache of its processor.
func (f *file) readNDJSON() error {
	if l := f.lane.Load(); l != nil && l.typ == nil {
		f.lane.Store(nil) // another file may be of another table
	}
	f.lineNumber = f.w.line
	defer func() { f.w.line = f.lineNumber }()
	// What the first lines are like helps with all others.
	first := new(block)
	more := f.nextBlock(first, firstBlock)
	first.parse(&f.parser, f.lane.Load())
	if err := f.block(first); err != nil || !more {
		return err
	}
	return f.inBlocks()
}

// These are how many bytes of lines are taken apart at once, or more if one is longer.
// The first blocks of a file are small, as many files are, and each is up to twice as
// large as the one before. The blocks of all goroutines fit into the caches of their
// processors.
const (
	firstBlock  = 16 << 10
	secondBlock = 64 << 10
	blockSize   = 384 << 10
)

// block is a run of lines.
type block struct {
	number  int    // of the block in the file, from 0
	text    []byte // whole lines, what was unquoted of them, and padding
	whole   int    // how much of it is lines
	column  int    // in which the first of them begins
	last    *piece // the only line, if it is not one of the text or has no end
	ended   bool   // that line ends with a line break
	lines   []blockLine
	members []member // of all its lines
	limit   int      // of a line
	count   int      // lines of the text
	rows    laneRows
	marks   []byte // see mark; none if no line may take a lane
}

// blockLine is a line that is read by itself, and what it was found to hold.
type blockLine struct {
	number     int   // of the line in the block, from 0
	from, to   int   // the line in the block's text
	before     int   // rows before it that took the lane
	first, end int   // its members
	apart      bool  // it was taken apart
	err        error // why it could not be
}

// nextBlock fills a block with lines, and reports false at the end of the file.
func (f *file) nextBlock(b *block, size int) (more bool) {
	if cap(b.text) < size+padding {
		b.text = make([]byte, size+size/8+padding)
	}
	b.column, b.last, b.ended, b.limit = f.w.column(), nil, false, f.w.limit
	b.whole = len(f.w.lines(b.text[:size]))
	b.text = b.text[:b.whole]
	if b.whole == 0 {
		line := f.w.line
		p, ok := f.w.nextLine()
		if !ok {
			b.text = append(b.text, make([]byte, padding)...)
			return false
		}
		b.ended = f.w.line > line
		b.text = append(append(b.text, p.text...), '\n')
		if b.whole = len(b.text); p.text == nil {
			b.whole = 0
		}
		b.last = &p
	}
	b.text = append(b.text, make([]byte, padding)...)
	return true
}

// parse takes apart the lines that are objects. Anything else is left to the
// one who puts the records into tables.
func (b *block) parse(p *parser, l *lane) {
	b.lines, b.members, b.count, b.rows.lane, b.rows.n, b.rows.left = b.lines[:0], b.members[:0], 0, nil, 0, b.rows.left[:0]
	if l != nil {
		p.walk.enter(l)
		b.rows.empty(&p.walk)
		b.marks = mark(b.marks, b.text, b.whole)
	}
	for from := 0; from < b.whole; b.count++ {
		if l != nil && b.text[from] == '{' && (b.last == nil || !b.last.cut) {
			if to := p.walk.take(b, from, from); to >= 0 {
				from = to + 1
				continue
			}
		}
		to := from + bytes.IndexByte(b.text[from:b.whole], '\n')
		b.line(p, l, blockLine{number: b.count, from: from, to: to})
		from = to + 1
	}
}

// line takes apart one line that took no lane from its first byte.
func (b *block) line(p *parser, l *lane, line blockLine) {
	begin, end := line.from, line.to
	for begin < end && (b.text[begin] == ' ' || b.text[begin] == '\t' || b.text[begin] == '\r') {
		begin++
	}
	for begin < end && (b.text[end-1] == ' ' || b.text[end-1] == '\t' || b.text[end-1] == '\r') {
		end--
	}
	switch {
	case begin == end:
		return // of white space
	case b.last != nil && b.last.cut:
	case line.to-line.from > b.limit:
	case b.text[begin] != '{':
	case l != nil && begin > line.from && p.walk.take(b, line.from, begin) >= 0:
		return
	default:
		members, err := p.object(b.text[begin:end])
		line.apart, line.err = true, err
		line.first = len(b.members)
		b.members = append(b.members, members...)
		line.end = len(b.members)
	}
	line.before = b.rows.n
	b.lines = append(b.lines, line)
}

// block puts the records of a block into the tables.
func (f *file) block(b *block) error {
	if f.rows+b.rows.n+len(b.rows.left)+len(b.lines) > f.opts.MaxRows {
		b.parse(&f.parser, nil) // to find the line that is too many
	}
	number := f.lineNumber
	if b.last == nil {
		f.lineNumber += b.count
	} else if b.ended {
		f.lineNumber++
	}
	if b.last != nil && f.badPiece(*b.at(blockLine{}, number)) {
		return nil
	}
	f.countRows(b)
	kept := 0
	for i := range b.lines {
		l := &b.lines[i]
		f.keepRows(b, kept, l.before)
		kept = l.before
		p := b.at(*l, number)
		if b.last == nil && l.to-l.from > b.limit {
			p.text, p.length = nil, int64(l.to-l.from)
			f.badPiece(*p)
			continue
		}
		text := bytes.TrimRight(b.text[l.from:l.to], " \t\r")
		var err error
		if l.apart {
			trimmed := bytes.TrimLeft(text, " \t\r")
			line, column := position(text, len(text)-len(trimmed), p.line, p.column)
			members, records := b.members[l.first:l.end], f.report.Records
			if err = f.parsed(trimmed, members, l.err, line, column); err == nil && l.err == nil && f.report.Records > records {
				f.learn(members)
			}
		} else {
			err = f.value(text, p.line, p.column)
		}
		if err != nil {
			return err
		}
	}
	f.keepRows(b, kept, b.rows.n)
	return nil
}

// at gives a line of the block without its text. The first of the block has a number.
func (b *block) at(l blockLine, first int) *piece {
	p := piece{column: 1}
	if b.last != nil {
		p = *b.last
	} else if l.number == 0 {
		p.column = b.column
	}
	p.line = first + l.number
	return &p
}

// inBlocks reads the rest of the file.
func (f *file) inBlocks() error {
	workers := runtime.GOMAXPROCS(0)
	// Each parses one, and a few wait for those before them. More would not stay in the
	// caches of the processors.
	free := make(chan *block, workers+2)
	for range cap(free) {
		free <- new(block)
	}
	order := blockOrder{put: f.block, parsed: make(map[int]*block)}
	var reading sync.Mutex
	var running sync.WaitGroup
	next, size := 0, secondBlock
	for range workers {
		running.Go(func() {
			var p parser
			for {
				b := <-free
				lockSoon(&reading)
				if next < 0 || order.failed() || !f.nextBlock(b, size) {
					next = -1
					reading.Unlock()
					free <- b // for those that wait for one
					return
				}
				b.number = next
				next, size = next+1, min(2*size, blockSize)
				reading.Unlock()
				b.parse(&p, f.lane.Load())
				order.add(b, free)
			}
		})
	}
	running.Wait()
	return order.err
}

// lockSoon locks a mutex that is held for less time than it takes to put a goroutine to
// sleep and to wake it.
func lockSoon(mutex *sync.Mutex) {
	for range 200 {
		if mutex.TryLock() {
			return
		}
		runtime.Gosched()
	}
	mutex.Lock()
}

// blockOrder puts blocks into the tables in their order, in whatever order they were
// parsed. Whoever has parsed the next one puts it and what waits behind it there: a
// goroutine of its own for that would have to be woken for each.
type blockOrder struct {
	put func(*block) error

	mu      sync.Mutex
	parsed  map[int]*block // that wait, by their numbers
	next    int
	putting bool
	err     error
}

// add adds a block that was parsed. It is free once it is in the tables, or will not be.
func (o *blockOrder) add(b *block, free chan<- *block) {
	o.mu.Lock()
	o.parsed[b.number] = b
	if o.putting {
		o.mu.Unlock()
		return
	}
	o.putting = true
	for b = o.parsed[o.next]; b != nil; b = o.parsed[o.next] {
		delete(o.parsed, o.next)
		o.next++
		if o.err == nil {
			o.mu.Unlock()
			err := o.put(b)
			o.mu.Lock()
			o.err = err
		}
		free <- b
	}
	o.putting = false
	o.mu.Unlock()
}

func (o *blockOrder) failed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err != nil
}
