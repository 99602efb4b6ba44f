package policytest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/signer/policy"
)

// Result is what came of one case.
type Result struct {
	Name string
	Line int // of the case in its file
	// Diff is empty where the case holds; else lines that begin with - for
	// what was expected and with + for what is.
	Diff []string
	// Explanation is every rule that was looked at; nil for raw signatures.
	Explanation *policy.Explanation
}

// Run runs the cases in their order.
func (s *Suite) Run() []Result {
	results := make([]Result, len(s.cases))
	for i, c := range s.cases {
		results[i] = s.run(c)
	}
	return results
}

func (s *Suite) run(c prepared) Result {
	result := Result{Name: c.Name, Line: c.line}
	var got outcome
	if c.Request.Raw != nil {
		got = s.raw(c)
	} else {
		got, result.Explanation = s.assertion(c)
	}
	result.Diff = c.Expect.diff(got)
	return result
}

// outcome is what came of a request: facts where it is allowed, else a code.
type outcome struct {
	refused string // a code, or "failed"
	detail  string
	facts   []fact
}

// fact is one thing that can be expected, as text.
type fact struct{ name, text string }

func (s *Suite) assertion(c prepared) (outcome, *policy.Explanation) {
	answer, err := s.simulator.Simulate(c.from, policy.Request{
		Grant: c.Request.Grant, Audience: c.Request.Audience, Claims: c.Request.Claims, Lifetime: c.Request.Lifetime.Std(),
	})
	switch {
	case err != nil:
		return outcome{refused: "failed", detail: err.Error()}, &answer.Explanation
	case answer.Refusal != nil:
		return refusal(answer.Refusal), &answer.Explanation
	}
	return outcome{facts: assertionFacts(answer)}, &answer.Explanation
}

func refusal(r *policy.Refusal) outcome {
	return outcome{refused: string(r.Code), detail: r.Detail}
}

func assertionFacts(answer Simulation) []fact {
	g, claims := answer.Grant, answer.Assertion.Claims
	facts := []fact{
		{"client", g.Client()}, {"grant", g.Name()}, {"key", g.Key()}, {"profile", g.Profile()},
		{"issuer", text(claims["iss"])}, {"subject", text(claims["sub"])}, {"audience", g.Audience()},
		{"lifetime", config.Duration(g.Lifetime()).String()},
	}
	var free []fact
	for name, value := range claims {
		if !slices.Contains(registered, name) {
			free = append(free, claimFact(name, value))
		}
	}
	return append(facts, sorted(free)...)
}

// text is a claim that is text, or nothing.
func text(value any) string {
	s, _ := value.(string)
	return s
}

func (s *Suite) raw(c prepared) outcome {
	r := c.Request.Raw
	grant, err := s.simulator.SimulateRaw(c.from, policy.RawRequest{Key: r.Key, Hash: r.Hash, Padding: r.Padding})
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

// String is the outcome in the words of the file of cases.
func (o outcome) String() string {
	switch o.refused {
	case "":
		return "allow"
	case "failed":
		return fmt.Sprintf("failed (%s)", o.detail)
	}
	return fmt.Sprintf("refuse: %s (%s)", o.refused, o.detail)
}
