package config

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// clients converts the clients to policy and reports what prevents that. What
// policy itself refuses is also reported at its line.
func (c *checker) clients() {
	c.maxLifetimes, c.certified = make(map[string]time.Duration), make(map[string]bool)
	profiles := make(map[string]string) // the first profile of each key set
	converted := make([]policy.Client, 0, len(c.Clients))
	for i := range c.Clients {
		client, path := &c.Clients[i], strictyaml.Item("clients", i)
		p := policy.Client{Name: client.Name, InFlight: client.InFlight, Match: c.match(path, client)}
		if len(client.Grants) == 0 {
			c.fault(path+".grants", "the client has no grants, so nothing would be signed for it; add one, or remove the client")
		}
		for j := range client.Grants {
			p.Grants = append(p.Grants, c.grant(strictyaml.Item(path+".grants", j), &client.Grants[j], profiles))
		}
		converted = append(converted, p)
	}
	c.Config.policy = converted
	_, err := policy.New(converted)
	c.invalid(err)
}

// invalid reports what policy.New found.
func (c *checker) invalid(err error) {
	var invalid *policy.InvalidError
	if !errors.As(err, &invalid) {
		return
	}
	for _, p := range invalid.Problems {
		path := strictyaml.Item("clients", p.Client)
		if p.Grant >= 0 {
			path = strictyaml.Item(path+".grants", p.Grant)
		}
		c.fault(path+"."+p.Setting, "%s", p.Message)
	}
}

// match resolves the names in a client's selectors.
func (c *checker) match(path string, client *Client) policy.Match {
	m := client.Match
	resolved := policy.Match{
		UID: m.UID, GID: m.GID, Executable: m.Executable, ExecutableSHA256: m.ExecutableSHA256,
		Unit: m.Unit, Container: m.Container, Listener: m.Listener,
	}
	path += ".match"
	resolved.UID = c.account(path, "user", "uid", m.User, m.UID, c.accounts.User)
	resolved.GID = c.account(path, "group", "gid", m.Group, m.GID, c.accounts.Group)
	if m.Listener != "" && !c.sockets[m.Listener] {
		c.fault(path+".listener", "no listener has the socket %s; use the path of one under listen", strictyaml.Quote(m.Listener))
	}
	c.bind(path, client, &resolved)
	return resolved
}

// account resolves an account that is given by name or by ID.
func (c *checker) account(path, name, id, given string, n *uint32, resolve func(string) (uint32, error)) *uint32 {
	if given == "" {
		return n
	}
	if n != nil {
		c.fault(path+"."+id, "%s and %s are both set; keep one", name, id)
	}
	resolved, ok := c.resolve(path+"."+name, name, given, resolve)
	if !ok {
		return nil
	}
	return &resolved
}

func (c *checker) resolve(path, what, name string, resolve func(string) (uint32, error)) (uint32, bool) {
	n, err := resolve(name)
	switch {
	case errors.Is(err, ErrUnknownAccount):
		c.fault(path, "this machine has no %s %s; create it, correct the name, or use a numeric ID", what, strictyaml.Quote(name))
	case err != nil:
		c.fault(path, "can't look up %s %s: %s; try again, or use a numeric ID", what, strictyaml.Quote(name), err)
	}
	return n, err == nil
}

// bind makes the callers of a client's socket match a client without selectors.
func (c *checker) bind(path string, client *Client, m *policy.Match) {
	bound := c.bound[client.Name]
	if client.Match != (Match{}) {
		return
	}
	switch len(bound) {
	case 0:
		c.fault(path, "client %s has no selector, so it would match everyone or no one; add one, such as match: {user: %s}, or bind a listener to the client", strictyaml.Quote(client.Name), client.Name)
	case 1:
		m.Listener = c.Listen[bound[0]].Socket
	default:
		c.fault(path, "client %s has %d listeners and no selector; keep one listener, or add a selector under match", strictyaml.Quote(client.Name), len(bound))
	}
}

// grant converts a grant to a rule.
func (c *checker) grant(path string, g *Grant, profiles map[string]string) policy.Rule {
	rule := policy.Rule{Name: g.Name, Key: g.Key, Rates: windows(g.Rate)}
	c.rates(path+".rate", g.Rate)
	k, ok := c.Keys[g.Key]
	switch {
	case !ok && g.Key != "":
		c.fault(path+".key", "no key set is named %s; %s", strictyaml.Quote(g.Key), spelling.DidYouMean(g.Key, slices.Collect(maps.Keys(c.Keys))))
	case g.Key != "" && g.Key == c.Audit.CheckpointKey:
		c.fault(path+".key", "key set %s signs the audit log's checkpoints, which anyone with this grant could forge; use another key set", strictyaml.Quote(g.Key))
	}
	switch k.Use {
	case UseRaw:
		c.rawGrant(path, g, k, &rule)
	case UseKubernetes:
		c.kubernetesGrant(path, g, &rule)
	case UseAssertion:
		c.assertionGrant(path, g, k, &rule, profiles)
	default: // the key set is wrong or missing, which has been reported
		rule.Profile, rule.DefaultLifetime, rule.MaxLifetime = g.Profile, time.Second, time.Second
	}
	return rule
}

// rawGrant converts a grant for signatures over callers' digests. It refuses
// settings of assertions: someone could believe that they restrict anything.
func (c *checker) rawGrant(path string, g *Grant, k KeySet, rule *policy.Rule) {
	c.foreignSettings(path, g, "raw signatures, and key set %s has use: raw")
	c.noKubernetes(path, g)
	c.rawForms(path, k.Alg, g.Hashes, g.Paddings)
	c.subset(path+".hashes", "hash", g.Key, g.Hashes, k.hashes())
	c.subset(path+".paddings", "padding", g.Key, g.Paddings, k.paddings())
	rule.Raw = &policy.RawRule{Hashes: orElse(g.Hashes, k.hashes()), Paddings: orElse(g.Paddings, k.paddings())}
}

// foreignSettings refuses the settings of assertions in a grant of another use,
// which is a format for the key set's name.
func (c *checker) foreignSettings(path string, g *Grant, use string) {
	for _, setting := range []struct {
		name  string
		given bool
	}{
		{"profile", g.Profile != ""}, {"client_id", g.ClientID != ""}, {"issuer", g.Issuer != ""}, {"subject", g.Subject != ""},
		{"key_id", g.KeyID != ""}, {"audiences", g.Audiences != nil}, {"lifetime", g.Lifetime != Lifetime{}},
		{"not_before", g.NotBefore != NotBefore{}},
		{"claims", g.Claims.Allow != nil || g.Claims.Set != nil || g.Claims.Require != nil || g.Claims.Log != nil},
	} {
		if setting.given {
			c.fault(path+"."+setting.name, "%s has no effect on "+use+"; remove it, or choose a key set with use: assertion", setting.name, strictyaml.Quote(g.Key))
		}
	}
}

func (c *checker) subset(path, what, key string, given, allowed []string) {
	for i, value := range given {
		if !slices.Contains(allowed, value) {
			c.fault(strictyaml.Item(path, i), "key set %s does not allow the %s %s; add it there, or remove it here", strictyaml.Quote(key), what, value)
		}
	}
}

// assertionGrant completes a grant from its profile and checks it against the
// profile.
func (c *checker) assertionGrant(path string, g *Grant, k KeySet, rule *policy.Rule, profiles map[string]string) {
	c.noRawForms(path, g.Hashes, g.Paddings)
	c.noKubernetes(path, g)
	p, ok := profile.Lookup(g.Profile)
	if !ok {
		rule.Profile, rule.DefaultLifetime, rule.MaxLifetime = g.Profile, time.Second, time.Second
		if g.Profile == "" {
			c.fault(path+".profile", "the grant has no profile; set the one for its receiver, such as private_key_jwt (docs/profiles.md lists them)")
		}
		return
	}
	if k.Alg == "" { // it is wrong, which has been reported
		k.Alg = Algorithm(p.Algorithms[0])
	}
	s := p.Complete(g.settings(k))
	c.contradictions(path, p.Check(s))
	c.ownKey(path, g, p, profiles)
	if p.Audience.Form != profile.AudienceNone && len(s.Audiences) == 0 {
		c.fault(path+".audiences", "the grant has no audiences, so it allows no assertions; list each audience in full")
	}
	rule.Profile, rule.ClientID, rule.Issuer, rule.Subject, rule.KeyID = g.Profile, g.ClientID, g.Issuer, g.Subject, g.KeyID
	rule.Audiences, rule.NoAudience = s.Audiences, p.Audience.Form == profile.AudienceNone
	rule.DefaultLifetime, rule.MaxLifetime = s.DefaultLifetime, s.MaxLifetime
	rule.BackDate, rule.NotBefore = *s.BackDate, p.NotBefore && !s.NoNotBefore
	rule.Allow, rule.Force, rule.Require, rule.Loggable = g.Claims.rules(), g.Claims.Set, g.Claims.Require, g.Claims.Log
	c.maxLifetimes[g.Key] = max(c.maxLifetimes[g.Key], s.MaxLifetime)
	c.certified[g.Key] = c.certified[g.Key] || p.NeedsCertificate()
}

// contradictions reports where a grant and its profile disagree.
func (c *checker) contradictions(path string, err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, e := range joined.Unwrap() {
		var found *profile.Contradiction
		if errors.As(e, &found) {
			c.fault(path+"."+found.Setting, "%s", found)
		}
	}
}

// ownKey separates kinds of JWTs that receivers must not confuse with each
// other (RFC 9101 section 10.8).
func (c *checker) ownKey(path string, g *Grant, p *profile.Profile, profiles map[string]string) {
	first, ok := profiles[g.Key]
	if !ok {
		profiles[g.Key] = g.Profile
		return
	}
	other, _ := profile.Lookup(first)
	if first != g.Profile && (p.DedicatedKey || other.DedicatedKey) {
		c.fault(path+".key", "key set %s also signs for profile %s; give %s its own key set, so that receivers can't confuse the two", strictyaml.Quote(g.Key), first, g.Profile)
	}
}

// settings returns a grant's settings as profiles check them.
func (g *Grant) settings(k KeySet) profile.Settings {
	return profile.Settings{
		Alg: string(k.Alg), ClientID: g.ClientID, Issuer: g.Issuer, Subject: g.Subject, KeyID: g.KeyID,
		Audiences: g.Audiences, DefaultLifetime: g.Lifetime.Default.Std(), MaxLifetime: g.Lifetime.Max.Std(),
		BackDate: (*time.Duration)(g.NotBefore.Leeway), NoNotBefore: g.NotBefore.None,
		AllowedValues: g.Claims.values(),
		AllowedClaims: slices.Sorted(maps.Keys(g.Claims.Allow)), RequiredClaims: g.Claims.Require, ForcedClaims: g.Claims.Set,
		// The certificate can be on the token, which is not open yet.
		HasCertificate: true,
	}
}
