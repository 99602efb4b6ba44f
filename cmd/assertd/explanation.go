package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/policytest"
	"github.com/assertd/assertd/ipc/caller"
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

// describeCaller returns a line about the simulated process.
func describeCaller(user string, c caller.Caller) string {
	said := []string{fmt.Sprintf("user %s (uid %d)", user, c.UID)}
	if c.GID != ^uint32(0) {
		said = append(said, fmt.Sprintf("groups %s", strings.Trim(fmt.Sprint(append([]uint32{c.GID}, c.Groups...)), "[]")))
	}
	for _, attribute := range []struct{ name, value string }{
		{"executable", c.Executable}, {"SHA-256", c.ExecutableSHA256}, {"unit", c.Unit},
		{"container", c.Container}, {"socket", c.Listener},
	} {
		if attribute.value != "" {
			said = append(said, attribute.name+" "+attribute.value)
		}
	}
	return strings.Join(said, ", ")
}
