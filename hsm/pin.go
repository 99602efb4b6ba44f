package hsm

import (
	"bytes"
	"fmt"
	"log/slog"
	"unsafe"
)

const redacted = "[redacted]"

// PIN holds a token's PIN. However it is printed, logged or encoded, it shows "[redacted]".
//
// The bytes sit behind a function because fmt doesn't call methods on what it finds in unexported fields of other
// structs: there it prints a slice, and with some verbs what a pointer leads to, but of a function only the address.
type PIN struct{ secret func() *[]byte }

// NewPIN takes a copy of pin, in memory that is kept out of swap and core files; the caller should clear its own, and
// call Zero when the PIN is of no more use.
func NewPIN(pin []byte) *PIN {
	secret := lockedCopy(pin)
	return &PIN{secret: func() *[]byte { return &secret }}
}

// Reveal gives a copy of the PIN, for handing it on to another process. The caller clears it after use.
func (p *PIN) Reveal() []byte {
	if p.empty() {
		return nil
	}
	return bytes.Clone(*p.secret())
}

// Zero overwrites the PIN. It is empty from then on.
func (p *PIN) Zero() {
	if p.empty() {
		return
	}
	secret := p.secret()
	release(*secret)
	*secret = nil
}

// view lends the PIN as a string without leaving a copy of it in Go's memory, where nobody could clear it. The copy that
// miekg/pkcs11 makes for the module is out of reach.
func (p *PIN) view() string { return unsafe.String(unsafe.SliceData(*p.secret()), len(*p.secret())) }

func (p *PIN) empty() bool { return p == nil || p.secret == nil || len(*p.secret()) == 0 }

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
