//go:build !race

package signer_test

import (
	"testing"

	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/test/allocs"
)

// An assertion, with the signature of a double and its verification.
func TestAllocations(t *testing.T) {
	s, p := newSigner(t, "EdDSA")
	allocs.AtMost(t, 76, func() {
		p.records = p.records[:0]
		if _, err := s.Assert(t.Context(), known, policy.Request{Grant: "bank"}); err != nil {
			t.Fatal(err)
		}
	})
}
