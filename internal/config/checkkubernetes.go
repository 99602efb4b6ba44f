package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

// kubernetesAlgorithms are those that kube-apiserver accepts.
var kubernetesAlgorithms = []string{"RS256", "ES256", "ES384", "ES512"}

// kubernetesKey checks a key set that signs the tokens of service accounts.
func (c *checker) kubernetesKey(path string, k KeySet) {
	if k.Alg != "" && !slices.Contains(kubernetesAlgorithms, string(k.Alg)) {
		c.fault(path+".alg", "kube-apiserver doesn't accept %s; use one of %s", k.Alg, strings.Join(kubernetesAlgorithms, ", "))
	}
	if k.Certificate != "" {
		c.fault(path+".certificate", "kube-apiserver doesn't look at certificates; remove certificate")
	}
	c.noRawForms(path, k.Hashes, k.Paddings)
}

// kubernetes checks the sockets of kube-apiservers against key sets and grants.
func (c *checker) kubernetes() {
	issuers, sets := make(map[string]string), make(map[string]string)
	for i := range c.Listen {
		if c.Listen[i].Kubernetes != nil {
			c.kubernetesSocket(strictyaml.Item("listen", i)+".kubernetes", c.Listen[i].Kubernetes, issuers, sets)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		if _, served := sets[name]; c.Keys[name].Use == UseKubernetes && !served {
			c.fault(strictyaml.Key("keys", name), "key set %s has use: kubernetes, but no socket uses it; add kubernetes: {key: %s} to one under listen", strictyaml.Quote(name), name)
		}
	}
}

func (c *checker) kubernetesSocket(path string, k *Kubernetes, issuers, sets map[string]string) {
	if other, taken := issuers[k.Issuer]; taken && k.Issuer != "" {
		c.fault(path+".issuer", "%s has the same issuer; give each cluster its own", other)
	}
	if other, taken := sets[k.Key]; taken && k.Key != "" {
		c.fault(path+".key", "%s has the same key set; give each issuer its own, so that none can sign for the other", other)
	}
	issuers[k.Issuer], sets[k.Key] = path, path
	set, ok := c.Keys[k.Key]
	switch {
	case k.Key == "":
	case !ok:
		c.fault(path+".key", "no key set is named %s; %s", strictyaml.Quote(k.Key), spelling.DidYouMean(k.Key, slices.Collect(maps.Keys(c.Keys))))
	case set.Use != UseKubernetes:
		c.fault(path+".key", "key set %s has use: %s; kube-apiserver writes the claims of its tokens, so give them their own key set with use: kubernetes", strictyaml.Quote(k.Key), set.Use)
	default:
		c.refresh(path, k, set)
	}
	if !slices.ContainsFunc(c.Clients, func(client Client) bool { return client.has(k.Key) }) {
		c.fault(path+".key", "no grant uses key set %s, so nothing would be signed; add one with kubernetes: to the client of kube-apiserver", strictyaml.Quote(k.Key))
	}
	if k.Refresh.Std()%time.Second != 0 {
		c.fault(path+".refresh", "refresh (%s) must be whole seconds; round it", k.Refresh)
	}
	if k.MaxExpiration.Std()%time.Second != 0 {
		c.fault(path+".max_expiration", "max_expiration (%s) must be whole seconds; round it", k.MaxExpiration)
	}
	if p := k.path(); p != "" && c.JWKS.Issuer != "" && p == (&Kubernetes{Issuer: c.JWKS.Issuer}).path() {
		c.fault(path+".issuer", "jwks.issuer has the same path, and jwks.listen serves each issuer's keys at its path; give one of them another path")
	}
}

// refresh makes sure that kube-apiserver has a new version before it signs.
func (c *checker) refresh(path string, k *Kubernetes, set KeySet) {
	before := set.Rotation.PublishBefore
	if least := k.Refresh.Std() + receiverMargin; !before.Manual && before.Duration.Std() < least {
		c.fault(path+".refresh", "the key set's publish_before (%s) must be at least %s, which is refresh plus a minute; before that, kube-apiserver can still be without the new key. Raise publish_before, or lower refresh", before.Duration, Duration(least))
	}
}

// has reports whether a grant of the client uses a key set.
func (client *Client) has(key string) bool {
	return slices.ContainsFunc(client.Grants, func(g Grant) bool { return g.Key == key })
}

// path is the path of the issuer, without a trailing slash.
func (k *Kubernetes) path() string {
	u, err := url.Parse(k.Issuer)
	if err != nil {
		return "" // has been reported
	}
	return strings.TrimSuffix(u.Path, "/")
}

// Discoverable reports whether jwks.listen can serve the issuer's documents. At
// the top it has those of all assertions.
func (k *Kubernetes) Discoverable() bool { return k.path() != "" }

// kubernetesGrant converts a grant for tokens of service accounts.
func (c *checker) kubernetesGrant(path string, g *Grant, rule *policy.Rule) {
	c.foreignSettings(path, g, "tokens of service accounts, and key set %s has use: kubernetes")
	c.noRawForms(path, g.Hashes, g.Paddings)
	if g.Kubernetes == nil {
		c.fault(path+".kubernetes", "key set %s has use: kubernetes, and the grant doesn't say which tokens it allows; add kubernetes: {service_accounts: [...], audiences: [...]}", strictyaml.Quote(g.Key))
		rule.Kubernetes = &policy.KubernetesRule{ServiceAccounts: []string{"*"}}
		return
	}
	rule.Kubernetes = &policy.KubernetesRule{
		ServiceAccounts: g.Kubernetes.ServiceAccounts, Audiences: g.Kubernetes.Audiences, Reserved: g.Kubernetes.Reserved,
	}
	for i := range c.Listen {
		if k := c.Listen[i].Kubernetes; k != nil && k.Key == g.Key {
			c.maxLifetimes[g.Key] = max(c.maxLifetimes[g.Key], k.MaxExpiration.Std())
		}
	}
}

// noKubernetes refuses a setting of Kubernetes tokens in another grant.
func (c *checker) noKubernetes(path string, g *Grant) {
	if g.Kubernetes != nil {
		c.fault(path+".kubernetes", "kubernetes only applies to key sets with use: kubernetes; remove it, or choose such a key set")
	}
}
