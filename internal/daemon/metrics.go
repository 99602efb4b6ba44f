package daemon

import (
	"context"
	"maps"
	"net/http"
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/kubesigner"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/signer/policy"
)

// newMetrics makes the metrics. The configuration bounds their label values.
func (d *Daemon) newMetrics() (err error) {
	d.registry = prometheus.NewRegistry()
	d.metrics, err = metrics.New(metrics.Options{
		Registry: d.registry, Version: d.Version, GoVersion: runtime.Version(), State: d.status,
		Routes: slices.Concat(server.Routes(), kubesigner.Routes()), Codes: ipc.Codes(), Tokens: tokenNames(d.Config),
	})
	if err == nil {
		d.metrics.Configure(d.decisions.names)
	}
	return err
}

// monitor serves metrics and health, on the operator's socket and over TCP.
func (d *Daemon) monitor() http.Handler {
	return metrics.Handler(d.registry, func() bool { return d.ready.answer().Ready }, d.Logger)
}

// monitorOverTCP serves the monitor at metrics.listen while the group runs, if
// one is configured.
func (d *Daemon) monitorOverTCP(g *group) error {
	address := d.Config.Metrics.Listen
	if address == "" {
		return nil
	}
	listener, err := metrics.Listen(address, d.Logger)
	if err != nil {
		return err
	}
	g.run(func(ctx context.Context) error { return metrics.Serve(ctx, listener, d.monitor(), d.Logger) })
	return nil
}

func tokenNames(c *config.Config) []string {
	var names []string
	for _, token := range c.HSM.All() {
		names = append(names, token.Name)
	}
	return names
}

// metricNames returns the label values that a configuration allows.
func metricNames(c *config.Config) metrics.Names {
	names := metrics.Names{Keys: slices.Sorted(maps.Keys(c.Keys))}
	for _, client := range c.PolicyClients() {
		for _, rule := range client.Grants {
			names.Grants = append(names.Grants, metrics.Grant{Client: client.Name, Name: rule.Name, Key: rule.Key, Use: useOf(rule)})
		}
	}
	return names
}

func useOf(rule policy.Rule) string {
	switch {
	case rule.Raw != nil:
		return ipc.UseRaw
	case rule.Kubernetes != nil:
		return ipc.UseKubernetes
	}
	return ipc.UseAssertion
}

// names returns the label values that the configuration in force allows.
func (d *Daemon) names() metrics.Names {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decisions.names
}
