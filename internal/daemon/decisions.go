package daemon

import (
	"maps"
	"slices"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// decisions are the parts of a configuration that a reload can replace. They
// are built and checked together, and replaced together or not at all.
type decisions struct {
	policy  *policy.Policy
	budgets []ratelimit.Budget
	sets    []keyset.Set
	issuing []string      // key sets that grants use; readiness probes them
	names   metrics.Names // labels of metrics
	targets []ipc.FreezeTarget
	digest  string // of what operators wrote for all this
}

func newDecisions(c *config.Config) (decisions, error) {
	p, err := policy.New(c.PolicyClients())
	if err != nil {
		return decisions{}, err
	}
	if err := peer.Supports(p.Wants()); err != nil {
		return decisions{}, err
	}
	sets, err := c.KeySets(keyset.ReadCertificates)
	if err != nil {
		return decisions{}, err
	}
	return decisions{
		policy: p, budgets: budgets(c), sets: sets, issuing: c.GrantedKeys(), names: metricNames(c),
		targets: freeze.Targets(c.PolicyClients(), slices.Collect(maps.Keys(c.Keys))), digest: c.PolicyDigest(),
	}, nil
}

func budgets(c *config.Config) []ratelimit.Budget {
	var all []ratelimit.Budget
	for _, client := range c.PolicyClients() {
		for _, rule := range client.Grants {
			all = append(all, ratelimit.Budget{Name: signer.GrantBudget(client.Name, rule.Name), Windows: rule.Rates})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		all = append(all, ratelimit.Budget{Name: signer.KeyBudget(name), Windows: c.KeyRates(name)})
	}
	return all
}

// freezable returns what operators can freeze by the configuration in force.
func (d *Daemon) freezable() []ipc.FreezeTarget {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decisions.targets
}

// digest returns the digest of the clients and key sets in force.
func (d *Daemon) digest() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decisions.digest
}
