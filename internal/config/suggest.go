package config

import "strings"

// nearest returns the word that somebody who wrote s most likely meant, or ""
// where none is near.
func nearest(s string, words []string) string {
	best, least := "", len(s)/3+2
	if len(s) < 3 {
		least = 1
	}
	for _, w := range words {
		d := distance(normal(s), normal(w))
		if abbreviates(normal(s), normal(w)) || abbreviates(normal(w), normal(s)) {
			d = 1
		}
		if d < least {
			best, least = w, d
		}
	}
	return best
}

// abbreviates reports whether a is the beginning of b, as alg of algorithm.
func abbreviates(a, b string) bool { return len(a) >= 3 && strings.HasPrefix(b, a) }

// normal takes the differences away that are no mistake in spelling.
func normal(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance is the least number of letters to insert, delete or replace that
// turns a into b (Levenshtein). Long words are not compared.
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
