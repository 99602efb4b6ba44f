package profile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ErrContradiction is what every [*Contradiction] unwraps to.
var ErrContradiction = errors.New("grant contradicts its profile")

// Contradiction is one setting of a grant that its profile does not allow.
type Contradiction struct {
	Profile string
	// Setting is the path of the grant's setting in the configuration, below
	// the grant: "client_id", "audiences[0]", "lifetime.max",
	// "claims.allow.scope", or "key" if it is the key set that is wrong.
	Setting string
	// Rule is what the profile says, Given what the grant says, Fix what to do.
	Rule, Given, Fix string
}

func (c *Contradiction) Error() string {
	return fmt.Sprintf("%s: profile %s %s, but the grant %s: %s", c.Setting, c.Profile, c.Rule, c.Given, c.Fix)
}

func (c *Contradiction) Unwrap() error { return ErrContradiction }

// Settings are a grant's settings for its assertions, and those of its key set.
type Settings struct {
	// Alg is the key set's algorithm.
	Alg string
	// ClientID, Issuer, Subject and KeyID are the grant's; empty if not set.
	ClientID, Issuer, Subject, KeyID string
	Audiences                        []string
	// DefaultLifetime and MaxLifetime are zero if not set.
	DefaultLifetime, MaxLifetime time.Duration
	// AllowedClaims and RequiredClaims are names, ForcedClaims names and
	// values.
	AllowedClaims, RequiredClaims []string
	ForcedClaims                  map[string]any
	// HasCertificate reports whether the key has a certificate.
	HasCertificate bool
}

// Complete fills in the profile's defaults for what the grant does not set: the
// lifetimes, and the audience if the profile allows only one. A grant without a
// maximum lets callers ask for its default at most.
func (p *Profile) Complete(s Settings) Settings {
	if fixed := p.Audience.defaultValue(); len(s.Audiences) == 0 && fixed != "" {
		s.Audiences = []string{fixed}
	}
	if s.DefaultLifetime == 0 {
		s.DefaultLifetime = p.DefaultLifetime
		if s.MaxLifetime > 0 {
			s.DefaultLifetime = min(s.DefaultLifetime, s.MaxLifetime)
		}
	}
	if s.MaxLifetime == 0 {
		s.MaxLifetime = s.DefaultLifetime
	}
	return s
}

// Check reports every contradiction between a grant and its profile, as joined
// [*Contradiction] errors. The settings must come from Complete.
func (p *Profile) Check(s Settings) error {
	var found contradictions
	found.profile = p.Name
	p.checkKey(s, &found)
	p.checkSubjects(s, &found)
	p.checkAudiences(s, &found)
	p.checkLifetimes(s, &found)
	p.checkClaims(s, &found)
	return errors.Join(found.errs...)
}

type contradictions struct {
	profile string
	errs    []error
}

func (c *contradictions) add(setting, rule, given, fix string) {
	c.errs = append(c.errs, &Contradiction{Profile: c.profile, Setting: setting, Rule: rule, Given: given, Fix: fix})
}

func (p *Profile) checkKey(s Settings, found *contradictions) {
	if !slices.Contains(p.Algorithms, s.Alg) {
		algs := list(p.Algorithms, "nothing")
		found.add("key", "takes "+algs, "names a key set with alg "+cmp.Or(s.Alg, "unset"),
			"use a key set with alg: "+p.Algorithms[0])
	}
	if p.KeyID == KeyIDFromReceiver && s.KeyID == "" {
		found.add("key_id", "wants as kid the name that the receiver gave the key", "sets no key_id",
			"write key_id: with that name")
	}
	if p.needsCertificate() && !s.HasCertificate {
		found.add("key", "puts the certificate's "+string(p.Header[0])+" into the header", "names a key set without a certificate",
			"store the key's certificate on the token")
	}
}

// checkSubjects checks client_id, issuer and subject: those that the profile
// needs must be set, and those that it does not use must not be.
func (p *Profile) checkSubjects(s Settings, found *contradictions) {
	given := map[string]string{"client_id": s.ClientID, "issuer": s.Issuer, "subject": s.Subject}
	checkSubject("iss", p.Issuer, given, found)
	if p.Subject.setting() != p.Issuer.setting() {
		checkSubject("sub", p.Subject, given, found)
	}
	// A client_id may always be set, because the token request needs it too. An
	// unused issuer or subject would be dropped silently.
	p.checkUnused("issuer", "iss", p.Issuer, given, found)
	p.checkUnused("subject", "sub", p.Subject, given, found)
}

func checkSubject(claim string, rule SubjectRule, given map[string]string, found *contradictions) {
	setting := rule.setting()
	value, known := given[setting]
	switch {
	case !known:
	case value == "" && !rule.Optional:
		found.add(setting, fmt.Sprintf("takes %s from %s", claim, setting), "does not set it",
			fmt.Sprintf("write %s: with %s", setting, cmp.Or(rule.Format, "the value that the receiver knows you by")))
	case value != "" && rule.Check != nil && !rule.Check(value):
		found.add(setting, fmt.Sprintf("wants %s to be %s", setting, rule.Format), fmt.Sprintf("sets %q", value), "write it in that form")
	}
}

func (p *Profile) checkUnused(setting, claim string, used SubjectRule, given map[string]string, found *contradictions) {
	value := given[setting]
	if value == "" || p.Issuer.setting() == setting || p.Subject.setting() == setting || value == given[used.setting()] {
		return
	}
	rule := "writes no " + claim
	if used.From != FromNothing {
		rule = "takes " + claim + " from " + string(used.From)
	}
	found.add(setting, rule, fmt.Sprintf("sets %q", value), "remove "+setting)
}

func (p *Profile) checkAudiences(s Settings, found *contradictions) {
	if len(s.Audiences) == 0 && p.Audience.Form != AudienceNone {
		found.add("audiences", "wants "+p.Audience.Description+" as aud", "lists none", "write audiences: with each value it may sign for")
	}
	for i, audience := range s.Audiences {
		err := p.Audience.check(audience)
		if err == nil {
			continue
		}
		fix := "write " + p.Audience.Description
		if p.Audience.Form == AudienceNone {
			fix = "remove audiences"
		}
		found.add(fmt.Sprintf("audiences[%d]", i), "wants "+cmp.Or(p.Audience.Description, "no aud"), fmt.Sprintf("lists %q (%v)", audience, err), fix)
	}
}

func (p *Profile) checkLifetimes(s Settings, found *contradictions) {
	for _, given := range []struct {
		setting string
		value   time.Duration
	}{{"lifetime.default", s.DefaultLifetime}, {"lifetime.max", s.MaxLifetime}} {
		switch {
		case p.ExactLifetime && given.value != p.MaxLifetime:
			found.add(given.setting, "takes exactly "+seconds(p.MaxLifetime), "sets "+seconds(given.value), "remove lifetime")
		case given.value > p.MaxLifetime:
			found.add(given.setting, "caps the life at "+seconds(p.MaxLifetime), "sets "+seconds(given.value),
				"write "+seconds(p.MaxLifetime)+" or less")
		case given.value < time.Second:
			found.add(given.setting, "counts in whole seconds", "sets "+given.value.String(), "write 1s or more")
		}
	}
	if s.DefaultLifetime > s.MaxLifetime {
		found.add("lifetime.default", "needs a default within the maximum",
			"sets "+seconds(s.DefaultLifetime)+" above "+seconds(s.MaxLifetime), "write "+seconds(s.MaxLifetime)+" or less")
	}
}

func (p *Profile) checkClaims(s Settings, found *contradictions) {
	for _, name := range s.AllowedClaims {
		p.checkClaimName("claims.allow.", name, found)
	}
	for _, name := range s.RequiredClaims {
		p.checkClaimName("claims.require.", name, found)
	}
	for _, name := range slices.Sorted(maps.Keys(s.ForcedClaims)) {
		if !p.checkClaimName("claims.set.", name, found) {
			continue
		}
		var refused *ClaimError
		if _, err := p.normalizeClaim(name, s.ForcedClaims[name]); errors.As(err, &refused) {
			found.add("claims.set."+name, refused.Detail, "sets another value", "write it in that form")
		}
	}
	for _, rule := range p.Claims {
		_, forced := s.ForcedClaims[rule.Name]
		if rule.Required && !forced && !slices.Contains(s.AllowedClaims, rule.Name) {
			found.add("claims", "requires the claim "+rule.Name, "neither allows nor sets it",
				fmt.Sprintf("write %s under claims.allow, or under claims.set with %s", rule.Name, cmp.Or(rule.Format, "its value")))
		}
	}
}

func (p *Profile) checkClaimName(path, name string, found *contradictions) bool {
	refused := p.nameProblem(name)
	if refused == nil {
		return true
	}
	found.add(path+name, refused.Detail, "names it", "remove it")
	return false
}

func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", int64(d/time.Second))
	}
	return d.String()
}
