package main

import (
	"maps"
	"slices"
	"testing"
)

// TestStartupIsNotOnThePath: one run published the JWKS more often while it
// started, which ran a block for each character of each kid.
func TestStartupIsNotOnThePath(t *testing.T) {
	request, kid := block{file: "signer/assert.go"}, block{file: "jwks/key.go"}
	const few, many, characters = warmUp, warmUp + requests, 43
	path := inEachRequest(
		[]map[block]int{{request: few, kid: 2 * characters}, {request: few, kid: 3 * characters}},
		[]map[block]int{{request: many, kid: 5 * characters}, {request: many, kid: 3 * characters}},
	)
	if files := slices.Collect(maps.Keys(path)); !slices.Equal(files, []string{request.file}) {
		t.Errorf("on the path: %v", files)
	}
}
