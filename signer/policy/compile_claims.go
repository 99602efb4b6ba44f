package policy

import (
	"slices"
	"strings"
)

// allowedValues is a ClaimRule with its values indexed for lookup.
type allowedValues struct {
	any, words bool
	scalars    map[any]bool
	nested     []any // arrays and objects
	list       []any // as configured, for messages
}

// compileClaims normalizes the values of the rule and builds its lookup tables.
func (r *rule) compileClaims(report reporter) {
	r.allow = make(map[string]allowedValues, len(r.Allow))
	for _, name := range sortedNames(r.Allow) {
		r.Allow[name] = normalizeRule(name, r.Allow[name], report)
		r.allow[name] = newAllowedValues(r.Allow[name])
	}
	for _, name := range sortedNames(r.Force) {
		value, err := normalize(r.Force[name], maxDepth)
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
		case name == "" || checkUTF8(name) != nil:
			report.problem("claims", "%q is not a valid claim name; use UTF-8 text that is not empty", name)
		case isRegistered(name):
			report.problem("claims", "claim %q is reserved for assertd; remove it", name)
		}
		same := func(other string) bool { return strings.EqualFold(name, other) }
		if slices.ContainsFunc(all[:i], same) {
			report.problem("claims", "claim %q is listed twice, or differs from another one only in case, "+
				"which some receivers ignore; keep one", name)
		}
	}
}

func (r *rule) checkClaimLists(report reporter) {
	check := func(setting string, names []string) {
		for _, name := range names {
			_, allowed := r.Allow[name]
			if _, forced := r.Force[name]; !allowed && !forced {
				report.problem(setting, "the grant neither allows nor sets claim %q; allow it or remove it here", name)
			}
		}
	}
	check("claims.require", r.Require)
	check("claims.log", r.Loggable)
}

func normalizeRule(name string, rule ClaimRule, report reporter) ClaimRule {
	if rule.Any && (rule.Words || len(rule.Values) > 0) {
		report.problem("claims.allow", "claim %q allows any value but also lists some; keep one or the other", name)
	}
	for i, value := range rule.Values {
		normal, err := normalize(value, maxDepth)
		if err != nil {
			report.problem("claims.allow", "a value of claim %q %v", name, err)
		}
		rule.Values[i] = normal
		if word, isText := normal.(string); rule.Words && (!isText || !isWord(word)) {
			report.problem("claims.allow", "value %d of claim %q is not a word; use text without spaces", i+1, name)
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
