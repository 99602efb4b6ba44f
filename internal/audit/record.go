package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/assertd/assertd/ipc/caller"
)

// The kinds of decision that assertd records. Callers of Append may use others,
// except the reserved ones below.
const (
	KindAssertion = "assertion"
	KindRaw       = "raw"
	// KindKubernetes is a token of a Kubernetes service account.
	KindKubernetes = "kubernetes"
	// KindRetryPIN is an operator's request to try a PIN again that a token
	// refused.
	KindRetryPIN = "retry-pin"
	// An operator froze or thawed something, or a freeze came to its end.
	KindFreeze    = "freeze"
	KindThaw      = "thaw"
	KindFreezeEnd = "freeze-end"
)

// The kinds of line that the log itself writes.
const (
	kindHeader     = "header"     // first line of each file: where in the log the file starts
	kindCheckpoint = "checkpoint" // a signed root of the tree
	kindRecovery   = "recovery"   // what was lost or could not be written, and when

	kindCosignature    = "cosignature"    // a witness's signature of a checkpoint
	kindAcknowledgment = "acknowledgment" // a person accepted a rollback
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
	Subject         string   // of a Kubernetes token
	Audiences       []string // of a Kubernetes token
	JTI             string
	LifetimeSeconds int64
	ClaimNames      []string
	Claims          map[string]any // loggable claims only; keeps json.Number as is

	Hash, Padding string // of a raw signature
	Digest        []byte // signed by a raw signature; written in hex

	Scope  string    // of a freeze, as in ipc.FreezeTarget
	Until  time.Time // the end of a freeze; zero for none
	Reason string    // an operator's, for a freeze
	// ReportedBy is who froze or thawed something on another host, by the word
	// of that host.
	ReportedBy string

	Outcome       string
	Code          string // the problem code of a refusal or failure
	LatencyMicros int64
}

// reserved reports whether only the log itself writes lines of this kind. A
// caller that could write checkpoint or header lines could confuse a reader,
// though not the verifier.
func reserved(kind string) bool {
	switch kind {
	case kindHeader, kindCheckpoint, kindRecovery, kindCosignature, kindAcknowledgment:
		return true
	}
	return false
}

// encode appends the record's part of the line: everything after the link.
func (r *Record) encode(b []byte) ([]byte, error) {
	b = append(b, `"kind":`...)
	b = appendString(b, r.Kind)
	b = appendTimeMember(b, "time", r.Time)
	b = appendMember(b, "request_id", r.RequestID)
	b = encodeCaller(b, &r.Caller)
	for _, m := range [...]struct{ name, value string }{
		{"client", r.Client}, {"grant", r.Grant}, {"key", r.Key}, {"kid", r.Kid}, {"profile", r.Profile},
		{"audience", r.Audience}, {"subject", r.Subject}, {"jti", r.JTI},
		{"hash", r.Hash}, {"padding", r.Padding},
	} {
		b = appendMember(b, m.name, m.value)
	}
	b = appendHexMember(b, "digest", r.Digest)
	b = appendListMember(b, "audiences", r.Audiences)
	if r.LifetimeSeconds != 0 {
		b = appendIntMember(b, "lifetime_seconds", r.LifetimeSeconds)
	}
	b, err := r.encodeClaims(b)
	if err != nil {
		return b, err
	}
	b = appendMember(b, "scope", r.Scope)
	if !r.Until.IsZero() {
		b = appendTimeMember(b, "until", r.Until)
	}
	b = appendMember(b, "reason", r.Reason)
	b = appendMember(b, "reported_by", r.ReportedBy)
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
	b = appendListMember(b, "claim_names", r.ClaimNames)
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

// appendMember and the functions below append JSON by hand, because each
// signature writes a record: encoding/json costs several times as much, and the
// members are few and flat. A fuzz test checks them against encoding/json.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(appendName(b, name), value)
}

func appendIntMember(b []byte, name string, value int64) []byte {
	return strconv.AppendInt(appendName(b, name), value, 10)
}

func appendListMember(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(appendName(b, name), '[')
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, value)
	}
	return append(b, ']')
}

func appendHexMember(b []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(appendName(b, name), '"')
	return append(hex.AppendEncode(b, value), '"')
}

func appendTimeMember(b []byte, name string, t time.Time) []byte {
	b = append(appendName(b, name), '"')
	b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	return append(b, '"')
}

// appendName appends the comma and the name of a member. Names are constants of
// this package and need no escaping.
func appendName(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func appendUint(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }

// appendString appends s as a JSON string (RFC 8259, section 7) on one line.
// Bytes that are not UTF-8 become U+FFFD, so that a file name chosen by a
// caller can't make the line invalid. It also escapes what is not printable,
// which JSON does not require: a terminal that shows the log takes U+009B as
// the start of a command, and U+202E reverses text.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0 // start of the bytes that need no escape
	for i := 0; i < len(s); {
		if c := s[i]; c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[plain:i]...)
		r, size := utf8.DecodeRuneInString(s[i:])
		b = appendEscaped(b, r)
		i += size
		plain = i
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

func appendEscaped(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(b, '\\', byte(r))
	case r <= 0xffff && !strconv.IsPrint(r):
		return append(b, '\\', 'u', digits[r>>12], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
	}
	return utf8.AppendRune(b, r)
}

// appendPrintable appends valid JSON with its strings escaped as by
// appendString. Unprintable characters occur only inside strings, where the
// escape means the same.
func appendPrintable(b, valid []byte) []byte {
	for len(valid) > 0 {
		r, size := utf8.DecodeRune(valid)
		if r >= 0x7f {
			b = appendEscaped(b, r)
		} else {
			b = append(b, valid[0])
		}
		valid = valid[size:]
	}
	return b
}
