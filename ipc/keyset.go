package ipc

import "time"

// KeySetStatus is a key set with its versions and its schedule at one moment.
type KeySetStatus struct {
	Name string `json:"name"`
	// Signing is the kid of the version that signs. If no version may sign,
	// Reason says why and what to do. Exactly one of the two is set.
	Signing string `json:"signing,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// NextChange is the next time that a state changes without anyone's doing,
	// or zero. Until then the schedule stays the same unless its inputs change.
	NextChange time.Time `json:"next_change,omitzero"`
	// DueAt is when the next version must exist to take over in time, or zero
	// if no next version is needed.
	DueAt time.Time `json:"due,omitzero"`
	// Late says that DueAt has passed. The current version keeps signing.
	Late bool `json:"late,omitempty"`
	// Auto says that the daemon generates the next version.
	Auto bool `json:"auto,omitempty"`
	// Missing are the kids in rotation.activate that no version has.
	Missing []string `json:"missing,omitempty"`
	// Lost are kids that were on the token and in the JWKS and are gone.
	// Nothing is generated for the set until they are back or in
	// rotation.revoke. A key that vanished while no daemon was running may be
	// listed with every set of its algorithm.
	Lost []string `json:"lost,omitempty"`
	// Refused says, for each key pair on the tokens that belongs to the set and
	// is not used, why.
	Refused  []string        `json:"refused,omitempty"`
	Budgets  []BudgetInfo    `json:"budgets,omitempty"` // shared by all grants on the key set
	Versions []VersionStatus `json:"versions"`          // oldest first
}

// KeyVersion is one key pair of a key set.
type KeyVersion struct {
	Kid   string `json:"kid"`
	Label string `json:"label,omitempty"` // on the token
	// Created is when the pair was put on the token, according to its label. It
	// is zero for an adopted key of unknown age, which counts as the oldest of
	// all.
	Created time.Time `json:"created,omitzero"`
	// Adopted says that the configuration names the key, not its label.
	Adopted bool `json:"adopted,omitempty"`
	// CertifiedFrom is when the version's certificate becomes valid. It is zero if
	// there is no certificate.
	CertifiedFrom time.Time `json:"certified_from,omitzero"`
}

// VersionStatus is a version and its place in the schedule.
type VersionStatus struct {
	KeyVersion
	State KeyState `json:"state"`
	// Since is when the state began. It is zero if that is unknown: activating
	// or revoking a version doesn't record the time.
	Since time.Time `json:"since,omitzero"`
	// Next is the state that follows at NextAt. Next is empty if none follows,
	// and NextAt is zero if a person decides when.
	Next   KeyState  `json:"next,omitempty"`
	NextAt time.Time `json:"next_at,omitzero"`
	// Held says that the version is retired because receivers no longer have it.
	// By the schedule it would sign again, for example after publish_before was
	// raised.
	Held bool `json:"held,omitempty"`
	// Uncertified says that the version signs, or will, but lacks the certificate
	// that a grant's profile needs. While an older version has one, it waits.
	Uncertified bool `json:"uncertified,omitempty"`
}

// KeyState is the state of a version of a key set.
type KeyState string

// The states, in the order in which a version goes through them. Time only
// moves a version forward. It may skip states.
const (
	KeyWaiting   KeyState = "waiting"   // created in the future, by this clock; already in the JWKS
	KeyPublished KeyState = "published" // in the JWKS, so that receivers know it before it signs
	KeySigning   KeyState = "signing"   // in the JWKS, and the one that signs
	KeyRetiring  KeyState = "retiring"  // in the JWKS for what it has signed; never signs again
	KeyRetired   KeyState = "retired"   // no longer in the JWKS; safe to destroy
	KeyRevoked   KeyState = "revoked"   // not in the JWKS and never signs, by configuration
)

// InJWKS reports whether a version in this state is published.
func (s KeyState) InJWKS() bool {
	return s == KeyWaiting || s == KeyPublished || s == KeySigning || s == KeyRetiring
}
