package policy

import "github.com/assertd/assertd/ipc/caller"

// Reason is the stable code of a refusal.
type Reason string

// The reasons for which a request is refused.
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

// Refusal is the error of [Policy.Decide] and [Policy.DecideRaw]. Detail is for the caller: it says what is wrong and what to do,
// names nothing but the caller's own grants, and repeats no claim's value.
type Refusal struct {
	Code   Reason
	Detail string

	// Client and Grant are for the record and for nobody else: the client that the caller is, or whose socket it came by, and the
	// grant that refused. They are empty where there is none, or more than one.
	Client, Grant string
}

// attribute notes whom the refusal is about, unless that is known more exactly already. It takes nil for no refusal.
func (r *Refusal) attribute(clients []*client, caller *caller.Caller) *Refusal {
	switch {
	case r == nil || r.Client != "":
	case len(clients) == 0:
		r.Client = caller.Client
	case len(clients) == 1:
		r.Client = clients[0].Name
	}
	return r
}

// Error returns the detail, a sentence for the caller.
func (r *Refusal) Error() string { return r.Detail }

// Is reports two refusals to be of one kind when their codes are equal, so that errors.Is(err, &Refusal{Code: c}) asks for a code.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Code == r.Code && other.Detail == ""
}
