// Package policytest runs cases against a configuration: who asks for what, and
// what must come of it. A team keeps them beside its configuration and has CI
// hold every change of the one to the other. Nothing is signed and no HSM is
// needed.
//
//	config: assertd.yaml          # relative to this file
//	cases:
//	  - name: payments may move money at bank A
//	    caller: {user: payments, unit: payments.service}
//	    request: {audience: https://as.bank-a.example, claims: {scope: write}}
//	    expect: {allow: {grant: bank-a, lifetime: 60s}}
//	  - name: nobody else may
//	    caller: {user: nobody}
//	    request: {audience: https://as.bank-a.example}
//	    expect: {refuse: unknown-caller}
package policytest

import "github.com/assertd/assertd/internal/config"

// file is a file of cases. The struct tags are those of package config.
type file struct {
	Config string `json:"config" required:"true" doc:"Path of the configuration, relative to the file of cases."`
	Cases  []kase `json:"cases" required:"true" doc:"The cases, in the order in which they run."`
}

// kase is one case.
type kase struct {
	Name    string  `json:"name" required:"true" max:"200" doc:"What the case shows, in words."`
	Caller  process `json:"caller" required:"true" doc:"The process that asks, as the kernel would describe it."`
	Request request `json:"request,omitzero" doc:"What it asks for."`
	Expect  expect  `json:"expect" required:"true" doc:"What must come of it."`
}

// process describes a caller. What is left out is what the daemon could not
// find out about it.
type process struct {
	User             string   `json:"user,omitzero" doc:"Name of the user; it need not exist on this machine."`
	UID              *uint32  `json:"uid,omitempty" doc:"Number of the user. Give user or uid."`
	Group            string   `json:"group,omitzero" doc:"Name of the primary group."`
	GID              *uint32  `json:"gid,omitempty" doc:"Number of the primary group."`
	Groups           []string `json:"groups,omitzero" doc:"Names of supplementary groups, or numbers in quotes."`
	Executable       string   `json:"executable,omitzero" format:"path" doc:"Absolute path of the executable."`
	ExecutableSHA256 string   `json:"executable_sha256,omitzero" format:"sha256" doc:"SHA-256 of the executable."`
	Unit             string   `json:"unit,omitzero" doc:"systemd unit."`
	Container        string   `json:"container,omitzero" format:"sha256" doc:"Container id."`
	Listener         string   `json:"listener,omitzero" format:"path" doc:"Path of the socket. Without it the only one that is bound to no client."`
}

// request is what POST /v1/assertions takes or, with raw, what POST /v1/sign
// takes besides the digest.
type request struct {
	Grant    string          `json:"grant,omitzero" doc:"Name of a grant."`
	Audience string          `json:"audience,omitzero" doc:"The audience."`
	Claims   map[string]any  `json:"claims,omitzero" doc:"Claims that the caller sends."`
	Lifetime config.Duration `json:"lifetime,omitzero" doc:"The lifetime, in whole seconds."`
	Raw      *rawRequest     `json:"raw,omitempty" doc:"Asks for a raw signature instead of an assertion."`
}

type rawRequest struct {
	Key     string `json:"key" required:"true" doc:"The key set."`
	Hash    string `json:"hash" required:"true" enum:"SHA-256,SHA-384,SHA-512,none" doc:"The hash that made the digest."`
	Padding string `json:"padding,omitzero" enum:"pkcs1v15,pss" doc:"The padding of an RSA signature."`
}

// expect has one of its members.
type expect struct {
	Allow  *allow `json:"allow,omitempty" doc:"The request is allowed, and the result has all that is given here. {} for whatever result."`
	Refuse string `json:"refuse,omitzero" enum:"unknown-caller,grant-not-found,grant-ambiguous,audience-required,audience-not-allowed,claim-not-allowed,claim-reserved,claim-required,lifetime-not-allowed,key-not-allowed,hash-not-allowed,padding-not-allowed" doc:"The request is refused with this code."`
}

// allow is what an allowed request must result in.
type allow struct {
	Client   string          `json:"client,omitzero" doc:"The client that the caller is."`
	Grant    string          `json:"grant,omitzero" doc:"The grant that allows it."`
	Key      string          `json:"key,omitzero" doc:"The key set that signs."`
	Profile  string          `json:"profile,omitzero" format:"profile" doc:"The profile."`
	Issuer   string          `json:"issuer,omitzero" doc:"The iss claim."`
	Subject  string          `json:"subject,omitzero" doc:"The sub claim."`
	Audience string          `json:"audience,omitzero" doc:"The aud claim."`
	Lifetime config.Duration `json:"lifetime,omitzero" doc:"The time from signing to exp."`
	Claims   map[string]any  `json:"claims,omitzero" doc:"All claims besides the registered ones (iss, sub, aud, exp, nbf, iat, jti), none more and none less."`
	Hash     string          `json:"hash,omitzero" doc:"The hash of a raw signature."`
	Padding  string          `json:"padding,omitzero" doc:"The padding of a raw signature."`
}
