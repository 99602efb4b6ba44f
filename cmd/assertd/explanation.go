package main

import (
	"regexp"
	"time"

	"github.com/assertd/assertd/internal/policytest"
	"github.com/assertd/assertd/signer/policy"
)

// explanation is what explain --json prints.
type explanation struct {
	Allowed bool                 `json:"allowed"`
	Refusal *policy.Refusal      `json:"refusal,omitempty"`
	Grant   *grantView           `json:"grant,omitempty"`
	Header  map[string]any       `json:"header,omitempty"`
	Claims  map[string]any       `json:"claims,omitempty"`
	Request []policy.Check       `json:"request"`
	Clients []policy.ClientTrace `json:"clients"`
}

type grantView struct {
	Client          string `json:"client"`
	Name            string `json:"name"`
	Key             string `json:"key"`
	Profile         string `json:"profile,omitempty"` // none for a service account's token
	Audience        string `json:"audience,omitempty"`
	LifetimeSeconds int64  `json:"lifetime_seconds"`
}

// answer is what explain has found out about a request.
type answer struct {
	policy.Trace
	outcome string
	token   policytest.Assertion
	grant   *grantView // nil if the request is refused
}

func answerOf(a policytest.Simulation) answer {
	answer := answer{Trace: a.Trace, outcome: a.Outcome(), token: a.Assertion}
	if g := a.Grant; a.Refusal == nil {
		answer.grant = &grantView{
			Client: g.Client(), Name: g.Name(), Key: g.Key(), Profile: g.Profile(),
			Audience: g.Audience(), LifetimeSeconds: int64(g.Lifetime() / time.Second),
		}
	}
	return answer
}

func kubernetesAnswerOf(a policytest.KubernetesSimulation) answer {
	answer := answer{Trace: a.Trace, outcome: a.Outcome(), token: a.Token}
	if g := a.Grant; a.Refusal == nil {
		answer.grant = &grantView{Client: g.Client(), Name: g.Name(), Key: g.Key(), LifetimeSeconds: int64(a.Lifetime.Std() / time.Second)}
	}
	return answer
}

func explanationOf(a answer) explanation {
	return explanation{
		Allowed: a.Refusal == nil, Refusal: a.Refusal, Grant: a.grant, Header: a.token.Header, Claims: a.token.Claims,
		Request: a.Syntax, Clients: a.Clients,
	}
}

// advice is what refusals tell callers, with what it means for the
// administrator, who runs explain.
var advice = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?:Use your own socket, or ask|Ask) your assertd administrator to run assertd explain\.`), "The checks marked NO say why."},
	{regexp.MustCompile(`Ask your assertd administrator for (one|a grant)`), "Add $1 to the configuration"},
	{regexp.MustCompile(`or ask your assertd administrator for (one|a grant)`), "or add $1 to the configuration"},
	{regexp.MustCompile(`Ask your assertd administrator to add one`), "Add one to the configuration"},
	{regexp.MustCompile(`Ask your assertd administrator to remove`), "Remove"},
}

// forAdministrators keeps explain from sending the administrator to the
// administrator.
func forAdministrators(text string) string {
	for _, a := range advice {
		text = a.pattern.ReplaceAllString(text, a.with)
	}
	return text
}
