package policy

import (
	"strconv"
	"strings"
)

// maxExponent bounds a number's exponent. It is far beyond what any receiver
// can read, and keeps sums of exponents from overflowing.
const maxExponent = 1_000_000_000

// number is a JSON number (RFC 8259 section 6) in canonical form, so that equal
// numbers compare equal: digits × 10^exponent, where digits neither start nor
// end with a zero. Unlike a float it loses no digits, and unlike a big.Rat it
// takes no memory for 1e999999999.
type number struct {
	negative bool
	digits   string
	exponent int
}

// parseNumber parses s, which must be a JSON number and nothing else.
func parseNumber(s string) (number, bool) {
	s, negative := strings.CutPrefix(s, "-")
	mantissa, power, scientific := cutExponent(s)
	whole, fraction, point := strings.Cut(mantissa, ".")
	if !isInteger(whole) || point && !isDigits(fraction) {
		return number{}, false
	}
	exponent, ok := 0, true
	if scientific {
		exponent, ok = parseExponent(power)
	}
	if !ok || len(fraction) > maxExponent {
		return number{}, false
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return number{}, true // -0 and 0e5 are 0
	}
	significant := strings.TrimRight(digits, "0")
	return number{negative, significant, exponent - len(fraction) + len(digits) - len(significant)}, true
}

func cutExponent(s string) (mantissa, power string, found bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func parseExponent(s string) (int, bool) {
	digits := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		digits = s[1:]
	}
	if !isDigits(digits) {
		return 0, false
	}
	exponent, err := strconv.Atoi(s)
	return exponent, err == nil && -maxExponent <= exponent && exponent <= maxExponent
}

// isInteger reports whether s is digits without a superfluous leading zero.
func isInteger(s string) bool {
	return isDigits(s) && (len(s) == 1 || s[0] != '0')
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
