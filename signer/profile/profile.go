// Package profile is the table of assertion profiles: one row for each kind of
// receiver, with the header members, claims, audience, algorithms and life that
// the receiver wants.
//
// A profile is used twice. When a configuration is read, [Profile.Complete]
// fills what a grant leaves open and [Profile.Check] refuses a grant that
// contradicts its profile. For each request [Profile.Build] makes the header
// and the claims. Every registered claim and every header member comes from
// the grant, the key or the clock, never from the caller: the policy has
// refused a caller's registered claims before, and Build refuses them again.
//
// The rows are data. They are read-only for every other package.
package profile

//go:generate go test -run "^(TestDocs|TestGolden|TestTable)$" . -update

import (
	"slices"
	"sync"
	"time"
)

// Family groups profiles by the part that the assertion plays.
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

// Profile is one row of the table: what one kind of receiver wants.
type Profile struct {
	// Name is what a grant writes as its profile.
	Name   string
	Family Family
	// Title names the receiver for people.
	Title string
	// Source names the RFC section or the vendor's document that the row follows.
	Source string

	// Algorithms are the JWS algorithms that the receiver takes, the best first.
	Algorithms []string
	// Typ is the typ header member; empty leaves it out.
	Typ string
	// Header lists the further header members, besides alg, kid and typ.
	Header []Member
	KeyID  KeyIDRule
	// Delivery says how the receiver comes by the public key.
	Delivery Delivery

	Issuer   Party
	Subject  Party
	Audience AudienceRule

	// Claims are the claims that the receiver knows besides the registered ones.
	Claims []ClaimRule
	// OtherClaims says that a grant may allow claims that Claims does not list.
	OtherClaims bool

	// ClientIDClaim adds client_id with the grant's client ID.
	ClientIDClaim bool
	// Forbidden are claims that the receiver must never see.
	Forbidden []string

	// DefaultLifetime is what a grant without a lifetime gets.
	DefaultLifetime time.Duration
	// MaxLifetime caps every grant: exp is never later than MaxLifetime from
	// now. With ExactLifetime the receiver takes this life and no other.
	MaxLifetime   time.Duration
	ExactLifetime bool
	// NoExpiry leaves exp out: the receiver judges by iat alone, and the
	// lifetime only says how long the caller should use the result.
	NoExpiry bool
	// BackDate is how far before now iat lies, for receivers that refuse an
	// iat that their own clock has not reached.
	BackDate time.Duration
	// NotBefore adds nbf, equal to iat.
	NotBefore bool
	JTI       JTIRule

	Send Send
	// OwnKey asks for a key set that no other profile uses: a receiver of one
	// kind of JWT must never take the other (RFC 9449 section 11.5, RFC 9101
	// section 10.8).
	OwnKey bool

	// Register says what the receiver has to be given, and where.
	Register string
	// Notes says what else a user of the profile should know.
	Notes string
	// Example is a grant that Check accepts; the documentation shows it.
	Example Example
}

// Delivery says how a receiver comes by the public key; the rotation of the
// key set has to fit.
type Delivery string

// The ways in which a receiver comes by a public key.
const (
	// DeliverJWKS: it fetches the JWKS, or takes a copy of it.
	DeliverJWKS Delivery = "JWKS"
	// DeliverUpload: a person uploads each key or certificate, so that a new
	// version may only sign once that is done: publish_before: manual.
	DeliverUpload Delivery = "uploaded by a person"
	// DeliverImport: it makes the key pair itself, and the private half is
	// imported into the HSM.
	DeliverImport Delivery = "made by the receiver"
	// DeliverHeader: each assertion carries it.
	DeliverHeader Delivery = "in the header"
)

// table holds the rows in the order of the documentation.
var table = sync.OnceValue(func() []*Profile {
	return slices.Concat(clientRows(), grantRows(), federationRows(), directRows(), proofRows(), customRows())
})

var index = sync.OnceValue(func() map[string]*Profile {
	byName := make(map[string]*Profile)
	for _, p := range table() {
		byName[p.Name] = p
	}
	return byName
})

// Lookup returns the profile of that name. The row must not be changed.
func Lookup(name string) (*Profile, bool) {
	p, ok := index()[name]
	return p, ok
}

// All returns every profile in the order of the documentation. The rows must
// not be changed.
func All() []*Profile { return slices.Clone(table()) }

// Names returns the name of every profile, in the order of All.
func Names() []string {
	names := make([]string, 0, len(table()))
	for _, p := range table() {
		names = append(names, p.Name)
	}
	return names
}
