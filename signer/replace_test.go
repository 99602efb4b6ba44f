package signer_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/signer/policy"
)

func TestReplaceChangesTheNextDecision(t *testing.T) {
	s, _ := newSigner(t, "ES256")
	none, err := policy.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Assert(context.Background(), known, policy.Request{}); err != nil {
		t.Fatal(err)
	}
	s.Replace(none, func() {})
	if _, err := s.Assert(context.Background(), known, policy.Request{}); !errors.Is(err, &policy.Refusal{Code: policy.UnknownCaller}) {
		t.Errorf("error %v, want unknown caller", err)
	}
}

// TestReplaceIsAllOrNothing: a policy never meets the keys and budgets of
// another one, however many requests come while both are replaced.
func TestReplaceIsAllOrNothing(t *testing.T) {
	s, p := newSigner(t, "ES256")
	policies := []*policy.Policy{s.CurrentPolicy(), otherSet(t)}
	keys := []keyset.Key{p.key, p.key}
	keys[1].Set = "other"
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				if _, err := s.Assert(context.Background(), known, policy.Request{Grant: "bank"}); err != nil {
					t.Errorf("a request failed while the policy was replaced: %v", err)
					return
				}
			}
		})
	}
	for i := range 200 {
		next := (i + 1) % 2
		s.Replace(policies[next], func() { p.key = keys[next] })
	}
	callers.Wait()
}
