// Package page shows the alerts of a run in a browser: a list of them, the worst
// on top, and the card of each as Teams would draw it. It asks nobody for anything:
// all that it needs is in the binary.
package page

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/teams"
	"pushback/detect/notify/text"
)

// Options are what a page is made with.
type Options struct {
	Title string
	Links teams.Links
	// Most is how many alerts of a rule in a tick are cards of their own in Teams:
	// more are one digest. 0 is no limit.
	Most int
}

// Page holds what a browser is shown. It can be added to while it is shown, from
// any goroutine.
type Page struct {
	options Options

	mu      sync.Mutex
	stage   stage
	run     Run
	done    float64 // of the run, from 0 to 1
	alerts  []alert.Alert
	entries []entry
	ticks   map[tick][]int // the alerts of a rule in a tick, by their numbers
}

// stage is how far a run is.
type stage string

const (
	reading stage = "reading"
	running stage = "running"
	ended   stage = "ended"
)

// tick is what decides whether alerts share a card.
type tick struct {
	rule string
	at   int64
}

// Run is what is known of a run as soon as its logs are read.
type Run struct {
	First, Last time.Time // the time that it is over
	Rules       int
	// Steps are what the logs hold, one after the other, each of StepHours.
	Steps     []Step
	StepHours int64
	// One and Many are what the records are called: sign-in, sign-ins.
	One, Many string
}

// Step counts what the logs hold of a stretch of time.
type Step struct {
	Start      time.Time `json:"start"`
	Records    int       `json:"records"`
	Rejections int       `json:"rejections"`
}

// New returns the page of a run that is to come.
func New(o Options) *Page {
	return &Page{options: o, stage: reading, entries: []entry{}, ticks: make(map[tick][]int)}
}

// Start takes what is known once the logs are read.
func (p *Page) Start(r Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.run = running, r
}

// At takes how far the run has come.
func (p *Page) At(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if whole := p.run.Last.Sub(p.run.First); whole > 0 {
		p.done = min(max(float64(now.Sub(p.run.First))/float64(whole), 0), 1)
	}
}

// Add takes an alert.
func (p *Page) Add(a alert.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.alerts)
	p.alerts = append(p.alerts, a)
	p.entries = append(p.entries, entryOf(n, a))
	at := tick{a.RuleID, a.Created.UnixNano()}
	p.ticks[at] = append(p.ticks[at], n)
}

// End says that no alert comes any more.
func (p *Page) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = ended
}

// mostEntries is how many entries a browser gets at once.
const mostEntries = 5000

// list is what a browser is told of the run, and the entries from a number on.
type list struct {
	Title     string    `json:"title"`
	Stage     stage     `json:"stage"`
	Done      float64   `json:"done"`
	First     time.Time `json:"first,omitzero"`
	Last      time.Time `json:"last,omitzero"`
	Rules     int       `json:"rules"`
	Steps     []Step    `json:"steps"`
	StepHours int64     `json:"stepHours"`
	One       string    `json:"one"`
	Many      string    `json:"many"`
	Total     int       `json:"total"` // entries that there are
	Renderer  string    `json:"renderer"`
	Entries   []entry   `json:"entries"`
}

// since returns the run with the entries from a number on.
func (p *Page) since(n int) list {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(max(n, 0), len(p.entries))
	return list{
		Title: text.Safe(p.options.Title), Stage: p.stage, Done: p.done, First: p.run.First, Last: p.run.Last, Rules: p.run.Rules,
		Steps: p.run.Steps, StepHours: p.run.StepHours, One: p.run.One, Many: p.run.Many,
		Renderer: rendererVersion, Total: len(p.entries), Entries: p.entries[n:min(n+mostEntries, len(p.entries))],
	}
}

// detail is all that is shown of one alert.
type detail struct {
	Card json.RawMessage `json:"card"`
	// Together is how many alerts share a card in Teams, if this is one of them.
	Together int      `json:"together,omitempty"`
	Rows     [][]cell `json:"rows"`
	MoreRows int      `json:"moreRows,omitempty"`
}

// cell is one value of a row, to be read.
type cell struct {
	Column string `json:"column"`
	Value  string `json:"value"`
}

// The most of an alert's rows that are shown, and of each value.
const (
	mostRows  = 100
	mostValue = 10_000
)

// detail returns all that is shown of the alert of a number.
func (p *Page) detail(n int) (detail, error) {
	a, together, err := p.alert(n)
	if err != nil {
		return detail{}, err
	}
	d := detail{Together: len(together), Rows: [][]cell{}, MoreRows: max(len(a.Rows)-mostRows, 0)}
	if d.Card, err = teams.Card(a, p.options.Links); err != nil {
		return detail{}, err
	}
	for _, row := range a.Rows[:min(len(a.Rows), mostRows)] {
		cells := []cell{}
		for _, c := range row {
			cells = append(cells, cell{shown(c.Column), cut(text.Safe(c.Text()), mostValue)})
		}
		d.Rows = append(d.Rows, cells)
	}
	return d, nil
}

// digest returns the card that the alert of a number shares with others in Teams.
func (p *Page) digest(n int) (json.RawMessage, error) {
	_, together, err := p.alert(n)
	if err != nil {
		return nil, err
	}
	if len(together) == 0 {
		return nil, errNoAlert
	}
	return teams.Digest(together)
}

var errNoAlert = errors.New("there is no such alert")

// alert returns the alert of a number, and those that it shares a card with in Teams,
// if it does.
func (p *Page) alert(n int) (a alert.Alert, together []alert.Alert, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < 0 || n >= len(p.alerts) {
		return a, nil, errNoAlert
	}
	a = p.alerts[n]
	if numbers := p.ticks[tick{a.RuleID, a.Created.UnixNano()}]; p.options.Most > 0 && len(numbers) > p.options.Most {
		for _, i := range numbers {
			together = append(together, p.alerts[i])
		}
	}
	return a, together, nil
}
