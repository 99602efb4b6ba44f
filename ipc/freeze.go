package ipc

import "time"

// FreezeTarget is what a freeze covers: exactly one of a client, a grant (with
// its client), a key set, or everything.
type FreezeTarget struct {
	Client string `json:"client,omitempty"`
	Grant  string `json:"grant,omitempty"` // of the client
	Key    string `json:"key,omitempty"`
	All    bool   `json:"all,omitempty"`
}

// Scopes of a FreezeTarget.
const (
	FreezeAll    = "all"
	FreezeClient = "client"
	FreezeGrant  = "grant"
	FreezeKey    = "key"
)

// Scope returns which of the scopes the target has, "" if it is not exactly
// one.
func (t FreezeTarget) Scope() string {
	switch t {
	case FreezeTarget{All: true}:
		return FreezeAll
	case FreezeTarget{Key: t.Key}:
		if t.Key != "" {
			return FreezeKey
		}
	case FreezeTarget{Client: t.Client}:
		return FreezeClient
	case FreezeTarget{Client: t.Client, Grant: t.Grant}:
		if t.Client != "" {
			return FreezeGrant
		}
	}
	return ""
}

// Name returns the name of the target within its scope: a grant's has the
// client before it. Everything has none.
func (t FreezeTarget) Name() string {
	switch {
	case t.Key != "":
		return t.Key
	case t.Grant != "":
		return t.Client + "/" + t.Grant
	}
	return t.Client
}

// String returns the target for people, such as "client payments-api".
func (t FreezeTarget) String() string {
	switch scope := t.Scope(); scope {
	case FreezeAll:
		return "everything"
	case FreezeKey:
		return "key set " + t.Key
	default:
		return scope + " " + t.Name()
	}
}

// FreezeRequest is the body of POST /v1/freeze.
type FreezeRequest struct {
	FreezeTarget
	// ForSeconds ends the freeze; 0 for none before somebody thaws it.
	ForSeconds int64  `json:"for_seconds,omitempty"`
	Reason     string `json:"reason"` // for people, on one line
}

// Limits of a freeze.
const (
	MaxFreezeReason  = 500                // bytes of a reason
	MaxFreezeSeconds = 366 * 24 * 60 * 60 // of a freeze with an end
)

// Freeze is one freeze: nothing is signed for its target.
type Freeze struct {
	FreezeTarget
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero until somebody thaws it
	Reason string    `json:"reason"`
	By     FreezeBy  `json:"by"`
	// Reported means that another host of the fleet says so: By is its word, and
	// not that of this host's kernel.
	Reported bool `json:"reported,omitempty"`
	// Unknown means that the configuration no longer has the name. The freeze
	// stays, for the day when it has it again.
	Unknown bool `json:"unknown,omitempty"`
}

// FreezeBy is the operator who made a freeze: the process at the other end of
// the operator socket, by the kernel's word, or the daemon itself.
type FreezeBy struct {
	UID  uint32 `json:"uid"`
	PID  int32  `json:"pid"`
	Host string `json:"host"`
}

// FreezeResponse answers POST /v1/freeze, also if something was frozen only in
// part: it is in force, and the warnings say what an operator must know.
type FreezeResponse struct {
	Freeze   Freeze   `json:"freeze"`
	Warnings []string `json:"warnings,omitempty"`
}

// ThawResponse answers POST /v1/thaw.
type ThawResponse struct {
	Thawed   Freeze   `json:"thawed"`
	Warnings []string `json:"warnings,omitempty"`
}

// FreezeStatus is what is frozen.
type FreezeStatus struct {
	Freezes []Freeze `json:"freezes"`
	File    string   `json:"file,omitempty"`  // that keeps them across restarts; empty if none does
	Error   string   `json:"error,omitempty"` // why the file does not have them all
	// Fleet is absent if freezes are this host's only.
	Fleet *FleetFreezes `json:"fleet,omitempty"`
}

// FleetFreezes says whether freezes reach the other daemons of the fleet.
type FleetFreezes struct {
	Exchanged time.Time `json:"exchanged,omitzero"` // when the daemon last looked what others froze
	Error     string    `json:"error,omitempty"`    // why it can't now
	Forged    int       `json:"forged,omitempty"`   // entries at the server that nobody with the fleet key made
}
