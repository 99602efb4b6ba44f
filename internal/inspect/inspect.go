// Package inspect reads the keys on the tokens without serving anyone, for
// assertd check and the commands that print public keys.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/signer"
)

// Inspection describes the keys on the tokens, read without serving anyone.
type Inspection struct {
	Findings []keyset.Finding // every pair that belongs to a key set
	Ring     *keyset.Ring     // of those that can be used

	unread   error // why tokens can't be used, nil if all were read
	pool     *pool.Pool
	expected Expected
}

// Expected is what the configuration says about the keys.
type Expected struct {
	Sets          []keyset.Set
	CheckpointKey string // the key set that signs the audit log's checkpoints; empty for none
	Origin        string // of the audit log, in its checkpoints
	Now           func() time.Time
}

// Tokens opens the tokens, passes their keys to visit, and closes them again.
// It returns an error if no token can be used. Problems of single tokens and
// keys are in the Inspection.
func Tokens(ctx context.Context, tokens pool.Config, e Expected, visit func(context.Context, *Inspection) error) error {
	tokens.Workers = 1
	workers, err := pool.New(tokens)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- workers.Run(ctx) }()
	defer func() { stop(); <-ended }()
	i := &Inspection{pool: workers, expected: e, unread: workers.WaitAll(ctx)}
	held := keyset.Holdings{Unread: workers.Unread(), Pairs: workers.Pairs()}
	if i.unread != nil && (ctx.Err() != nil || len(held.Unread) == len(tokens.Tokens)) {
		return i.unread
	}
	i.Findings = keyset.Survey(e.Sets, held.Pairs)
	i.Ring = keyset.New(e.Sets, held, nil, e.Now)
	return visit(ctx, i)
}

// JWKS is the public set that the daemon would serve. It is an error if a key
// pair is left out of it: a file for receivers must not lack a key unnoticed.
func (i *Inspection) JWKS() (jwks.Set, error) {
	if err := i.refused(); err != nil {
		return jwks.Set{}, err
	}
	keys, _ := i.Ring.Published(i.Ring.AssertionSets()...)
	return jwks.NewSet(keys)
}

// Bundle is the SPIFFE bundle of the key sets that sign JWT-SVIDs, without a
// refresh hint. The errors are those of JWKS.
func (i *Inspection) Bundle(sets []string) ([]byte, error) {
	if err := i.refused(); err != nil {
		return nil, err
	}
	keys, _ := i.Ring.Published(sets...)
	set, err := jwks.NewSet(keys)
	if err != nil {
		return nil, err
	}
	return set.Bundle(0)
}

// refused returns why tokens, key pairs or key sets are not used.
func (i *Inspection) refused() error {
	problems := []error{i.unread}
	for _, set := range i.Ring.Sets() {
		problems = append(problems, i.Ring.Problems(set.Name)...)
	}
	return errors.Join(problems...)
}

// Prove makes one signature with a key and verifies it with the public half.
func (i *Inspection) Prove(ctx context.Context, key keyset.Key) error {
	return signer.Prove(ctx, i.pool, key)
}

// Missing returns why tokens, key pairs and key sets would not be used, and the
// certificates that receivers reject.
func (i *Inspection) Missing() error {
	return errors.Join(slices.Concat([]error{i.unread}, i.Ring.Missing(), i.Ring.Certificates(0), i.Ring.Uncertified())...)
}

// CheckpointKeys are the public keys of every version that signs, has signed or
// will sign the checkpoints of the audit log, each in the text form that
// audit.ParseVerifier reads.
func (i *Inspection) CheckpointKeys() ([]string, error) {
	if i.expected.CheckpointKey == "" {
		return nil, errors.New("the configuration has no audit.checkpoint_key, so the log has no signed checkpoints")
	}
	set := i.expected.CheckpointKey
	if err := errors.Join(append(i.Ring.Problems(set), i.unread)...); err != nil {
		return nil, err
	}
	plan, _ := i.Ring.Plan(set)
	var keys []string
	for _, version := range plan.Versions {
		key, _ := i.Ring.Key(set, version.Kid)
		text, err := audit.VerifierKey(i.expected.Origin, key.Public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, text)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: the tokens hold no version of key set %q", keyset.ErrNoKey, set)
	}
	return keys, nil
}
