package hsm

import (
	"bytes"
	"fmt"
	"log/slog"
	"unsafe"
)

const redacted = "[redacted]"

// PIN holds a token's PIN. However it is printed, logged or encoded, it shows
// "[redacted]".
//
// The bytes are behind a function because fmt doesn't call methods on
// unexported fields of other structs: it prints a slice there, and with some
// verbs what a pointer points to, but of a function only the address.
type PIN struct {
	secret func() *[]byte
	how    loginForm // byPIN, or a stand-in for a PIN that this process never sees
}

func (p *PIN) form() loginForm {
	if p == nil {
		return byPIN
	}
	return p.how
}

// OnPad reports whether a person enters the PIN on the token's own pad. Then
// nobody can tell whether it is the same as before.
func (p *PIN) OnPad() bool { return p.form() == byPad }

// NewPIN copies pin to memory that is kept out of swap and core files. The
// caller should clear its own copy, and call Zero when the PIN is no longer
// needed.
func NewPIN(pin []byte) *PIN {
	secret := lockedCopy(pin)
	return &PIN{secret: func() *[]byte { return &secret }}
}

// Reveal returns a copy of the PIN, to pass it to another process. The caller
// clears it after use.
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

// view returns the PIN as a string without a copy in Go's memory, which nobody
// could clear. The copy that miekg/pkcs11 makes for the module is out of reach.
func (p *PIN) view() string { return unsafe.String(unsafe.SliceData(*p.secret()), len(*p.secret())) }

func (p *PIN) empty() bool { return p == nil || p.secret == nil || len(*p.secret()) == 0 }

// String returns "[redacted]".
func (PIN) String() string { return redacted }

// GoString returns "[redacted]".
func (PIN) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (PIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns "[redacted]", for JSON and YAML too.
func (PIN) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]" for log/slog.
func (PIN) LogValue() slog.Value { return slog.StringValue(redacted) }
