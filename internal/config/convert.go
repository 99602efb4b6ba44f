package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/web"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// clockSkew is how much the clocks of this machine and of receivers can differ.
const clockSkew = time.Minute

// PolicyClients returns the clients for policy.New, which accepts them: names
// are resolved to IDs, listeners bound, and lifetimes and audiences completed
// from the profiles. Callers must not change them.
func (c *Config) PolicyClients() []policy.Client { return c.policy }

// KeyRates returns the rate windows that all grants on a key set share.
func (c *Config) KeyRates(set string) []rate.Window { return windows(c.Keys[set].Rate) }

// Rotation returns the rotation of a key set. Its AssertionLife is the longest
// lifetime that any grant on the key set allows, plus a minute for clocks that
// differ.
func (c *Config) Rotation(set string) keyset.Rotation {
	r := c.Keys[set].Rotation
	return keyset.Rotation{
		Every:         r.Every.Std(),
		PublishBefore: r.PublishBefore.Duration.Std(),
		Manual:        r.PublishBefore.Manual,
		KeepAfter:     r.KeepAfter.Std(),
		AssertionLife: c.maxLifetimes[set] + clockSkew,
		Activate:      slices.Clone(r.Activate),
		Revoke:        slices.Clone(r.Revoke),

		NeedsCertificate: c.certified[set],
	}
}

// TrustedProxies returns the proxies in front of jwks.listen.
func (j JWKS) TrustedProxies() web.Proxies {
	proxies, err := web.ParseProxies(j.Proxies)
	if err != nil {
		return nil // can't happen: each was checked
	}
	return proxies
}

// Adopted returns when an adopted key was created, or the zero time if the
// configuration doesn't say.
func (k KeySet) Adopted() time.Time {
	created, err := time.Parse(time.RFC3339, k.Created)
	if err != nil {
		return time.Time{} // not set: an invalid time has already been refused
	}
	return created.UTC()
}

func windows(configured []Window) []rate.Window {
	var made []rate.Window
	for _, w := range configured {
		made = append(made, w.rate())
	}
	return made
}

func (w Window) rate() rate.Window {
	return rate.Window{Limit: w.Limit, Per: w.Per.Std(), Burst: w.Burst, Fleet: w.Scope == ScopeFleet}
}

// Notes returns warnings about settings that are valid but may not work with
// the receiver, or no longer.
func (c *Config) Notes(now time.Time) []string {
	notes := c.kubernetesNotes(now)
	for _, client := range c.Clients {
		for _, grant := range client.Grants {
			if note := profile.AlgorithmNote(grant.Profile, string(c.Keys[grant.Key].Alg)); note != "" {
				notes = append(notes, fmt.Sprintf("client %s, grant %s: %s", client.Name, grant.Name, note))
			}
		}
	}
	return append(notes, c.spyNotes()...)
}

// spyNotes is about pkcs11-spy, which says nothing where it can't write its
// log.
func (c *Config) spyNotes() (notes []string) {
	for _, token := range c.HSM.All() {
		log := token.Environment["PKCS11SPY_OUTPUT"]
		allowed := func(path string) bool {
			return log == path || strings.HasPrefix(log, strings.TrimSuffix(path, "/")+"/")
		}
		if log != "" && c.Sandbox.Enforce && !slices.ContainsFunc(c.Sandbox.Write, allowed) {
			notes = append(notes, fmt.Sprintf("token %s: the sandbox keeps pkcs11-spy from writing %s, and it doesn't say so; "+
				"create the file, and add it to sandbox.write", token.Name, log))
		}
	}
	return notes
}

// kubernetesNotes are the warnings about issuers of Kubernetes tokens.
func (c *Config) kubernetesNotes(now time.Time) (notes []string) {
	for _, l := range c.Listen {
		if l.Kubernetes == nil {
			continue
		}
		if c.JWKS.Listen != "" && !l.Kubernetes.Discoverable() {
			notes = append(notes, fmt.Sprintf("kubernetes.issuer %s has no path, so jwks.listen does not serve its keys: they would be those of all assertions; "+
				"add a path to have other clouds trust the cluster's tokens", l.Kubernetes.Issuer))
		}
		for _, static := range l.Kubernetes.AlsoPublish {
			if end := static.End(); !now.Before(end) {
				notes = append(notes, fmt.Sprintf("kubernetes.issuer %s: the keys of %s are not published, because also_publish has until: %s, which has passed; "+
					"correct until if tokens that they signed are still in use, or remove the file", l.Kubernetes.Issuer, static.File, static.Until))
			}
		}
	}
	return notes
}

// TrustDomains returns the key sets that sign JWT-SVIDs, by SPIFFE trust
// domain, both sorted.
func (c *Config) TrustDomains() map[string][]string {
	domains := make(map[string][]string)
	for _, client := range c.Clients {
		for _, grant := range client.Grants {
			domain := profile.TrustDomain(grant.Profile, grant.Subject)
			if domain != "" && !slices.Contains(domains[domain], grant.Key) {
				domains[domain] = append(domains[domain], grant.Key)
			}
		}
	}
	for _, sets := range domains {
		slices.Sort(sets)
	}
	return domains
}

// values returns the values of the claims that have exactly one of a list.
func (c *Claims) values() map[string][]any {
	values := make(map[string][]any)
	for name, rule := range c.Allow {
		if !rule.Any && !rule.Words && !rule.EachOf {
			values[name] = rule.Values
		}
	}
	return values
}

func (c *Claims) rules() map[string]policy.ClaimRule {
	if len(c.Allow) == 0 {
		return nil
	}
	rules := make(map[string]policy.ClaimRule, len(c.Allow))
	for name, r := range c.Allow {
		rules[name] = r.ClaimRule
	}
	return rules
}

// hashes returns the hashes that a raw key set allows.
func (k KeySet) hashes() []string {
	if k.Hashes != nil {
		return k.Hashes
	}
	alg, err := jose.Lookup(string(k.Alg))
	if err != nil {
		return nil
	}
	return []string{alg.HashName()}
}

// paddings returns the paddings that a raw key set allows. Keys that aren't RSA
// have none.
func (k KeySet) paddings() []string {
	alg, err := jose.Lookup(string(k.Alg))
	switch {
	case err != nil || alg.Kind != jose.RSA:
		return nil
	case k.Paddings != nil:
		return k.Paddings
	case alg.PSS():
		return []string{"pss"}
	}
	return []string{"pkcs1v15"}
}

func orElse(given, otherwise []string) []string {
	if given != nil {
		return given
	}
	return otherwise
}
