package policy

import (
	"slices"
	"strings"
)

// allowedValues is a ClaimRule with its values indexed for lookup.
type allowedValues struct {
	any, words, eachOf bool

	maxItems int // of an array; with eachOf
	scalars  map[any]bool
	nested   []any // arrays and objects
	list     []any // as configured, for messages
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
	checkForm(name, rule, report)
	for i, value := range rule.Values {
		normal, err := normalize(value, maxDepth)
		if err != nil {
			report.problem("claims.allow", "a value of claim %q %v", name, err)
		}
		rule.Values[i] = normal
		if word, isText := normal.(string); rule.Words && (!isText || !isWord(word)) {
			report.problem("claims.allow", "value %d of claim %q is not a word; use text without spaces", i+1, name)
		}
		if _, isScalar := scalar(normal); rule.EachOf && err == nil && !isScalar {
			report.problem("claims.allow", "value %d of claim %q is an array or an object, which can't be an item; list plain values", i+1, name)
		}
	}
	return rule
}

// checkForm refuses a rule that could be read in two ways.
func checkForm(name string, rule ClaimRule, report reporter) {
	if rule.Any && (rule.Words || rule.EachOf || len(rule.Values) > 0) {
		report.problem("claims.allow", "claim %q allows any value but also lists some; keep one or the other", name)
	}
	if rule.Words && rule.EachOf {
		report.problem("claims.allow", "claim %q is both a text of words and an array; keep words or each_of", name)
	}
	if rule.MaxItems != 0 && !rule.EachOf {
		report.problem("claims.allow", "claim %q has max_items but is not an array; add each_of or remove max_items", name)
	}
	if rule.MaxItems < 0 || rule.EachOf && rule.MaxItems > len(rule.Values) {
		report.problem("claims.allow", "claim %q has max_items %d, but each of its %d values can be there once; "+
			"use 1 to %d, or leave max_items out", name, rule.MaxItems, len(rule.Values), max(1, len(rule.Values)))
	}
}

func isWord(s string) bool { return s != "" && !strings.ContainsAny(s, " \t\r\n") }

func newAllowedValues(rule ClaimRule) allowedValues {
	a := allowedValues{
		any: rule.Any, words: rule.Words, eachOf: rule.EachOf,
		maxItems: rule.MostItems(),
		scalars:  make(map[any]bool, len(rule.Values)), list: rule.Values,
	}
	for _, value := range rule.Values {
		if key, ok := scalar(value); ok {
			a.scalars[key] = true
		} else {
			a.nested = append(a.nested, value)
		}
	}
	return a
}
