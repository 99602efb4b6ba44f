package policytest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/signer/policy"
)

// Result is the result of one case.
type Result struct {
	Name string
	Line int // of the case in its file
	// Diff is empty if the case passed. Otherwise its lines start with - for
	// what was expected and with + for what happened.
	Diff []string
	// Explanation is every rule that was checked; nil for raw signatures.
	Explanation Explanation
}

// Explanation is a *policy.Explanation or *policy.KubernetesExplanation.
type Explanation interface {
	Outcome() string
	Text(all bool) string
}

// Run runs the cases in order.
func (s *Suite) Run() []Result {
	results := make([]Result, len(s.cases))
	for i, c := range s.cases {
		results[i] = s.run(c)
	}
	return results
}

func (s *Suite) run(c loadedCase) Result {
	result := Result{Name: c.Name, Line: c.line}
	var got outcome
	switch c.Request.kind() {
	case podToken:
		got, result.Explanation = s.kubernetes(c)
	case rawSignature:
		got = s.sign(c)
	default:
		got, result.Explanation = s.assert(c)
	}
	result.Diff = c.Expect.diff(got)
	return result
}

// outcome is what happened to a request: facts if it was allowed, or a code.
type outcome struct {
	refused string // a code, or "failed"
	detail  string
	facts   []fact
}

// fact is one thing that a case can expect, as text.
type fact struct{ name, text string }

func (s *Suite) assert(c loadedCase) (outcome, *policy.Explanation) {
	got, err := s.simulator.Assert(c.caller, policy.Request{
		Grant: c.Request.Grant, Audience: c.Request.Audience, Claims: c.Request.Claims, Lifetime: c.Request.Lifetime.Std(),
	})
	switch {
	case err != nil:
		return outcome{refused: "failed", detail: err.Error()}, &got.Explanation
	case got.Refusal != nil:
		return refusal(got.Refusal), &got.Explanation
	}
	return outcome{facts: assertionFacts(got)}, &got.Explanation
}

func (s *Suite) kubernetes(c loadedCase) (outcome, *policy.KubernetesExplanation) {
	got, err := s.simulator.Kubernetes(c.caller, *c.Request.Kubernetes)
	switch {
	case err != nil:
		return outcome{refused: "failed", detail: err.Error()}, &got.KubernetesExplanation
	case got.Refusal != nil:
		return refusal(got.Refusal), &got.KubernetesExplanation
	}
	g, claims := got.Grant, got.Token.Claims
	return outcome{facts: []fact{
		{"client", g.Client()}, {"grant", g.Name()}, {"key", g.Key()},
		{"issuer", text(claims["iss"])}, {"subject", text(claims["sub"])}, {"lifetime", got.Lifetime.String()},
	}}, &got.KubernetesExplanation
}

func refusal(r *policy.Refusal) outcome {
	return outcome{refused: string(r.Code), detail: r.Detail}
}

func assertionFacts(got Simulation) []fact {
	g, claims := got.Grant, got.Assertion.Claims
	facts := []fact{
		{"client", g.Client()}, {"grant", g.Name()}, {"key", g.Key()}, {"profile", g.Profile()},
		{"issuer", text(claims["iss"])}, {"subject", text(claims["sub"])}, {"audience", g.Audience()},
		{"lifetime", config.Duration(g.Lifetime()).String()},
	}
	var free []fact
	for name, value := range claims {
		if !slices.Contains(policy.Registered(), name) {
			free = append(free, claimFact(name, value))
		}
	}
	return append(facts, sorted(free)...)
}

// text returns a claim that is text, or "".
func text(value any) string {
	s, _ := value.(string)
	return s
}

func (s *Suite) sign(c loadedCase) outcome {
	r := c.Request.Raw
	grant, err := s.simulator.Sign(c.caller, policy.RawRequest(*r))
	var refused *policy.Refusal
	switch {
	case errors.As(err, &refused):
		return refusal(refused)
	case err != nil:
		return outcome{refused: "failed", detail: err.Error()}
	}
	return outcome{facts: []fact{
		{"client", grant.Client()}, {"grant", grant.Name()}, {"key", grant.Key()}, {"hash", grant.Hash()}, {"padding", grant.Padding()},
	}}
}

// String returns the outcome in the form of the test-case file.
func (o outcome) String() string {
	switch o.refused {
	case "":
		return "allow"
	case "failed":
		return fmt.Sprintf("failed (%s)", o.detail)
	}
	return fmt.Sprintf("refuse: %s (%s)", o.refused, o.detail)
}
