package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// registered lists the claims that only the daemon sets (RFC 7519 section 4.1).
// signer/profile checks against a list of its own, on purpose: one wrong list
// must not be enough to let a caller set a registered claim.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// isRegistered ignores case because receivers that use Go's encoding/json do:
// they would read "ISS" or "iſs" as iss.
func isRegistered(name string) bool {
	return slices.ContainsFunc(registered, func(r string) bool { return strings.EqualFold(r, name) })
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
	// Otherwise an empty array would pass every list.
	array, ok := value.([]any)
	return ok && len(array) > 0 && a.allowsAll(array)
}

func (a *allowedValues) allowsScalar(value any) bool {
	key, ok := scalar(value)
	return ok && a.scalars[key]
}

func (a *allowedValues) allowsAll(values []any) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return !a.allowsScalar(v) })
}

// allowsWords accepts "read write" or ["read","write"]. No list contains the
// empty word, such as the one between two spaces.
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
		return len(value) > 0 && a.allowsAll(value)
	}
	return false
}

// checkClaim checks one claim that the caller sent.
func (r *rule) checkClaim(name string, value any) *Refusal {
	if forced, ok := r.Force[name]; ok {
		if equal(forced, value) {
			return nil
		}
		return refuse(ClaimNotAllowed, "Grant %q sets claim %s itself, to a different value. Leave the claim out.",
			r.Name, quoteShort(name))
	}
	allowed, ok := r.allow[name]
	if !ok {
		return refuse(ClaimNotAllowed, "Grant %q does not allow claim %s. It allows %s. Leave the claim out.",
			r.Name, quoteShort(name), r.allowedClaims())
	}
	if allowed.allows(value) {
		return nil
	}
	return refuse(ClaimNotAllowed, "Grant %q does not allow this value of claim %q. It allows %s.",
		r.Name, name, allowed.describe())
}

// checkRequired refuses a claim that is missing or null.
func (r *rule) checkRequired(name string, claims map[string]any) *Refusal {
	if claims[name] != nil || r.Force[name] != nil {
		return nil
	}
	allowed := r.allow[name]
	return refuse(ClaimRequired, "Grant %q requires claim %q. Add it to the request. The grant allows %s.",
		r.Name, name, allowed.describe())
}

func (r *rule) checkClaims(req *normalizedRequest) *Refusal {
	for _, name := range req.names {
		if refusal := r.checkClaim(name, req.Claims[name]); refusal != nil {
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

// merge adds the forced claims to the caller's, all of which have been checked.
func (r *rule) merge(claims map[string]any) map[string]any {
	merged := make(map[string]any, len(claims)+len(r.Force))
	maps.Copy(merged, claims)
	maps.Copy(merged, r.Force)
	return merged
}

func (r *rule) allowedClaims() string {
	if len(r.Allow) == 0 {
		return "no claims"
	}
	return enumerate(sortedNames(r.Allow))
}

// describe follows "allows" or "want" in messages.
func (a *allowedValues) describe() string {
	values := enumerate(formatValues(a.list))
	switch {
	case a.any:
		return "any value"
	case len(a.list) == 0:
		return "no value"
	case a.words:
		return "the words " + values + ", separated by single spaces"
	}
	return values
}

// sortedNames fixes the order of checks, so that of several refusals the same
// one is always reported.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// normalize copies a JSON value into the only form that this package compares
// and returns: nil, bool, string, json.Number, []any and map[string]any. It
// refuses what JSON would not carry unchanged: other types, text that is not
// UTF-8, and malformed numbers.
func normalize(v any, levels int) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		return v, checkUTF8(v)
	case []any, []string, map[string]any:
		if levels == 0 {
			return nil, fmt.Errorf("is nested more than %d levels deep", maxDepth)
		}
		return normalizeNested(v, levels-1)
	default:
		return normalizeNumber(v)
	}
}

func normalizeNested(v any, levels int) (any, error) {
	switch v := v.(type) {
	case []any:
		return normalizeArray(v, levels)
	case []string:
		return normalizeArray(v, levels)
	default:
		return normalizeObject(v.(map[string]any), levels)
	}
}

func normalizeArray[E any](array []E, levels int) ([]any, error) {
	copied := make([]any, len(array))
	for i, element := range array {
		var err error
		if copied[i], err = normalize(element, levels); err != nil {
			return nil, err
		}
	}
	return copied, nil
}

func normalizeObject(object map[string]any, levels int) (map[string]any, error) {
	copied := make(map[string]any, len(object))
	for name, member := range object {
		if err := checkUTF8(name); err != nil {
			return nil, err
		}
		var err error
		if copied[name], err = normalize(member, levels); err != nil {
			return nil, err
		}
	}
	return copied, nil
}

func checkUTF8(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("contains text that is not valid UTF-8")
	}
	return nil
}

func normalizeNumber(v any) (any, error) {
	var n json.Number
	switch v := v.(type) {
	case json.Number:
		n = v
	case int:
		n = json.Number(strconv.Itoa(v))
	case int64:
		n = json.Number(strconv.FormatInt(v, 10))
	case uint64:
		n = json.Number(strconv.FormatUint(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("contains a number that JSON cannot represent")
		}
		n = json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	default:
		return nil, fmt.Errorf("contains a %T, which is not a JSON type", v)
	}
	if _, ok := parseNumber(string(n)); !ok {
		return nil, errors.New("contains a number that is malformed or out of range")
	}
	return n, nil
}

// equal compares two normalized values as JSON values: numbers by value, and
// objects regardless of the order of their members.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	}
	key, ok := scalar(b)
	if !ok {
		return false
	}
	want, _ := scalar(a)
	return want == key
}

// scalar returns a comparable stand-in for a normalized scalar. Two stand-ins
// are equal if and only if the scalars are the same JSON value. Arrays and
// objects have none.
func scalar(v any) (any, bool) {
	switch v := v.(type) {
	case []any, map[string]any:
		return nil, false
	case json.Number:
		n, ok := parseNumber(string(v))
		return n, ok
	}
	return v, true
}

func copyClaims(claims map[string]any) map[string]any {
	if claims == nil {
		return nil
	}
	copied := make(map[string]any, len(claims))
	for name, value := range claims {
		copied[name] = copyValue(value)
	}
	return copied
}

func copyValues(values []any) []any {
	copied := slices.Clone(values)
	for i, value := range copied {
		copied[i] = copyValue(value)
	}
	return copied
}

func copyValue(v any) any {
	switch v := v.(type) {
	case []any:
		return copyValues(v)
	case map[string]any:
		return copyClaims(v)
	}
	return v
}
