package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// registered are the claims that the daemon alone sets (RFC 7519 section 4.1).
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// isRegistered ignores case, because receivers that use Go's encoding/json do: they would read "ISS" or "iſs" as iss.
func isRegistered(name string) bool {
	return slices.ContainsFunc(registered, func(r string) bool { return strings.EqualFold(r, name) })
}

// allowedValues is a ClaimRule with its values in a form to look up.
type allowedValues struct {
	any, words bool
	scalars    map[any]bool
	nested     []any // arrays and objects
	list       []any // as configured, for people
}

// compileClaims normalizes the values of the rule and builds its lookup tables.
func (r *rule) compileClaims(report reporter) {
	r.allow = make(map[string]allowedValues, len(r.Allow))
	for _, name := range sortedNames(r.Allow) {
		r.Allow[name] = normalizeRule(name, r.Allow[name], report)
		r.allow[name] = newAllowedValues(r.Allow[name])
	}
	for _, name := range sortedNames(r.Force) {
		value, err := normalize(r.Force[name], MaxDepth)
		if err != nil {
			report.problem("claims.set", "the value of claim %q %v", name, err)
		}
		r.Force[name] = value
	}
	r.checkClaimNames(report)
	r.checkClaimLists(report)
}

func (r *rule) checkClaimNames(report reporter) {
	all := slices.Concat(sortedNames(r.Allow), sortedNames(r.Force))
	for i, name := range all {
		switch {
		case name == "" || checkText(name) != nil:
			report.problem("claims", "%q is not a claim's name", name)
		case isRegistered(name):
			report.problem("claims", "claim %q is the daemon's own; remove it", name)
		}
		same := func(other string) bool { return strings.EqualFold(name, other) }
		if slices.ContainsFunc(all[:i], same) {
			report.problem("claims", "claim %q is given twice, or differs from another by case alone, which some receivers ignore; keep one", name)
		}
	}
}

func (r *rule) checkClaimLists(report reporter) {
	for setting, names := range map[string][]string{"claims.require": r.Require, "claims.log": r.Loggable} {
		for _, name := range names {
			_, allowed := r.Allow[name]
			if _, forced := r.Force[name]; !allowed && !forced {
				report.problem(setting, "claim %q is neither allowed nor set by this grant; allow it or remove it here", name)
			}
		}
	}
}

func normalizeRule(name string, rule ClaimRule, report reporter) ClaimRule {
	if rule.Any && (rule.Words || len(rule.Values) > 0) {
		report.problem("claims.allow", "claim %q allows any value and lists some too; keep one of the two", name)
	}
	for i, value := range rule.Values {
		normal, err := normalize(value, MaxDepth)
		if err != nil {
			report.problem("claims.allow", "a value of claim %q %v", name, err)
		}
		rule.Values[i] = normal
		if word, isText := normal.(string); rule.Words && (!isText || !isWord(word)) {
			report.problem("claims.allow", "claim %q is a list of words, and value %d of it is not a word without spaces", name, i+1)
		}
	}
	return rule
}

func isWord(s string) bool { return s != "" && !strings.ContainsAny(s, " \t\r\n") }

func newAllowedValues(rule ClaimRule) allowedValues {
	a := allowedValues{any: rule.Any, words: rule.Words, list: rule.Values, scalars: make(map[any]bool, len(rule.Values))}
	for _, value := range rule.Values {
		if key, ok := scalar(value); ok {
			a.scalars[key] = true
		} else {
			a.nested = append(a.nested, value)
		}
	}
	return a
}

// allows reports whether a normalized value is in the list.
func (a *allowedValues) allows(value any) bool {
	switch {
	case a.any:
		return true
	case a.words:
		return a.allowsWords(value)
	}
	if a.allowsScalar(value) || slices.ContainsFunc(a.nested, func(v any) bool { return equal(v, value) }) {
		return true
	}
	// An empty array is allowed only where it is listed: it would otherwise pass every list.
	array, ok := value.([]any)
	return ok && len(array) > 0 && allOf(array, a.allowsScalar)
}

func (a *allowedValues) allowsScalar(value any) bool {
	key, ok := scalar(value)
	return ok && a.scalars[key]
}

// allowsWords takes "read write" or ["read","write"]. Empty words, as between two spaces, are in no list.
func (a *allowedValues) allowsWords(value any) bool {
	switch value := value.(type) {
	case string:
		for word := range strings.SplitSeq(value, " ") {
			if !a.scalars[word] {
				return false
			}
		}
		return true
	case []any:
		return len(value) > 0 && allOf(value, a.allowsScalar)
	}
	return false
}

func allOf(values []any, allowed func(any) bool) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return !allowed(v) })
}

// checkClaim decides about one claim that the caller sent.
func (r *rule) checkClaim(name string, value any) *Refusal {
	if forced, ok := r.Force[name]; ok {
		if equal(forced, value) {
			return nil
		}
		return refuse(ClaimNotAllowed, "claim %s is set by grant %q itself, to another value; leave it out", clip(name), r.Name)
	}
	allowed, ok := r.allow[name]
	if !ok {
		return refuse(ClaimNotAllowed, "claim %s is not allowed by grant %q, %s", clip(name), r.Name, r.sendable())
	}
	if allowed.allows(value) {
		return nil
	}
	return refuse(ClaimNotAllowed, "grant %q does not allow this value of claim %q; %s", r.Name, name, allowed.describe())
}

// checkRequired wants a value other than null.
func (r *rule) checkRequired(name string, claims map[string]any) *Refusal {
	if claims[name] != nil || r.Force[name] != nil {
		return nil
	}
	allowed := r.allow[name]
	return refuse(ClaimRequired, "grant %q requires claim %q; send it: %s", r.Name, name, allowed.describe())
}

func (r *rule) checkClaims(claims map[string]any) *Refusal {
	for _, name := range sortedNames(claims) {
		if refusal := r.checkClaim(name, claims[name]); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (r *rule) checkRequirements(claims map[string]any) *Refusal {
	for _, name := range r.Require {
		if refusal := r.checkRequired(name, claims); refusal != nil {
			return refusal
		}
	}
	return nil
}

// merge adds the forced claims to those of the caller, all of which were checked.
func (r *rule) merge(claims map[string]any) map[string]any {
	merged := make(map[string]any, len(claims)+len(r.Force))
	maps.Copy(merged, claims)
	maps.Copy(merged, r.Force)
	return merged
}

func (r *rule) sendable() string {
	names := sortedNames(r.Allow)
	if len(names) == 0 {
		return "which allows none; leave it out"
	}
	return fmt.Sprintf("which allows %s; leave it out", enumerate(names))
}

func (a *allowedValues) describe() string {
	switch {
	case a.any:
		return "any value is allowed"
	case len(a.list) == 0:
		return "no value is allowed"
	case a.words:
		return "allowed words, separated by single spaces, are " + enumerate(formatValues(a.list))
	}
	return "allowed values are " + enumerate(formatValues(a.list))
}

func sortedNames[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
