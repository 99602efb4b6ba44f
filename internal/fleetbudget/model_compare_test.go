package fleetbudget

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/store/storetest"
)

// TestModel sends the script calls of every kind, and compares its answers with
// those of the model at the same times.
func TestModel(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	client := connect(server)
	defer client.Close()
	store := NewServer(client)
	m := newModel(0)
	g := &calls{random: rand.New(rand.NewPCG(1, 2)), used: make(map[string]int64)}
	kinds := make(map[string]int)
	for kinds[answered] < 3000 {
		c := g.next()
		reply, err := store.Run(context.Background(), c.keys("test"), c.args())
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.parse(reply)
		if err != nil {
			t.Fatal(err)
		}
		m.now = got.now
		if want := m.exec(c); !reflect.DeepEqual(got, want) {
			t.Fatalf("call %d of %s:\n%+v\nthe script says %+v\nthe model says  %+v", c.order, c.daemon, c, got, want)
		}
		g.epoch, g.seen = got.epoch, got.number
		g.last = got.now
		if kinds[got.kind]++; got.kind == gathering && kinds[gathering] > 500 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	for _, kind := range []string{answered, gathering, newEpoch, overtaken} {
		if kinds[kind] == 0 {
			t.Errorf("no answer was %q", kind)
		}
	}
}

// calls makes random calls of three daemons about windows that are short enough
// for tokens to leave them during the test.
type calls struct {
	random      *rand.Rand
	order       int64
	epoch, seen int64
	last        int64
	forced      bool
	used        map[string]int64
}

var modelWindows = []rate.Window{
	{Limit: 40, Per: 20 * time.Millisecond},
	{Limit: 7, Per: 100 * time.Millisecond},
	{Limit: 1000, Per: time.Second},
	{Limit: 30, Per: 30 * time.Millisecond, Burst: 10},
	{Limit: 900, Per: 7 * time.Second, Burst: 100},
}

func (g *calls) next() *call {
	r := g.random
	g.order++
	c := &call{
		daemon: fmt.Sprint("daemon", r.IntN(3)), order: g.order, epoch: g.epoch, seen: g.seen, slack: int64(r.IntN(3000)), gather: 3e6,
		report: g.order < 500 && r.IntN(20) == 0, // a report makes the others wait for more
	}
	switch r.IntN(200) {
	case 0:
		c.order = 0
	case 1:
		c.epoch = 0
	case 2:
		c.force, g.forced = !g.forced, true // once: a new epoch takes seconds
	}
	for _, i := range r.Perm(len(modelWindows))[:r.IntN(len(modelWindows)+1)] {
		c.lines = append(c.lines, g.line(c, i))
	}
	if len(c.lines) == 0 {
		return c
	}
	for range r.IntN(3) {
		c.groups = append(c.groups, group{n: 1 + r.IntN(4), lines: r.Perm(len(c.lines))[:1+r.IntN(len(c.lines))]})
	}
	for range r.IntN(3) {
		f := fix{line: r.IntN(len(c.lines)), at: -int64(r.IntN(20000)), n: 1 + r.IntN(5)}
		if r.IntN(2) == 0 {
			f.at, f.n = max(g.last-int64(r.IntN(5000)), 1), -f.n
		}
		c.fixes = append(c.fixes, f)
	}
	return c
}

func (g *calls) line(c *call, i int) line {
	r := g.random
	w := modelWindows[i]
	l := line{id: windowID("budget", w), window: w, lasts: time.Duration(1+r.IntN(20000)) * time.Microsecond}
	if r.IntN(4) > 0 {
		l.target = r.IntN(w.Capacity())
	}
	if c.report {
		l.reported = l.target
	}
	key := c.daemon + l.id
	g.used[key] += int64(r.IntN(3))
	l.used = g.used[key]
	return l
}
