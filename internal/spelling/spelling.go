// Package spelling finds the name that somebody meant.
package spelling

import (
	"slices"
	"strings"
)

// DidYouMean returns advice about a name that isn't known: the known name that
// its author most likely meant, or else the names to choose from.
func DidYouMean(name string, known []string) string {
	slices.Sort(known)
	if near := Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "none exists yet"
	}
	const most = 10
	list := known
	if len(list) > most {
		list = append(slices.Clone(list[:most]), "…")
	}
	return "existing names: " + strings.Join(list, ", ")
}

// Nearest returns the word that the author of s most likely meant, or "" if
// none is close.
func Nearest(s string, words []string) string {
	best, least, letters := "", len(s)/3+2, 0
	if len(s) < 3 {
		least = 1
	}
	for _, w := range words {
		d := distance(normal(s), normal(w))
		closeness := d
		if abbreviates(normal(s), normal(w)) || abbreviates(normal(w), normal(s)) {
			closeness = 1
		}
		if closeness < least || best != "" && closeness == least && d < letters {
			best, least, letters = w, closeness, d
		}
	}
	return best
}

// abbreviates reports whether b starts with a, as algorithm does with alg.
func abbreviates(a, b string) bool { return len(a) >= 3 && strings.HasPrefix(b, a) }

// normal removes differences that are not spelling mistakes.
func normal(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance returns the smallest number of letters to insert, delete or replace
// that turns a into b (Levenshtein). It doesn't compare long words.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 40
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
