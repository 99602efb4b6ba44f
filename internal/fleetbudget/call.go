package fleetbudget

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// Script runs in the store, for each call. Its comment describes the keys.
//
//go:embed budget.lua
var Script string

// call is what a daemon tells the store and asks of it, all at once.
type call struct {
	daemon string
	order  int64  // of this daemon's calls; the store ignores one that was overtaken
	epoch  int64  // that the daemon knows
	seen   int64  // the highest lease number that the daemon saw
	force  bool   // begin a new epoch
	report bool   // lines have what the daemon remembers
	slack  int64  // microseconds in which what groups take may be used
	gather int64  // microseconds for which daemons can report in a new epoch
	lines  []line // each window once
	groups []group
	fixes  []fix

	windows []*Window     // of the lines
	sent    time.Duration // by the daemon's clock
}

// line is one window.
type line struct {
	id       string // of the keys
	window   rate.Window
	used     int64 // tokens of leases used so far, since the daemon started
	target   int   // tokens that the daemon wants to have
	lasts    time.Duration
	reported int // tokens in hand, in a report
}

// group is a request: it takes n from all its windows, or nothing.
type group struct {
	n     int
	lines []int
}

// fix counts n in a window at a time; it is a refund if n is negative.
type fix struct {
	line int
	at   int64 // the store's time in microseconds, or minus an age
	n    int
}

// keys returns the script's keys. The prefix is their hash tag, so a cluster
// keeps them together.
func (c *call) keys(prefix string) []string {
	tag := "{" + prefix + "}:"
	keys := append(make([]string, 0, 1+2*len(c.lines)), tag+"budgets")
	for _, l := range c.lines {
		keys = append(keys, tag+"window:"+l.id, tag+"leases:"+l.id)
	}
	return keys
}

// args returns the script's arguments.
func (c *call) args() []any {
	args := make([]any, 0, 11+7*len(c.lines)+4*len(c.groups)+3*len(c.fixes))
	args = append(args, c.daemon, c.order, c.epoch, c.seen, c.force, c.report, c.slack, c.gather, len(c.lines), len(c.groups), len(c.fixes))
	for _, l := range c.lines {
		args = append(args, l.window.Limit, micros(l.window.Per), l.window.Burst, l.used, l.target, micros(l.lasts), l.reported)
	}
	for _, f := range c.fixes {
		args = append(args, f.line+1, f.at, f.n)
	}
	for _, g := range c.groups {
		args = append(args, g.n, len(g.lines))
		for _, i := range g.lines {
			args = append(args, i+1)
		}
	}
	return args
}

func micros(d time.Duration) int64 { return int64((d + time.Microsecond - 1) / time.Microsecond) }

// The kinds of answer.
const (
	answered  = "ok"
	gathering = "gathering" // daemons report; nothing is leased
	newEpoch  = "epoch"     // the daemon must report first
	overtaken = "overtaken"
)

// answer is what the store says to a call.
type answer struct {
	kind    string
	epoch   int64
	number  int64         // of the latest lease
	now     int64         // the store's time in microseconds
	hosts   int           // daemons that called lately
	gathers time.Duration // until leases are given
	groups  []verdict
	lines   []holding
}

// verdict is whether a group got what it asked for.
type verdict struct {
	line int // whose window has no room, or -1
	wait time.Duration
}

// holding is what a daemon has of a window after a call.
type holding struct {
	tokens int
	wait   time.Duration // until there may be more; 0 if it got what it wanted
}

// errAnswer means that the other end isn't a store as we know it.
var errAnswer = errors.New("unexpected answer of the budgets script")

// parse reads the script's answer to c.
func (c *call) parse(reply any) (*answer, error) {
	values, ok := reply.([]any)
	if !ok || len(values) < 6 {
		return nil, fmt.Errorf("%w: %T", errAnswer, reply)
	}
	kind, ok := values[0].(string)
	numbers := make([]int64, len(values))
	for i, v := range values[1:] {
		var err error
		if numbers[i+1], err = number(v); err != nil {
			return nil, err
		}
	}
	a := &answer{
		kind: kind, epoch: numbers[1], number: numbers[2], now: numbers[3], hosts: int(numbers[4]),
		gathers: time.Duration(numbers[5]) * time.Microsecond,
	}
	rest := numbers[6:]
	switch {
	case ok && (kind == newEpoch || kind == overtaken) && len(rest) == 0:
		return a, nil
	case ok && (kind == answered || kind == gathering) && len(rest) == 2*len(c.groups)+2*len(c.lines):
		return a, a.fill(rest, len(c.groups), len(c.lines))
	}
	return nil, fmt.Errorf("%w: %q with %d values", errAnswer, kind, len(values))
}

func (a *answer) fill(rest []int64, groups, lines int) error {
	for ; groups > 0; groups-- {
		if rest[0] < 0 || rest[0] > int64(lines) {
			return fmt.Errorf("%w: no such window", errAnswer)
		}
		a.groups = append(a.groups, verdict{int(rest[0]) - 1, time.Duration(rest[1]) * time.Microsecond})
		rest = rest[2:]
	}
	for ; lines > 0; lines-- {
		a.lines = append(a.lines, holding{int(rest[0]), time.Duration(rest[1]) * time.Microsecond})
		rest = rest[2:]
	}
	return nil
}

func number(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: %v is not a number", errAnswer, v)
}
