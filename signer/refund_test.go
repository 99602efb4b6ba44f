package signer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// What was not signed is not spent: a request that fails by the daemon's fault
// gives its budgets back. One whose caller left does not.
func TestFailuresOfTheDaemonSpendNothing(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	leave()
	hsm := func(why error) func(*parts) {
		return func(p *parts) { p.hsmErr = why }
	}
	for name, test := range map[string]struct {
		ctx   context.Context
		fault func(*parts)
		spent bool
	}{
		"signed":                             {context.Background(), func(*parts) {}, true},
		"HSM unavailable":                    {context.Background(), hsm(errInjected), false},
		"overloaded":                         {context.Background(), hsm(signer.ErrOverloaded), false},
		"HSM timeout":                        {context.Background(), hsm(signer.ErrTimeout), false},
		"request timeout":                    {context.Background(), hsm(context.DeadlineExceeded), false},
		"audit unavailable":                  {context.Background(), func(p *parts) { p.auditErr = errInjected }, false},
		"caller left":                        {ctx, hsm(context.Canceled), true},
		"caller left an HSM that failed":     {ctx, hsm(errInjected), true},
		"caller left, and nothing is logged": {ctx, func(p *parts) { p.hsmErr, p.auditErr = context.Canceled, errInjected }, true},
	} {
		for kind, request := range requests {
			t.Run(name+", "+kind, func(t *testing.T) {
				s, p := newSigner(t, "ES256")
				test.fault(p)
				if err := request(s, test.ctx); (err == nil) != (name == "signed") {
					t.Fatalf("error %v", err)
				}
				if spent := p.spent(); (len(spent) == 2) != test.spent || len(spent) == 1 {
					t.Errorf("spent %v, want something: %v", spent, test.spent)
				}
			})
		}
	}
}

var requests = map[string]func(*signer.Signer, context.Context) error{
	"assertion": func(s *signer.Signer, ctx context.Context) error {
		_, err := s.Assert(ctx, known, policy.Request{})
		return err
	},
	"raw": func(s *signer.Signer, ctx context.Context) error {
		_, err := s.Sign(ctx, known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: make([]byte, 32)})
		return err
	},
}

// A refund gives back one request, and nothing that others took meanwhile.
func TestRefundLeavesTheOthersBudgetsSpent(t *testing.T) {
	s, p := newSigner(t, "ES256")
	for i := range 10 {
		p.hsmErr = nil
		if i%2 == 1 {
			p.hsmErr = fmt.Errorf("%w: away", errInjected)
		}
		_, err := s.Assert(t.Context(), known, policy.Request{})
		if (err != nil) != (p.hsmErr != nil) {
			t.Fatal(err)
		}
	}
	for _, name := range []string{signer.GrantBudget("payments-api", "bank"), signer.KeyBudget("payments")} {
		if left := p.limiter.Left(epoch, name)[0].Remaining; left != budgetLimit-5 {
			t.Errorf("%s has %d left after 5 signatures of %d", name, left, budgetLimit)
		}
	}
	if want := []string{"grant/payments-api/bank", "key/payments"}; !slices.Equal(p.spent(), want) {
		t.Errorf("spent %q, want %q", p.spent(), want)
	}
}
