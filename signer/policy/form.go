package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formChecks look at a request by itself, in the order in which their refusals count.
var formChecks = []struct {
	name  string
	check func(*Request) *Refusal
	want  string // for people
	have  func(*Request) string
}{
	{
		name:  "claim names",
		check: func(req *Request) *Refusal { return checkReserved(sortedNames(req.Claims)) },
		want:  "none of " + strings.Join(registered, ", "),
		have:  func(req *Request) string { return enumerate(sortedNames(req.Claims)) },
	},
	{
		name:  "claim values",
		check: checkClaimForm,
		want:  fmt.Sprintf("each JSON of at most %d levels", MaxDepth),
		have:  func(req *Request) string { return strconv.Itoa(len(req.Claims)) },
	},
	{
		name:  "audience",
		check: checkAudienceForm,
		want:  fmt.Sprintf("at most %d bytes", MaxAudience),
		have:  func(req *Request) string { return fmt.Sprintf("%d bytes", len(req.Audience)) },
	},
	{
		name:  "lifetime",
		check: checkLifetimeForm,
		want:  "whole seconds, at least 1, or none",
		have:  func(req *Request) string { return formatLifetime(req.Lifetime) },
	},
}

func checkReserved(names []string) *Refusal {
	for _, name := range names {
		if isRegistered(name) {
			return refuse(ClaimReserved, "claim %s is set by assertd alone, and no other spelling of it is taken; leave it out", clip(name))
		}
	}
	return nil
}

func checkClaimForm(req *Request) *Refusal {
	_, refusal := normalizeClaims(sortedNames(req.Claims), req.Claims)
	return refusal
}

// normalizeClaims copies what claims can be normalized, and refuses the first that can't.
func normalizeClaims(names []string, claims map[string]any) (map[string]any, *Refusal) {
	if len(claims) == 0 {
		return nil, nil
	}
	normal := make(map[string]any, len(claims))
	var first *Refusal
	for _, name := range names {
		value, err := normalize(claims[name], MaxDepth)
		switch {
		case err == nil:
			normal[name] = value
		case first == nil:
			first = refuse(ClaimNotAllowed, "claim %s %v; send a plain JSON value of at most %d levels", clip(name), err, MaxDepth)
		}
	}
	return normal, first
}

func checkAudienceForm(req *Request) *Refusal {
	if len(req.Audience) > MaxAudience {
		return refuse(AudienceNotAllowed, "the audience has %d bytes; at most %d are allowed", len(req.Audience), MaxAudience)
	}
	if !utf8.ValidString(req.Audience) {
		return refuse(AudienceNotAllowed, "the audience is not UTF-8; send it exactly as the grant has it")
	}
	return nil
}

func checkLifetimeForm(req *Request) *Refusal {
	if req.Lifetime != 0 && !isLifetime(req.Lifetime) {
		return refuse(LifetimeNotAllowed, "a lifetime of %v is not possible; ask for whole seconds, at least 1, or leave it out for the grant's default",
			req.Lifetime)
	}
	return nil
}
