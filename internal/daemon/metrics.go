package daemon

import (
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/signer"
)

// newMetrics makes the metrics, bounded by the configuration.
func (d *Daemon) newMetrics() (err error) {
	d.registry = prometheus.NewRegistry()
	d.metrics, err = metrics.New(metrics.Options{
		Registry: d.registry, Version: d.Version, GoVersion: runtime.Version(), State: d.state,
		Routes: server.Routes(), Codes: codes(), Tokens: tokenNames(d.Config),
	})
	if err == nil {
		d.metrics.Configure(d.decisions.names)
	}
	return err
}

func codes() []string {
	var all []string
	for _, code := range ipc.Codes() {
		all = append(all, string(code))
	}
	return all
}

func tokenNames(c *config.Config) []string {
	var names []string
	for _, token := range c.HSM.All() {
		names = append(names, token.Name)
	}
	return names
}

// metricNames are the names of a configuration that label metrics.
func metricNames(c *config.Config) metrics.Names {
	names := metrics.Names{Keys: slices.Sorted(maps.Keys(c.Keys))}
	for _, client := range c.PolicyClients() {
		for _, rule := range client.Grants {
			names.Grants = append(names.Grants, metrics.Grant{Client: client.Name, Name: rule.Name, Key: rule.Key, Raw: rule.Raw != nil})
		}
	}
	return names
}

// names are those of the configuration in force.
func (d *Daemon) names() metrics.Names {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decisions.names
}

func (d *Daemon) observeRequest(o server.Observation) {
	d.metrics.Request(o.Route, o.Status, string(o.Code), o.Duration)
}

// observeRecord counts a decision. lost is why it could not be recorded: with
// audit.required that is the outcome, whatever was decided.
func (d *Daemon) observeRecord(rec signer.Record, record audit.Record, took time.Duration, lost error) {
	d.metrics.Recorded(took, lost)
	decision := metrics.Decision{
		Client: rec.Client, Grant: rec.Grant, Key: rec.Key, Raw: rec.Kind == signer.KindRaw,
		Code: record.Code, Failed: record.Outcome == audit.OutcomeFailed,
	}
	if lost != nil && d.Config.Audit.Required {
		decision.Code, decision.Failed = string(ipc.CodeAuditUnavailable), true
	}
	if decision.Code == codeCallerLeft {
		return // nothing was released, and there is nothing to mend
	}
	d.metrics.Decision(decision)
}
