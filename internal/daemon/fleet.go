package daemon

import (
	"context"

	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/ipc"
)

// openStore prepares the connection to the fleet's server, if there is one. A
// server that is away doesn't keep the daemon from starting.
func (d *Daemon) openStore() (err error) {
	if shared := d.Config.Budgets.Shared; shared != nil {
		d.store, err = store.Configured(context.Background(), shared, d.Config.Trust(), store.Options{Now: d.Now, Logger: d.Logger})
	}
	return err
}

// runStore watches the fleet's server, if there is one.
func (d *Daemon) runStore(ctx context.Context) error {
	if d.store == nil {
		return nil
	}
	return d.store.Run(ctx)
}

// storeStatus is nil without a server.
func (d *Daemon) storeStatus() *ipc.StoreStatus {
	if d.store == nil {
		return nil
	}
	status := d.store.Status()
	return &status
}
