package profile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/assertd/assertd/internal/uri"
)

// Each function in this file checks a claim's value and returns it as it goes
// into the assertion. The errors follow "The value", and never contain it.

var errNotString = errors.New("is not a string, or is empty")

func nonEmptyString(value any) (any, error) {
	if s, ok := value.(string); !ok || s == "" {
		return nil, errNotString
	}
	return value, nil
}

func oneOf(values ...string) func(any) (any, error) {
	return func(value any) (any, error) {
		if s, ok := value.(string); !ok || !slices.Contains(values, s) {
			return nil, fmt.Errorf("is not %s", strings.Join(values, " or "))
		}
		return value, nil
	}
}

// matchPattern accepts a string that matches a pattern.
func matchPattern(value any, pattern *regexp.Regexp) (any, error) {
	if s, ok := value.(string); !ok || !pattern.MatchString(s) {
		return nil, errors.New("has a different format")
	}
	return value, nil
}

var (
	methodPattern = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)
	hashPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	// noncePattern is 1*NQCHAR (RFC 9449 section 8.1) with a maximum length.
	noncePattern       = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,512}$`)
	requestLinePattern = regexp.MustCompile(`^[A-Z]+ [A-Za-z0-9.-]+(:[0-9]+)?/[\x21-\x7e]*$`)
)

func httpMethod(value any) (any, error)  { return matchPattern(value, methodPattern) }
func tokenHash(value any) (any, error)   { return matchPattern(value, hashPattern) }
func serverNonce(value any) (any, error) { return matchPattern(value, noncePattern) }

// targetURI returns htu: the URL without query and fragment (RFC 9449 section
// 4.2), in its normal form, which receivers should compare (section 4.3).
func targetURI(value any) (any, error) {
	s, ok := value.(string)
	if !ok {
		return nil, errNotString
	}
	bare := s
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		bare = s[:i]
	}
	if strings.ContainsFunc(bare, notPrintable) {
		return nil, errors.New("contains a space or a control character")
	}
	if _, err := absoluteURL(bare); err != nil {
		return nil, err
	}
	normal, err := uri.Normalize(bare)
	if err != nil {
		return nil, err
	}
	return normal, nil
}

// listOf checks every element of a list that must not be empty.
func listOf(value any, check func(any) (any, error)) (any, error) {
	elements, ok := value.([]any)
	if !ok || len(elements) == 0 {
		return nil, errors.New("is not a list, or is empty")
	}
	for i, element := range elements {
		if _, err := check(element); err != nil {
			return nil, fmt.Errorf("has an element at index %d that %w", i, err)
		}
	}
	return value, nil
}

func stringList(value any) (any, error) { return listOf(value, nonEmptyString) }

func requestLines(value any) (any, error) {
	return listOf(value, func(element any) (any, error) { return matchPattern(element, requestLinePattern) })
}
