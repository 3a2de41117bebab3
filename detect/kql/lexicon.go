package kql

import "math"

// lexicon numbers the texts of a column, in all segments of the table. So a text that
// comes up everywhere is kept once, and queries know the same text again.
type lexicon struct {
	texts  []string
	codeOf map[string]uint32
	places []place // of the texts, in the segment that came to each last
	bytes  int
	of     *dictionary
	sealed []*vector // those that have its codes

	trial  trial
	misses uint // trials in a row that came to nothing

}

// place is which of the distinct texts of a segment a text is. Segments count from one.
type place struct {
	segment uint32
	code    uint16
}

// trial is about segments with very many texts. The first ones are numbered to see
// whether the next ones repeat them: sign-ins name tens of thousands of people again
// and again, and a request's id never.
type trial struct {
	segments, rows, repeats int
	// texts, bytes and sealed are those of the lexicon when it began.
	texts, bytes, sealed int
}

// These bound a lexicon: how much of it there is, and how many rows of a trial must
// repeat others, as one in so many. A trial that comes to nothing keeps the next one
// away for twice as long, up to a limit.
const (
	maxLexicon      = 1 << 20
	maxLexiconBytes = 64 << 20
	trialSegments   = 2
	trialRepeats    = 32
	mostMisses      = 4
)

const noID = math.MaxUint32

// proven says that very many texts of a segment are worth their numbers.
func (t *trial) proven() bool {
	return t.segments == trialSegments && t.repeats*trialRepeats >= t.rows
}

// goOn says whether the distinct texts of a segment are to be numbered although there
// are many. They stand for so many rows.
func (l *lexicon) goOn(ids []uint32, rows int) bool {
	if len(l.texts) >= maxLexicon-chunkRows || l.bytes >= maxLexiconBytes {
		return false
	}
	return l.trial.segments < trialSegments || (rows-len(ids)+known(ids))*trialRepeats >= rows
}

func known(ids []uint32) (n int) {
	for _, id := range ids {
		if id != noID {
			n++
		}
	}
	return n
}

// missed takes note of a segment whose texts are not worth their numbers, and says
// how many more of them are not even to be looked at.
func (l *lexicon) missed() int {
	l.misses = min(l.misses+1, mostMisses)
	return plainForward << (l.misses - 1)
}

// add numbers the texts that it does not have yet.
func (l *lexicon) add(texts []string, ids []uint32) {
	for i, id := range ids {
		if id != noID || len(l.texts) >= maxLexicon || l.bytes >= maxLexiconBytes {
			continue
		}
		if l.codeOf == nil {
			l.codeOf = make(map[string]uint32)
		}
		ids[i] = uint32(len(l.texts))
		l.texts, l.places = append(l.texts, texts[i]), append(l.places, place{})
		l.codeOf[texts[i]] = ids[i]
		l.bytes += len(texts[i])
	}
}

// seal gives a vector the codes of the texts of a segment. It reports false if there
// is no room for them.
func (l *lexicon) seal(v *vector, codes []uint16, texts []string, ids []uint32) bool {
	many := len(texts) > maxDistinct
	if many && l.trial.segments < trialSegments {
		if l.trial.segments == 0 {
			l.trial = trial{texts: len(l.texts), bytes: l.bytes, sealed: len(l.sealed)}
		}
		l.trial.segments++
		l.trial.rows += len(codes)
		l.trial.repeats += len(codes) - len(texts) + known(ids)
	}
	l.add(texts, ids)
	for _, id := range ids {
		if id == noID {
			return false
		}
	}
	if l.of == nil {
		l.of = &dictionary{lasting: new(lasting)}
	}
	v.strs, v.dict = l.texts, l.of
	if len(l.texts) <= 1<<16 {
		v.codes = make([]uint16, len(codes))
		for row, code := range codes {
			v.codes[row] = uint16(ids[code])
		}
	} else {
		v.wide = make([]uint32, len(codes))
		for row, code := range codes {
			v.wide[row] = ids[code]
		}
	}
	l.sealed = append(l.sealed, v)
	return true
}

// givenUp ends a trial that came to nothing, and says how many segments are not to be
// looked at.
func (l *lexicon) givenUp() int {
	switch {
	case l.trial.segments < trialSegments:
		return 0
	case l.trial.proven():
		l.misses = 0
		return 0
	}
	l.undo()
	return l.missed()
}

// undo forgets what came in with a trial.
func (l *lexicon) undo() {
	for _, v := range l.sealed[l.trial.sealed:] {
		var text textBuilder
		for row := range v.n {
			text.keep([]byte(v.strs[v.at(row)]))
		}
		v.strs, v.codes, v.wide, v.dict = nil, nil, nil, nil
		text.pack(v)
	}
	clear(l.sealed[l.trial.sealed:])
	l.sealed = l.sealed[:l.trial.sealed]
	for _, text := range l.texts[l.trial.texts:] {
		delete(l.codeOf, text)
	}
	clear(l.texts[l.trial.texts:])
	l.texts, l.places, l.bytes = l.texts[:l.trial.texts], l.places[:l.trial.texts], l.trial.bytes
	l.trial = trial{}
}

// finish gives all vectors the same texts, once there are no more.
func (l *lexicon) finish() {
	if t := l.trial; t.segments > 0 && t.segments < trialSegments && t.repeats*trialRepeats < t.rows {
		l.undo()
	}
	texts := append([]string(nil), l.texts...) // without room for more
	for _, v := range l.sealed {
		v.strs = texts
	}
	*l = lexicon{}
}
