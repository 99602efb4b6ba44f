package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// ParseClaims decodes the values of a request's claims. Numbers stay as they
// are written. It refuses nothing but what is not JSON.
func ParseClaims(texts map[string]json.RawMessage) (map[string]any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	claims := make(map[string]any, len(texts))
	for name, text := range texts {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("the value of claim %q is not JSON: %w", name, err)
		}
		claims[name] = value
	}
	return claims, nil
}

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
