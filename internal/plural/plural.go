// Package plural writes numbers of things: 1 file, 2 files.
package plural

import "fmt"

// Of writes a number with its noun. The noun is in the singular and takes an s
// in the plural.
func Of[N ~int | ~int64 | ~uint | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Verb returns one of two forms that depend on a number, such as "is" and
// "are".
func Verb[N ~int | ~int64 | ~uint | ~uint64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
