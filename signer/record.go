package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// The kinds of record.
const (
	KindAssertion = "assertion"
	KindRaw       = "raw"
)

// Record is what the audit log is told of one decision. It never holds the
// assertion, and of claims it holds names, and values only where the grant
// marks them loggable.
type Record struct {
	Time     time.Time
	Decided  time.Time // when policy and limits had decided; what is left is to sign
	Kind     string
	Caller   caller.Caller
	Client   string
	Grant    string
	Key      string
	Kid      string
	Profile  string
	Audience string
	JTI      string
	Hash     string // of a raw signature, as the next two
	Padding  string
	Digest   []byte
	Lifetime time.Duration
	Claims   []string
	Loggable map[string]any
	Err      error // nil where allowed; else why not
	Latency  time.Duration
}

// release writes the record of a decision and then, only then, lets its
// outcome pass.
func (s *Signer) release(ctx context.Context, rec *Record, outcome error) error {
	rec.Err = outcome
	rec.Latency = s.now().Sub(rec.Time)
	if err := s.recorder.Record(ctx, *rec); err != nil {
		return fmt.Errorf("%w: %w", ErrAudit, err)
	}
	return outcome
}

// refusal notes whom a refusal is about, which the caller is not told.
func (r *Record) refusal(err error) {
	var refused *policy.Refusal
	if !errors.As(err, &refused) {
		return
	}
	r.Client = refused.Client
	if refused.Grant != "" {
		r.Grant = refused.Grant
	}
}

// What a record holds of the claim names of a refused request: enough to see
// what was tried, and so little that no caller can make a record too long.
const (
	maxAskedNames = 64
	maxAskedName  = 128 // bytes
)

// asked notes what policy refused. Names alone: the values are the caller's, and
// no grant says that they may be logged.
func (r *Record) asked(req policy.Request) {
	r.Lifetime = req.Lifetime
	for name := range req.Claims {
		r.Claims = append(r.Claims, clip(name))
	}
	slices.Sort(r.Claims)
	r.Claims = r.Claims[:min(len(r.Claims), maxAskedNames)]
}

func clip(name string) string {
	if len(name) <= maxAskedName {
		return name
	}
	return strings.ToValidUTF8(name[:maxAskedName], "") + "…"
}

func (r *Record) grant(g policy.Grant) {
	r.Client, r.Grant, r.Key, r.Profile = g.Client(), g.Name(), g.Key(), g.Profile()
	r.Audience, r.Lifetime = g.Audience(), g.Lifetime()
	claims := g.Claims()
	for name := range claims {
		r.Claims = append(r.Claims, name)
	}
	slices.Sort(r.Claims)
	for _, name := range g.Loggable() {
		if value, ok := claims[name]; ok {
			if r.Loggable == nil {
				r.Loggable = make(map[string]any)
			}
			r.Loggable[name] = value
		}
	}
}
