package profile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	return fmt.Sprintf("%s: profile %s %s, but the grant %s; %s", c.Setting, c.Profile, c.Rule, c.Given, c.Fix)
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
	// BackDate is nil if not set. NoNotBefore leaves nbf out.
	BackDate    *time.Duration
	NoNotBefore bool
	// AllowedClaims and RequiredClaims are names, ForcedClaims names and
	// values.
	AllowedClaims, RequiredClaims []string
	// AllowedValues are the values that an allowed claim can have as a whole.
	AllowedValues map[string][]any
	ForcedClaims  map[string]any
	// HasCertificate reports whether the key has a certificate.
	HasCertificate bool
}

// Complete fills in the profile's defaults for what the grant does not set: the
// lifetimes, the back-dating of iat, and the audience if the profile allows
// only one. A grant without a maximum lets callers ask for its default at most.
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
	if s.BackDate == nil {
		// A default takes little of a short lifetime.
		backDate := min(p.BackDate, (s.MaxLifetime / 5).Truncate(time.Second))
		s.BackDate = &backDate
	}
	return s
}

// maxBackDate leaves at least half of the maximum lifetime, in whole seconds.
func (p *Profile) maxBackDate(s Settings) time.Duration {
	most := (s.MaxLifetime / 2).Truncate(time.Second)
	if p.MaxBackDate != 0 {
		most = min(most, p.MaxBackDate)
	}
	return most
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
	p.checkNotBefore(s, &found)
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
		found.add("key", "requires alg "+strings.Join(p.Algorithms, ", "), "uses a key set with alg "+cmp.Or(s.Alg, "unset"),
			"use a key set with alg: "+p.Algorithms[0])
	}
	if p.KeyID == KeyIDFromReceiver && s.KeyID == "" {
		found.add("key_id", "requires the kid that the receiver assigned to the key", "sets no key_id",
			"set key_id to that kid")
	}
	if p.KeyID == KeyIDNone && s.KeyID != "" {
		found.add("key_id", "has no kid", fmt.Sprintf("sets %q", s.KeyID), "remove key_id")
	}
	if p.NeedsCertificate() && !s.HasCertificate {
		found.add("key", "puts the certificate's "+string(p.Header[0])+" in the header",
			"uses a key set without a certificate", "store the key's certificate on the token")
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
			fmt.Sprintf("set %s to %s", setting, cmp.Or(rule.Format, "the value that the receiver expects")))
	case value != "" && rule.Check != nil && !rule.Check(value):
		found.add(setting, fmt.Sprintf("requires %s to be %s", setting, rule.Format), fmt.Sprintf("sets %q", value),
			"use that format")
	}
}

func (p *Profile) checkUnused(setting, claim string, used SubjectRule, given map[string]string, found *contradictions) {
	value := given[setting]
	if value == "" || p.Issuer.setting() == setting || p.Subject.setting() == setting || value == given[used.setting()] {
		return
	}
	rule := "has no " + claim
	if used.From != FromNothing {
		rule = "takes " + claim + " from " + string(used.From)
	}
	found.add(setting, rule, fmt.Sprintf("sets %q", value), "remove "+setting)
}

func (p *Profile) checkAudiences(s Settings, found *contradictions) {
	rule := "requires aud to be " + p.Audience.Description
	if len(s.Audiences) == 0 && p.Audience.Form != AudienceNone {
		found.add("audiences", rule, "lists no audiences", "list every audience that it may sign for")
	}
	for i, audience := range s.Audiences {
		setting := fmt.Sprintf("audiences[%d]", i)
		if p.Audience.Form == AudienceNone {
			found.add(setting, "has no aud", fmt.Sprintf("lists %q", audience), "remove audiences")
		} else if err := p.Audience.check(audience); err != nil {
			found.add(setting, rule, fmt.Sprintf("lists %q, which %v", audience, err), "replace it")
		}
	}
}

func (p *Profile) checkLifetimes(s Settings, found *contradictions) {
	for _, given := range []struct {
		setting string
		value   time.Duration
	}{{"lifetime.default", s.DefaultLifetime}, {"lifetime.max", s.MaxLifetime}} {
		switch {
		case p.ExactLifetime && given.value != p.MaxLifetime:
			found.add(given.setting, "requires a lifetime of exactly "+seconds(p.MaxLifetime),
				"sets "+seconds(given.value), "remove lifetime")
		case given.value > p.MaxLifetime:
			found.add(given.setting, "caps the lifetime at "+seconds(p.MaxLifetime), "sets "+seconds(given.value),
				"use "+seconds(p.MaxLifetime)+" or less")
		case given.value < time.Second:
			found.add(given.setting, "counts the lifetime in whole seconds",
				"sets "+given.value.String(), "use 1s or more")
		}
	}
	if s.DefaultLifetime > s.MaxLifetime {
		found.add("lifetime.default", "requires a default within the maximum",
			"sets "+seconds(s.DefaultLifetime)+", above the maximum of "+seconds(s.MaxLifetime),
			"use "+seconds(s.MaxLifetime)+" or less")
	}
}

func (p *Profile) checkNotBefore(s Settings, found *contradictions) {
	if s.NoNotBefore && !p.NotBefore {
		found.add("not_before", "has no nbf", "sets not_before: none", "remove not_before")
	}
	if s.BackDate == nil {
		return
	}
	most, given := p.maxBackDate(s), *s.BackDate
	switch {
	case given%time.Second != 0:
		found.add("not_before.leeway", "counts times in whole seconds", "sets "+given.String(), "use whole seconds")
	case given > most && most == p.MaxBackDate:
		found.add("not_before.leeway", "requires an iat that is at most "+seconds(most)+" in the past", "sets "+seconds(given),
			"use "+seconds(most)+" or less")
	case given > most:
		found.add("not_before.leeway", "leaves at least half of the maximum lifetime of "+seconds(s.MaxLifetime), "sets "+seconds(given),
			"use "+seconds(most)+" or less, or raise lifetime.max")
	}
}

func (p *Profile) checkClaims(s Settings, found *contradictions) {
	for _, name := range s.AllowedClaims {
		p.checkClaimName("claims.allow.", name, found)
	}
	for _, name := range slices.Sorted(maps.Keys(s.AllowedValues)) {
		p.checkAllowedValues(name, s.AllowedValues[name], found)
	}
	for _, name := range s.RequiredClaims {
		p.checkClaimName("claims.require.", name, found)
	}
	for _, name := range slices.Sorted(maps.Keys(s.ForcedClaims)) {
		if !p.checkClaimName("claims.set.", name, found) {
			continue
		}
		rule, _ := p.claimRule(name)
		if _, err := rule.normalize(s.ForcedClaims[name]); err != nil {
			found.add("claims.set."+name, rule.requirement(), "sets a value that "+err.Error(), "use that format")
		}
	}
	for _, rule := range p.Claims {
		_, forced := s.ForcedClaims[rule.Name]
		if rule.Required && !forced && !slices.Contains(s.AllowedClaims, rule.Name) {
			found.add("claims", fmt.Sprintf("requires claim %q", rule.Name), "neither allows nor sets it",
				fmt.Sprintf("add it to claims.allow, or set it under claims.set to %s", cmp.Or(rule.Format, "its value")))
		}
	}
}

// checkAllowedValues finds values that no assertion could have: those that the
// claim's rule refuses, and those that it would change.
func (p *Profile) checkAllowedValues(name string, values []any, found *contradictions) {
	rule, _ := p.claimRule(name)
	for _, value := range values {
		normal, err := rule.normalize(value)
		text, _ := value.(string)
		switch {
		case err != nil:
			found.add("claims.allow."+name, rule.requirement(), "allows a value that "+err.Error(), "use that format")
		case text != "" && normal != text:
			found.add("claims.allow."+name, rule.requirement()+" in its normal form", fmt.Sprintf("allows %q", text), fmt.Sprintf("write %q", normal))
		}
	}
}

func (p *Profile) checkClaimName(path, name string, found *contradictions) bool {
	refused := p.nameProblem(name)
	if refused == nil {
		return true
	}
	found.add(path+name, refused.Rule, "names it", "remove it")
	return false
}

func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", int64(d/time.Second))
	}
	return d.String()
}
