package main

import (
	"regexp"
	"strings"
)

// dashedKid matches a kid that looks like a flag: one base64url thumbprint in
// 64 begins with a hyphen.
var dashedKid = regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`)

// nameKids prefixes such kids in the arguments of key commands with "kid:", so
// that people can paste what assertd key list prints.
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

// bareKids removes the prefix.
func bareKids(kids []string) []string {
	bare := make([]string, 0, len(kids))
	for _, kid := range kids {
		bare = append(bare, strings.TrimPrefix(kid, "kid:"))
	}
	return bare
}
