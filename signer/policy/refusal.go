package policy

import "github.com/assertd/assertd/ipc/caller"

// Reason is the stable code of a refusal.
type Reason string

// The reasons for which a request is refused. [Reasons] lists them all, and the
// API has an error code for each.
const (
	UnknownCaller      Reason = "unknown-caller"
	GrantNotFound      Reason = "grant-not-found"
	GrantAmbiguous     Reason = "grant-ambiguous"
	AudienceRequired   Reason = "audience-required"
	AudienceNotAllowed Reason = "audience-not-allowed"
	ClaimNotAllowed    Reason = "claim-not-allowed"
	ClaimReserved      Reason = "claim-reserved"
	ClaimRequired      Reason = "claim-required"
	LifetimeNotAllowed Reason = "lifetime-not-allowed"
	KeyNotAllowed      Reason = "key-not-allowed"
	HashNotAllowed     Reason = "hash-not-allowed"
	PaddingNotAllowed  Reason = "padding-not-allowed"
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{
		UnknownCaller, GrantNotFound, GrantAmbiguous, AudienceRequired, AudienceNotAllowed, ClaimNotAllowed,
		ClaimReserved, ClaimRequired, LifetimeNotAllowed, KeyNotAllowed, HashNotAllowed, PaddingNotAllowed,
	}
}

// Refusal is the error of [Policy.Decide] and [Policy.DecideRaw]. Detail is for
// the caller, in full sentences: it says what is wrong and what to do. It names
// only the caller's own grants, and repeats no claim value.
type Refusal struct {
	Code   Reason `json:"code"`
	Detail string `json:"detail"`

	// Client and Grant are for the audit record only: the client that the
	// caller matched, or whose socket it used, and the grant that refused. They
	// are empty if there is none, or more than one.
	Client string `json:"-"`
	Grant  string `json:"-"`
}

// attribute records which client the refusal is about, unless that is already
// known. It does nothing on a nil Refusal.
func (r *Refusal) attribute(clients []*client, caller *caller.Caller) *Refusal {
	switch {
	case r == nil || r.Client != "":
	case len(clients) == 0:
		r.Client = caller.Client
	case len(clients) == 1:
		r.Client = clients[0].name
	}
	return r
}

// Error returns the detail.
func (r *Refusal) Error() string { return r.Detail }

// Is makes errors.Is(err, &Refusal{Code: c}) match every refusal with code c.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Code == r.Code && other.Detail == ""
}
