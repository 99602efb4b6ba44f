package main

import (
	"regexp"
	"strings"
)

// dashedKid is a kid that looks like a flag: a thumbprint in base64url begins
// with a hyphen once in 64.
var dashedKid = regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`)

// nameKids puts "kid:" before such kids in the arguments of the key commands, so
// that people can paste what assertd key list shows.
func nameKids(args []string) []string {
	if len(args) == 0 || args[0] != "key" {
		return args
	}
	named := make([]string, 0, len(args))
	for _, arg := range args {
		if dashedKid.MatchString(arg) {
			arg = "kid:" + arg
		}
		named = append(named, arg)
	}
	return named
}

// bareKids undoes it.
func bareKids(kids []string) []string {
	bare := make([]string, 0, len(kids))
	for _, kid := range kids {
		bare = append(bare, strings.TrimPrefix(kid, "kid:"))
	}
	return bare
}
