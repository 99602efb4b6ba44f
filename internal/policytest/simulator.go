package policytest

import (
	"errors"
	"fmt"
	"io"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// Simulator answers requests as the daemon would with one configuration, up to
// the signature: without an HSM, a socket, budgets or records. It is not safe
// for concurrent use.
type Simulator struct {
	config   *config.Config
	policy   *policy.Policy
	accounts *namedAccounts
}

// OpenSimulator reads the configuration at path. Users and groups that this
// machine doesn't have get IDs that no account has, and it doesn't matter who
// can write the file: nothing is signed here, and a checkout in CI neither
// belongs to root nor has production's users.
func OpenSimulator(path string) (*Simulator, error) {
	file, err := trustpath.Regular(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", withExample(err, "examples/config/minimal.yaml"))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, config.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return newSimulator(path, data)
}

// newSimulator reads a configuration from data; name stands for it in errors.
func newSimulator(name string, data []byte) (*Simulator, error) {
	accounts := nameAccounts(config.StandIns())
	c, err := config.Parse(name, data, config.WithAccounts(accounts))
	if err != nil {
		return nil, err
	}
	p, err := policy.New(c.PolicyClients())
	if err != nil {
		return nil, err
	}
	return &Simulator{config: c, policy: p, accounts: accounts}, nil
}

// Simulation is how the daemon would answer a request for an assertion.
type Simulation struct {
	policy.Explanation           // its Refusal is the profile's if policy has none
	Assertion          Assertion // empty if the request is refused
}

// Assert answers a request for an assertion. An error means that the daemon
// could not answer it either.
func (s *Simulator) Assert(caller caller.Caller, req policy.Request) (Simulation, error) {
	result := Simulation{Explanation: s.policy.Explain(caller, req)}
	if result.Refusal != nil {
		return result, nil
	}
	assertion, err := s.assertion(result.Grant)
	if result.Refusal = refusalOf(err); result.Refusal != nil {
		return result, nil
	}
	result.Assertion = assertion
	return result, err
}

// Sign answers a request for a raw signature. The error is a
// *policy.Refusal.
func (s *Simulator) Sign(caller caller.Caller, req policy.RawRequest) (policy.RawGrant, error) {
	return s.policy.DecideRaw(caller, req)
}

// profileReasons are the codes for a profile's errors about a caller's claim.
var profileReasons = []struct {
	kind   error
	reason policy.Reason
}{
	{profile.ErrClaimReserved, policy.ClaimReserved},
	{profile.ErrClaimNotAllowed, policy.ClaimNotAllowed},
	{profile.ErrClaimRequired, policy.ClaimRequired},
}

// refusalOf returns the refusal that the caller gets for a profile's error.
func refusalOf(err error) *policy.Refusal {
	for _, row := range profileReasons {
		if errors.Is(err, row.kind) {
			return &policy.Refusal{Code: row.reason, Detail: err.Error()}
		}
	}
	return nil
}
