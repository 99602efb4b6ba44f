package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// decisions are the parts of a configuration that a reload can replace, built
// and checked together so that they are replaced together or not at all.
type decisions struct {
	policy  *policy.Policy
	budgets []ratelimit.Budget
	sets    []keyset.Set
	issuing []string      // key sets that grants use: what readiness is about
	names   metrics.Names // what labels metrics
}

func newDecisions(c *config.Config) (decisions, error) {
	p, err := policy.New(c.PolicyClients())
	if err != nil {
		return decisions{}, err
	}
	if err := supported(p.Wants()); err != nil {
		return decisions{}, err
	}
	sets, err := c.KeySets(keyset.ReadCertificates)
	if err != nil {
		return decisions{}, err
	}
	return decisions{policy: p, budgets: budgets(c), sets: sets, issuing: issuing(c), names: metricNames(c)}, nil
}

// supported refuses selectors that this kernel gives no safe answer to.
func supported(wants caller.Attributes) error {
	if wants == (caller.Attributes{}) {
		return nil
	}
	if err := peer.PidfdSupported(); err != nil {
		return fmt.Errorf("a client is matched by executable, unit or container, which can't be established safely here: %w; match by user, group or listener instead", err)
	}
	return nil
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

// issuing names the key sets that some grant signs with.
func issuing(c *config.Config) []string {
	used := make(map[string]bool)
	for _, client := range c.Clients {
		for _, grant := range client.Grants {
			used[grant.Key] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// poolConfig is what the workers are told.
func poolConfig(o Options) (pool.Config, error) {
	c := o.Config.HSM
	settings := pool.Config{
		Command: o.WorkerCommand, Workers: c.Workers, Timeout: c.Timeout.Std(),
		Queue: c.Queue, Probe: c.Probe.Std(), Logger: o.Logger,
	}
	for _, token := range c.All() {
		pin, err := pinSource(*token.PIN)
		if err != nil {
			return pool.Config{}, fmt.Errorf("token %s: %w", token.Name, err)
		}
		settings.Tokens = append(settings.Tokens, pool.TokenConfig{
			Name: token.Name,
			HSM: hsm.Config{
				Module: token.Module, Label: token.Label, Serial: token.Serial,
				Sessions: c.Sessions, SessionCopies: c.SessionCopies,
			},
			PIN: pin, Environment: token.Environment,
		})
	}
	return settings, nil
}

// pinSource tells the workers where to read the PIN themselves. A PIN that is
// typed at a prompt is the one that the front has to hold: it asks once, and
// workers that are started later get it handed over.
func pinSource(p config.PIN) (hsm.PINSource, error) {
	source := hsm.PINSource{File: p.File, Credential: p.Credential, Command: p.Command, Prompt: p.Prompt}
	if !p.Prompt {
		return source, nil
	}
	pin, err := source.Read(context.Background())
	return hsm.PINSource{Value: pin}, err
}
