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
	Profile         string `json:"profile"`
	Audience        string `json:"audience,omitempty"`
	LifetimeSeconds int64  `json:"lifetime_seconds"`
}

func explanationOf(a policytest.Simulation) explanation {
	e := explanation{
		Allowed: a.Refusal == nil, Refusal: a.Refusal, Header: a.Assertion.Header, Claims: a.Assertion.Claims,
		Request: a.Syntax, Clients: a.Clients,
	}
	if a.Refusal != nil {
		return e
	}
	g := a.Grant
	e.Grant = &grantView{
		Client: g.Client(), Name: g.Name(), Key: g.Key(), Profile: g.Profile(),
		Audience: g.Audience(), LifetimeSeconds: int64(g.Lifetime() / time.Second),
	}
	return e
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
