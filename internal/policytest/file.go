// Package policytest answers requests as the daemon would with a configuration,
// without an HSM, and runs test cases against those answers: who asks for what,
// and what must happen. A team keeps the cases next to its configuration and
// runs them in CI whenever either changes.
//
//	config: assertd.yaml          # relative to this file
//	cases:
//	  - name: payments can move money at bank A
//	    caller: {user: payments, unit: payments.service}
//	    request: {audience: https://as.bank-a.example, claims: {scope: write}}
//	    expect: {allow: {grant: bank-a, lifetime: 60s}}
//	  - name: nobody else can
//	    caller: {user: nobody}
//	    request: {audience: https://as.bank-a.example}
//	    expect: {refuse: unknown-caller}
//
// Simulator is behind "assertd explain", Suite behind "assertd policy test".
package policytest

import "github.com/assertd/assertd/internal/config"

// file is a file of test cases. Its struct tags are those of strictyaml.
type file struct {
	Config string     `json:"config" required:"true" doc:"Path of the configuration, relative to this file."`
	Cases  []testCase `json:"cases" required:"true" doc:"The cases, in the order in which they run."`
}

// testCase is one case as the file has it.
type testCase struct {
	Name    string      `json:"name" required:"true" max:"200" doc:"What the case shows, in words."`
	Caller  Process     `json:"caller" required:"true" doc:"The process that asks, as the kernel would describe it."`
	Request request     `json:"request,omitzero" doc:"What it asks for."`
	Expect  expectation `json:"expect" required:"true" doc:"What must happen."`
}

// request is the body of POST /v1/assertions or, with raw, of POST /v1/sign
// without the digest, or with kubernetes what kube-apiserver asks for.
type request struct {
	Grant    string          `json:"grant,omitzero" doc:"Name of a grant."`
	Audience string          `json:"audience,omitzero" doc:"The audience."`
	Claims   map[string]any  `json:"claims,omitzero" doc:"Claims that the caller sends."`
	Lifetime config.Duration `json:"lifetime,omitzero" doc:"The lifetime, in whole seconds."`
	Raw      *rawRequest     `json:"raw,omitempty" doc:"Asks for a raw signature instead of an assertion."`

	Kubernetes *KubernetesRequest `json:"kubernetes,omitempty" doc:"Asks for the token of a service account, as kube-apiserver does."`
}

// kind says what a request asks for, in messages.
type kind string

const (
	assertion    kind = "an assertion"
	rawSignature kind = "a raw signature"
	podToken     kind = "a service account's token"
)

func (r request) kind() kind {
	switch {
	case r.Kubernetes != nil:
		return podToken
	case r.Raw != nil:
		return rawSignature
	}
	return assertion
}

type rawRequest struct {
	Key     string `json:"key" required:"true" doc:"The key set."`
	Hash    string `json:"hash" required:"true" enum:"SHA-256,SHA-384,SHA-512,none" doc:"The hash that made the digest."`
	Padding string `json:"padding,omitzero" enum:"pkcs1v15,pss" doc:"The padding of an RSA signature."`
}

// expectation has exactly one of its members.
type expectation struct {
	Allow  *allowed `json:"allow,omitempty" doc:"The request is allowed, and the result has everything given here. {} means any result."`
	Refuse string   `json:"refuse,omitzero" enum:"unknown-caller,grant-not-found,grant-ambiguous,audience-required,audience-not-allowed,claim-not-allowed,claim-reserved,claim-required,lifetime-not-allowed,key-not-allowed,hash-not-allowed,padding-not-allowed,malformed-request,request-too-large" doc:"The request is refused with this code."`
}

// allowed is what the result of an allowed request must have.
type allowed struct {
	Client   string          `json:"client,omitzero" doc:"The client that the caller is."`
	Grant    string          `json:"grant,omitzero" doc:"The grant that allows the request."`
	Key      string          `json:"key,omitzero" doc:"The key set that signs."`
	Profile  string          `json:"profile,omitzero" format:"profile" doc:"The profile."`
	Issuer   string          `json:"issuer,omitzero" doc:"The iss claim."`
	Subject  string          `json:"subject,omitzero" doc:"The sub claim."`
	Audience string          `json:"audience,omitzero" doc:"The aud claim."`
	Lifetime config.Duration `json:"lifetime,omitzero" doc:"The time from signing to exp."`
	Claims   map[string]any  `json:"claims,omitzero" doc:"Exactly the claims other than the registered ones (iss, sub, aud, exp, nbf, iat, jti)."`
	Hash     string          `json:"hash,omitzero" doc:"The hash of a raw signature."`
	Padding  string          `json:"padding,omitzero" doc:"The padding of a raw signature."`
}
