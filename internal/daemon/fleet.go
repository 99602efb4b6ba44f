package daemon

import (
	"context"
	"sync"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/fleet"
	"github.com/assertd/assertd/internal/fleetbudget"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/ipc"
)

// openFleet prepares the connection to the fleet's server, if there is one. A
// server that is away doesn't keep the daemon from starting.
func (d *Daemon) openFleet() (err error) {
	shared, ctx := d.Config.Budgets.Shared, context.Background()
	if shared == nil {
		return nil
	}
	var key fleet.Key
	if d.store, key, err = fleet.Open(ctx, shared, d.Config.Trust(), store.Options{Now: d.Now, Logger: d.Logger}); err != nil {
		return err
	}
	d.shared = fleet.NewFreezes(d.store, key)
	d.presence = fleet.NewPresence(d.store, key, d.host(), d.counted)
	return nil
}

// join tells the fleet of this daemon, if there is one.
func (d *Daemon) join(ctx context.Context) error {
	if d.presence == nil {
		return nil
	}
	return d.presence.Run(ctx)
}

// Fleet implements server.Operator.
func (o operator) Fleet(ctx context.Context) ipc.FleetResponse {
	if o.daemon.presence == nil {
		return ipc.FleetResponse{Now: o.daemon.Now(), Daemons: []ipc.FleetDaemon{}, Error: "the configuration has no budgets.shared, so this daemon knows of no other"}
	}
	return o.daemon.presence.Fleet(ctx)
}

// shareFreezes carries freezes to and from the fleet, if there is one.
func (d *Daemon) shareFreezes(ctx context.Context) error {
	if d.shared == nil {
		return nil
	}
	return d.shared.Run(ctx, d.freezes)
}

func (d *Daemon) freezeStatus() ipc.FreezeStatus {
	status := d.freezes.Status(d.freezable())
	if d.shared != nil {
		fleet := d.shared.Status()
		status.Fleet = &fleet
	}
	return status
}

// newLimiter makes the budgets, which the fleet can share if it has a server.
func (d *Daemon) newLimiter(budgets []ratelimit.Budget) (*ratelimit.Limiter, error) {
	if d.store == nil {
		return ratelimit.New(budgets)
	}
	shared := d.Config.Budgets.Shared
	return ratelimit.NewInFleet(budgets, fleetbudget.Options{
		Store: fleetbudget.NewServer(d.store.Client()), Prefix: shared.Prefix, Deadline: shared.Deadline.Std(),
		Now: fleetbudget.BootClock, Logger: d.Logger,
	}, shared.OnLoss == config.OnLossHost)
}

// runStore watches the fleet's server, if there is one. The connection closes
// after the budgets have given back what is leased.
func (d *Daemon) runStore(ctx context.Context) error {
	if d.store == nil {
		return nil
	}
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer disconnect()
	var budgets sync.WaitGroup
	defer budgets.Wait()
	budgets.Go(func() {
		defer disconnect()
		_ = d.limiter.Share(ctx) // it logs its errors
	})
	return d.store.Run(connected)
}

// storeStatus is nil without a server.
func (d *Daemon) storeStatus() *ipc.StoreStatus {
	if d.store == nil {
		return nil
	}
	status := d.store.Status()
	return &status
}
