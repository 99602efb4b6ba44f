package signer_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// Each scope of a freeze stops assertions and raw signatures, costs the caller
// nothing, and ends when it is thawed.
func TestFrozen(t *testing.T) {
	grants := map[string]string{"assertion": "bank", "raw": "tls"}
	for kind, request := range requests {
		for name, test := range map[string]struct {
			target ipc.FreezeTarget
			covers bool
		}{
			"everything":       {ipc.FreezeTarget{All: true}, true},
			"the client":       {ipc.FreezeTarget{Client: "payments-api"}, true},
			"the grant":        {ipc.FreezeTarget{Client: "payments-api", Grant: grants[kind]}, true},
			"the key set":      {ipc.FreezeTarget{Key: "payments"}, true},
			"another client":   {ipc.FreezeTarget{Client: "payments"}, false},
			"another grant":    {ipc.FreezeTarget{Client: "payments-api", Grant: "other"}, false},
			"another's grant":  {ipc.FreezeTarget{Client: "other", Grant: grants[kind]}, false},
			"another key set":  {ipc.FreezeTarget{Key: "payments-api"}, false},
			"nothing at all":   {ipc.FreezeTarget{}, false},
			"an unknown scope": {ipc.FreezeTarget{Client: "payments-api", Key: "payments"}, false},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				s, p := newSigner(t, "ES256")
				s.Freeze(signer.Frozen{test.target: true})
				err := request(s, t.Context())
				if !test.covers {
					if err != nil {
						t.Errorf("refused: %v", err)
					}
					return
				}
				checkFrozen(t, err, p.record(t))
				if p.signed != 0 || len(p.spent()) != 0 || p.inFlight() {
					t.Errorf("%d signatures, spent %v", p.signed, p.spent())
				}
				s.Freeze(nil)
				if err := request(s, t.Context()); err != nil {
					t.Errorf("thawed: %v", err)
				}
			})
		}
	}
}

func checkFrozen(t *testing.T, err error, record audit.Record) {
	t.Helper()
	var problem *ipc.Problem
	if !errors.As(signer.ProblemOf(err), &problem) || problem.Code != ipc.CodeFrozen || problem.Status != 403 || problem.RetryAfter() != 0 ||
		!strings.HasPrefix(problem.Detail, "The operators of assertd have frozen ") {
		t.Errorf("answered %+v for %v", problem, err)
	}
	if record.Outcome != audit.OutcomeRefused || record.Code != "frozen" || record.Client != "payments-api" || record.Grant == "" {
		t.Errorf("record %+v", record)
	}
}

// meanwhile does something while the HSM signs.
type meanwhile struct {
	*parts
	do func()
}

func (m *meanwhile) Sign(ctx context.Context, set string, key [32]byte, digest []byte, opts crypto.SignerOpts, verify func([]byte) error) ([]byte, error) {
	m.do()
	return m.parts.Sign(ctx, set, key, digest, opts, verify)
}

// Once Freeze has returned, a request that the HSM is signing is not released,
// and its budgets are given back.
func TestFreezeStopsRequestsInFlight(t *testing.T) {
	for kind, request := range requests {
		t.Run(kind, func(t *testing.T) {
			hsm := &meanwhile{}
			s, p := newSigner(t, "ES256", func(o *signer.Options) { hsm.parts = o.HSM.(*parts); o.HSM = hsm })
			hsm.do = func() { s.Freeze(signer.Frozen{{Client: "payments-api"}: true}) }
			checkFrozen(t, request(s, t.Context()), p.record(t))
			if p.signed != 1 || len(p.spent()) != 0 {
				t.Errorf("%d signatures, spent %v", p.signed, p.spent())
			}
		})
	}
}

// A caller that policy refuses does not learn from its answer what is frozen.
func TestPolicyRefusesBeforeAFreeze(t *testing.T) {
	s, p := newSigner(t, "ES256")
	s.Freeze(signer.Frozen{{All: true}: true})
	_, err := s.Sign(t.Context(), unknown, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: make([]byte, 32)})
	if r := p.record(t); err == nil || r.Code != "unknown-caller" {
		t.Errorf("%v, record %+v", err, r)
	}
}
