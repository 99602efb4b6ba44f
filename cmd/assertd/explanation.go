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
	Allowed bool           `json:"allowed"`
	Refusal *refusalView   `json:"refusal,omitempty"`
	Grant   *grantView     `json:"grant,omitempty"`
	Header  map[string]any `json:"header,omitempty"`
	Claims  map[string]any `json:"claims,omitempty"`
	Request []checkView    `json:"request"`
	Clients []clientView   `json:"clients"`
}

type refusalView struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

type grantView struct {
	Client          string `json:"client"`
	Name            string `json:"name"`
	Key             string `json:"key"`
	Profile         string `json:"profile"`
	Audience        string `json:"audience,omitempty"`
	LifetimeSeconds int64  `json:"lifetime_seconds"`
}

type checkView struct {
	Name string `json:"name"`
	Held bool   `json:"held"`
	Want string `json:"want"`
	Have string `json:"have"`
	Why  string `json:"why,omitempty"`
}

type clientView struct {
	Name      string           `json:"name"`
	Matched   bool             `json:"matched"`
	Selectors []checkView      `json:"selectors"`
	Grants    []grantCheckView `json:"grants"`
}

type grantCheckView struct {
	Name   string      `json:"name"`
	Raw    bool        `json:"raw"`
	Named  bool        `json:"named"`
	Fits   bool        `json:"fits"`
	Checks []checkView `json:"checks"`
}

func explanationOf(a policytest.Simulation) explanation {
	e := explanation{
		Allowed: a.Refusal == nil, Header: a.Assertion.Header, Claims: a.Assertion.Claims,
		Request: checkViews(a.Syntax), Clients: []clientView{},
	}
	for _, c := range a.Clients {
		e.Clients = append(e.Clients, viewOfClient(c))
	}
	if a.Refusal != nil {
		e.Refusal = &refusalView{Code: string(a.Refusal.Code), Detail: a.Refusal.Detail}
		return e
	}
	g := a.Grant
	e.Grant = &grantView{
		Client: g.Client(), Name: g.Name(), Key: g.Key(), Profile: g.Profile(),
		Audience: g.Audience(), LifetimeSeconds: int64(g.Lifetime() / time.Second),
	}
	return e
}

func viewOfClient(c policy.ClientTrace) clientView {
	view := clientView{Name: c.Name, Matched: c.Matched, Selectors: checkViews(c.Selectors), Grants: []grantCheckView{}}
	for _, g := range c.Grants {
		view.Grants = append(view.Grants, grantCheckView{
			Name: g.Name, Raw: g.Raw, Named: g.Named, Fits: g.Fits, Checks: checkViews(g.Checks),
		})
	}
	return view
}

func checkViews(checks []policy.Check) []checkView {
	views := make([]checkView, len(checks))
	for i, c := range checks {
		views[i] = checkView(c)
	}
	return views
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
