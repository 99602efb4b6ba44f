package strictyaml

import (
	"regexp"
	"strconv"
	"strings"
)

// hiddenText replaces text that is, or could be, a secret.
const hiddenText = "[hidden]"

// secretWords are parts of keys that name a secret in any file.
var secretWords = []string{"passw", "passphrase", "secret"}

// secretKey finds a secret's key in text that didn't parse as YAML. It is a
// second net under secretRegions.
var secretKey = regexp.MustCompile(`(?i)(pin|passw\w*|passphrase|secret)["']?\s*:`)

// namesSecret reports whether values under a key of this name are hidden.
// secrets are the words of the file's own rules.
func namesSecret(key string, secrets []string) bool {
	key = strings.ToLower(key)
	for _, words := range [][]string{secretWords, secrets} {
		for _, word := range words {
			if strings.Contains(key, word) {
				return true
			}
		}
	}
	return strings.HasPrefix(key, "pin") || strings.HasSuffix(key, "pin")
}

// Quote quotes a value of the file for a message. The result is one short line
// and never contains anything that looks like a PIN.
func Quote(s string) string {
	const most = 60
	if secretKey.MatchString(s) {
		return hiddenText
	}
	if runes := []rune(s); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(s)
}

// region is a part of the file, from its first place up to but not including
// its last.
type region struct{ from, to place }

// secretRegions lists the parts of the file that hold values of secret nodes. A
// region ends where the next node starts, so it covers quotes, comments and
// every line of a long value.
func secretRegions(root *node) []region {
	var regions []region
	open := false
	root.walk(func(at place, secret bool) {
		switch {
		case secret && !open:
			regions = append(regions, region{from: at, to: place{line: int(^uint(0) >> 1)}})
		case !secret && open:
			regions[len(regions)-1].to = at
		}
		open = secret
	})
	return regions
}
