// Package dryrun answers requests as the daemon would, up to the signature:
// by the policy and the profiles of a configuration, without an HSM, a socket,
// budgets or records. It is behind "assertd explain" and "assertd policy test".
package dryrun

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// Desk answers requests by one configuration. It is not safe for concurrent
// use.
type Desk struct {
	config   *config.Config
	policy   *policy.Policy
	accounts config.Accounts
}

// Open reads the configuration at path. Users and groups that this machine
// lacks get numbers that no account has, and who may write the file is not
// looked at: nothing is signed by it here, and a check-out in CI is neither
// root's nor has it production's users.
func Open(path string) (*Desk, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, config.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return New(path, data)
}

// New makes a Desk of a configuration's text; name stands for it in errors.
func New(name string, data []byte) (*Desk, error) {
	accounts := config.StandIns()
	c, err := config.Parse(name, data, config.WithAccounts(accounts))
	if err != nil {
		return nil, err
	}
	p, err := policy.New(c.PolicyClients())
	if err != nil {
		return nil, err
	}
	return &Desk{config: c, policy: p, accounts: accounts}, nil
}

// Answer is what the daemon would say to a request for an assertion.
type Answer struct {
	policy.Explanation           // its Refusal is the profile's where policy has none
	Assertion          Assertion // empty where the request is refused
}

// Ask answers a request for an assertion. An error means that the daemon could
// not answer either.
func (d *Desk) Ask(caller caller.Caller, req policy.Request) (Answer, error) {
	a := Answer{Explanation: d.policy.Explain(caller, req)}
	if a.Refusal != nil {
		return a, nil
	}
	assertion, err := d.assertion(a.Grant)
	if a.Refusal = refusalOf(err); a.Refusal != nil {
		return a, nil
	}
	a.Assertion = assertion
	return a, err
}

// AskRaw answers a request for a raw signature. The error is a
// *policy.Refusal.
func (d *Desk) AskRaw(caller caller.Caller, req policy.RawRequest) (policy.RawGrant, error) {
	return d.policy.DecideRaw(caller, req)
}

// profileReasons are the codes of what a profile has against a caller's claim.
var profileReasons = []struct {
	kind   error
	reason policy.Reason
}{
	{profile.ErrClaimReserved, policy.ClaimReserved},
	{profile.ErrClaimNotAllowed, policy.ClaimNotAllowed},
	{profile.ErrClaimRequired, policy.ClaimRequired},
}

// refusalOf gives the refusal that a profile's error is to the caller.
func refusalOf(err error) *policy.Refusal {
	for _, row := range profileReasons {
		if errors.Is(err, row.kind) {
			return &policy.Refusal{Code: row.reason, Detail: err.Error()}
		}
	}
	return nil
}
