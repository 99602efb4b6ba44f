package daemon

import (
	"errors"
	"io/fs"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/kubesigner"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/internal/web"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/jwks"
)

// bind opens the callers' sockets, or takes them over from systemd.
func (d *Daemon) bind() error {
	if len(d.Config.Listen) == 0 {
		return errors.New("the configuration has no socket to listen on; add one under listen")
	}
	activated, err := peer.FromSystemd()
	if err != nil {
		return err
	}
	defer activated.Close()
	for _, listener := range d.Config.Listen {
		socket, err := openSocket(activated, listener, d.Config.Trust())
		if err != nil {
			d.unbind()
			return err
		}
		d.sockets = append(d.sockets, socket)
	}
	if unused := activated.Unused(); len(unused) > 0 {
		d.Logger.Warn("systemd passed sockets that the configuration does not listen on; fix the socket unit or listen", "sockets", unused)
	}
	return nil
}

func openSocket(activated peer.Activated, l config.Listener, trust trustpath.Rules) (*peer.Listener, error) {
	return activated.Listen(peer.Socket{
		Path: l.Socket, Mode: fs.FileMode(l.Mode), Owner: l.OwnerID(), Group: l.GroupID(), Client: l.Client, Trust: trust,
	})
}

func (d *Daemon) unbind() {
	for _, socket := range d.sockets {
		if err := socket.Close(); err != nil {
			d.Logger.Warn("socket not closed cleanly", "error", err)
		}
	}
	d.sockets = nil
}

func (d *Daemon) serverOptions() server.Options {
	limits := d.Config.Limits
	return server.Options{
		Logger: d.Logger, Version: d.Version, Family: d.Family,
		Needed: d.signer.Wants, Recorded: d.recorded(), Observer: d.metrics, Tracer: d.tracer,

		MaxConnections: server.PossibleConnections(limits.Connections, d.networkConnections(), d.Logger),
		HeaderTimeout:  limits.HeaderTimeout.Std(),
		IdleTimeout:    limits.IdleTimeout.Std(),
		DrainTimeout:   limits.DrainTimeout.Std(),
	}
}

// networkConnections is how many connections other machines and kube-apiservers
// can have open.
func (d *Daemon) networkConnections() (n int) {
	if d.Config.JWKS.Listen != "" {
		n += web.Possible(jwks.DefaultMaxConnections)
	}
	if d.Config.Metrics.Listen != "" {
		n += web.Possible(metrics.MaxConnections)
	}
	n += len(d.kubernetes) * kubesigner.MaxConnections
	return n
}

// recorded are the attributes of callers that the audit log always has. The
// executable is not one of them: to see other users' programs the daemon needs
// a capability and no sandbox, which only a policy that matches it justifies.
func (d *Daemon) recorded() caller.Attributes {
	return caller.Attributes{Cgroup: d.trail != nil && peer.PidfdSupported() == nil}
}
