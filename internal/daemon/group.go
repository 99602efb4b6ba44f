package daemon

import (
	"context"
	"sync"
)

// group is a set of components that run until end.
type group struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	fail    context.CancelCauseFunc // ends the daemon
}

// background makes a group that outlives ctx, so that groups end in order.
func background(ctx context.Context, fail context.CancelCauseFunc) *group {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	return &group{ctx: ctx, stop: stop, fail: fail}
}

// run runs a component. If it fails, the daemon stops.
func (g *group) run(component func(context.Context) error) {
	g.running.Go(func() {
		if err := component(g.ctx); err != nil && g.ctx.Err() == nil {
			g.fail(err)
		}
	})
}

func (g *group) end() {
	g.stop()
	g.running.Wait()
}
