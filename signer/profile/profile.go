// Package profile is the table of assertion profiles: one row for each kind of
// receiver, with the header parameters, claims, audience, algorithms and
// lifetime that the receiver wants.
//
// A profile is used twice. When a configuration is read, [Profile.Complete]
// fills in the defaults of a grant and [Profile.Check] refuses a grant that
// contradicts its profile. For each request, [Profile.Build] makes the header
// and the claims. Every registered claim and every header parameter comes from
// the grant, the key or the clock, never from the caller: the policy already
// refuses registered claims from callers, and Build refuses them again.
//
// The rows are data. Other packages must not modify them.
package profile

//go:generate go test -run "^(TestDocs|TestReceivers|TestRecipes|TestGolden|TestTable)$" . -update

import (
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/ipc"
)

// Family groups profiles by the role of the assertion.
type Family string

// The families, in the order in which tables list them.
const (
	ClientAuthentication Family = "client authentication"
	Grants               Family = "grant"
	Federation           Family = "federation"
	Direct               Family = "direct"
	Proof                Family = "proof"
	Custom               Family = "custom"
)

// Profile is one row of the table: what one kind of receiver expects.
type Profile struct {
	// Name is the value of profile in a grant.
	Name   string
	Family Family
	// Title is the name of the receiver in documentation.
	Title string
	// Source is the RFC section or the vendor's document that the row follows.
	Source string

	// Known means that the row is for one receiver, whose algorithm names are
	// known, not for every server that follows a specification.
	Known bool

	// Algorithms are the JWS algorithms that the receiver accepts, best first.
	Algorithms []string
	// Typ is the typ header parameter; empty leaves it out.
	Typ string
	// Header lists the header parameters other than alg, kid and typ.
	Header   []HeaderParam
	KeyID    KeyIDRule
	Delivery Delivery

	Issuer   SubjectRule
	Subject  SubjectRule
	Audience AudienceRule

	// Claims are the claims that the receiver knows, other than registered
	// ones.
	Claims []ClaimRule
	// OtherClaims lets a grant allow claims that Claims does not list.
	OtherClaims bool

	// ClientIDClaim adds client_id with the grant's client ID.
	ClientIDClaim bool
	// Forbidden are claims that the receiver must never see.
	Forbidden []string

	// DefaultLifetime is the lifetime of a grant that sets none.
	DefaultLifetime time.Duration
	// MaxLifetime caps every grant: exp is at most MaxLifetime after iat. With
	// ExactLifetime, the receiver accepts only this lifetime.
	MaxLifetime   time.Duration
	ExactLifetime bool
	// NoExpiry leaves exp out: the receiver goes only by iat, and the lifetime
	// only says how long the caller should use the assertion.
	NoExpiry bool
	// BackDate is how far iat is in the past, for receivers that refuse an iat
	// ahead of their own clock. A grant can set another value, up to half of its
	// maximum lifetime, or up to MaxBackDate if the receiver wants a recent iat.
	BackDate, MaxBackDate time.Duration
	// NotBefore adds nbf, equal to iat. A grant can leave it out.
	NotBefore bool
	JTI       JTIRule

	Send ipc.Send
	// AssertionType is the URN that goes along with the assertion; it follows
	// from Send.
	AssertionType string
	// DedicatedKey requires a key set that no other profile uses, so that a JWT
	// of one kind can't be passed off as the other (RFC 9449 section 11.5, RFC
	// 9101 section 10.8).
	DedicatedKey bool

	// Tested names the programs that took assertions of this profile, each with
	// the test: "Fosite 0.49, test/interop TestFositeBearerGrant". Nil if the row
	// only follows its source.
	Tested []string
	// Register says what to register with the receiver, and where.
	Register string
	// Notes is anything else that users of the profile should know.
	Notes string
	// Example is a grant that Check accepts, for the documentation.
	Example Example
}

// leeway is the back-dating for receivers that are not known to accept an iat
// ahead of their clock. A second is common between synchronized machines, and
// Login.gov has refused it.
const leeway = 5 * time.Second

// table is in the order of the documentation.
var table = sync.OnceValue(func() []*Profile {
	rows := slices.Concat(clientRows(), grantRows(), federationRows(), directRows(), proofRows(), customRows())
	for _, p := range rows {
		p.AssertionType = p.Send.AssertionType()
	}
	return rows
})

var index = sync.OnceValue(func() map[string]*Profile {
	byName := make(map[string]*Profile)
	for _, p := range table() {
		byName[p.Name] = p
	}
	return byName
})

// Lookup returns the profile with that name. It must not be modified.
func Lookup(name string) (*Profile, bool) {
	p, ok := index()[name]
	return p, ok
}

// All returns every profile, in the order of the documentation. They must not
// be modified.
func All() []*Profile { return slices.Clone(table()) }

// Names returns the names of all profiles, in the order of All.
func Names() []string {
	names := make([]string, 0, len(table()))
	for _, p := range table() {
		names = append(names, p.Name)
	}
	return names
}
