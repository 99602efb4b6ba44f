package daemon

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/kubesigner"
	"github.com/assertd/assertd/ipc/peer"
)

// newKubernetes makes the servers of the sockets for kube-apiservers.
func (d *Daemon) newKubernetes() {
	d.kubernetes = make(map[string]*kubesigner.Server)
	for _, l := range d.Config.Listen {
		if k := l.Kubernetes; k != nil {
			d.kubernetes[l.Socket] = kubesigner.New(kubesigner.Options{
				Issuer: d.issuers[l.Socket], MaxExpiration: k.MaxExpiration.Std(), Refresh: k.Refresh.Std(),
				Signer: d.signer, Keys: d.ring, Recorded: d.recorded(), Family: d.Family, Observer: d.metrics, Logger: d.Logger,
				HandshakeTimeout: d.Config.Limits.HeaderTimeout.Std(), DrainTimeout: d.Config.Limits.DrainTimeout.Std(), Now: d.Now,
			})
		}
	}
}

// serveKubernetes serves the sockets of kube-apiservers until ctx ends, and
// returns those of the other callers. If one fails, the daemon stops.
func (d *Daemon) serveKubernetes(ctx context.Context, serving *sync.WaitGroup) (others []*peer.Listener) {
	for _, socket := range d.sockets {
		server := d.kubernetes[socket.Path()]
		if server == nil {
			others = append(others, socket)
			continue
		}
		serving.Go(func() {
			if err := server.Serve(ctx, socket); err != nil {
				d.fail(err)
			}
		})
	}
	return others
}

// publishedIssuers are the issuers of Kubernetes tokens, in a fixed order.
func (d *Daemon) publishedIssuers() (issuers []keyset.Issuer) {
	for _, socket := range slices.Sorted(maps.Keys(d.issuers)) {
		issuers = append(issuers, d.issuers[socket])
	}
	return issuers
}
