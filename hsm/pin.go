package hsm

import (
	"bytes"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// PIN holds a token's PIN. However it is printed, logged or encoded, it shows "[redacted]".
//
// The bytes sit behind a pointer because fmt doesn't call methods on what it finds in unexported fields of other
// structs: there it would print a slice, but of a pointer only the address.
type PIN struct{ secret *[]byte }

// NewPIN takes a copy of pin; the caller should clear its own.
func NewPIN(pin []byte) *PIN {
	secret := bytes.Clone(pin)
	return &PIN{secret: &secret}
}

// Reveal gives a copy of the PIN, for handing it on to another process. The caller clears it after use.
func (p *PIN) Reveal() []byte {
	if p.empty() {
		return nil
	}
	return bytes.Clone(*p.secret)
}

// Zero overwrites the PIN. It is empty from then on.
func (p *PIN) Zero() {
	if p.empty() {
		return
	}
	clear(*p.secret)
	*p.secret = nil
}

func (p *PIN) empty() bool { return p == nil || p.secret == nil || len(*p.secret) == 0 }

// String gives "[redacted]".
func (PIN) String() string { return redacted }

// GoString gives "[redacted]".
func (PIN) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (PIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText gives "[redacted]", to JSON and YAML too.
func (PIN) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue gives "[redacted]" to log/slog.
func (PIN) LogValue() slog.Value { return slog.StringValue(redacted) }
