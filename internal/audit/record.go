package audit

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// The kinds of decision that assertd records. Callers of Append may use others,
// except the reserved ones below.
const (
	KindAssertion = "assertion"
	KindRaw       = "raw"
)

// The kinds of line that the log itself writes.
const (
	kindHeader     = "header"     // first line of each file: where in the log the file starts
	kindCheckpoint = "checkpoint" // a signed root of the tree
	kindRecovery   = "recovery"   // what was lost or could not be written, and when
)

// The outcomes of a decision.
const (
	OutcomeAllowed = "allowed"
	OutcomeRefused = "refused"
	OutcomeFailed  = "failed"
)

// Record is one decision. It never holds an assertion, a signature, or a claim
// value that the policy does not mark as loggable; the caller of Append must
// see to that. Empty members are left out of the line, except for those of the
// caller.
type Record struct {
	Time      time.Time // if zero, the time of Append
	Kind      string
	RequestID string
	Caller    caller.Caller

	Client, Grant, Key, Kid, Profile string

	Audience        string
	JTI             string
	LifetimeSeconds int64
	ClaimNames      []string
	Claims          map[string]any // loggable claims only; keeps json.Number as is

	Hash, Padding string // of a raw signature
	Digest        []byte // signed by a raw signature; written in hex

	Outcome       string
	Code          string // the problem code of a refusal or failure
	LatencyMicros int64
}

// reserved reports whether only the log itself writes lines of this kind. A
// caller that could write checkpoint or header lines could confuse a reader,
// though not the verifier.
func reserved(kind string) bool {
	return kind == kindHeader || kind == kindCheckpoint || kind == kindRecovery
}

// encode appends the record's part of the line: everything after the link.
func (r *Record) encode(b []byte) ([]byte, error) {
	b = append(b, `"kind":`...)
	b = appendString(b, r.Kind)
	b = appendTime(b, r.Time)
	b = appendMember(b, "request_id", r.RequestID)
	b = encodeCaller(b, &r.Caller)
	for _, m := range [...]struct{ name, value string }{
		{"client", r.Client}, {"grant", r.Grant}, {"key", r.Key}, {"kid", r.Kid}, {"profile", r.Profile},
		{"audience", r.Audience}, {"jti", r.JTI},
		{"hash", r.Hash}, {"padding", r.Padding},
	} {
		b = appendMember(b, m.name, m.value)
	}
	b = appendHexMember(b, "digest", r.Digest)
	if r.LifetimeSeconds != 0 {
		b = appendIntMember(b, "lifetime_seconds", r.LifetimeSeconds)
	}
	b, err := r.encodeClaims(b)
	if err != nil {
		return b, err
	}
	b = appendMember(b, "outcome", r.Outcome)
	b = appendMember(b, "code", r.Code)
	b = appendIntMember(b, "latency_us", r.LatencyMicros)
	return append(b, '}'), nil
}

// encodeCaller appends a caller as the log's format has it: without the groups
// and the executable's hash.
func encodeCaller(b []byte, c *caller.Caller) []byte {
	b = append(b, `,"caller":{"uid":`...)
	b = appendUint(b, uint64(c.UID))
	b = appendIntMember(b, "gid", int64(c.GID))
	b = appendIntMember(b, "pid", int64(c.PID))
	b = appendMember(b, "executable", c.Executable)
	b = appendMember(b, "unit", c.Unit)
	b = appendMember(b, "container", c.Container)
	b = appendMember(b, "listener", c.Listener)
	return append(b, '}')
}

func (r *Record) encodeClaims(b []byte) ([]byte, error) {
	if len(r.ClaimNames) > 0 {
		b = append(b, `,"claim_names":[`...)
		for i, name := range r.ClaimNames {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, name)
		}
		b = append(b, ']')
	}
	if len(r.Claims) == 0 {
		return b, nil
	}
	var claims bytes.Buffer
	encoder := json.NewEncoder(&claims)
	encoder.SetEscapeHTML(false) // six bytes per character could make a record too long
	if err := encoder.Encode(r.Claims); err != nil {
		return b, err
	}
	return appendPrintable(append(b, `,"claims":`...), bytes.TrimSpace(claims.Bytes())), nil
}
