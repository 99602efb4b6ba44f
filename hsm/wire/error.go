package wire

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/assertd/assertd/hsm"
)

// errorCode is a sentinel on the wire.
type errorCode uint8

// sentinels is the error table of both sides, indexed by errorCode. 0 is any
// error without a sentinel. Where an error matches several, the first row wins,
// so the specific come before the general.
var sentinels = []error{
	0:  nil,
	1:  hsm.ErrLeftover,
	2:  hsm.ErrPINIncorrect,
	3:  hsm.ErrPINLocked,
	4:  hsm.ErrPINSource,
	5:  hsm.ErrPINNotInitialized,
	6:  hsm.ErrTokenGone,
	7:  hsm.ErrTokenNotFound,
	8:  hsm.ErrKeyNotFound,
	9:  hsm.ErrKeyExists,
	10: hsm.ErrAmbiguous,
	11: hsm.ErrCustody,
	12: hsm.ErrUnusable,
	13: hsm.ErrAlgorithm,
	14: hsm.ErrSignature,
	15: hsm.ErrModule,
	16: hsm.ErrClosed,
	17: ErrMalformed,
	18: hsm.ErrPINFinalTry,
}

func codeOf(err error) errorCode {
	i := slices.IndexFunc(sentinels, func(s error) bool { return s != nil && errors.Is(err, s) })
	return errorCode(max(i, 0))
}

func (c errorCode) sentinel() error {
	if int(c) < len(sentinels) {
		return sentinels[c]
	}
	return nil
}

// ErrorReply is the payload of KindError: the sentinel by number, the module's
// return value as it was, the digest of a PIN that was refused, and the message
// as text.
type ErrorReply struct {
	Fatal bool // the worker ends after this frame

	pin  hsm.PINDigest // zero if no PIN was refused
	code errorCode
	ckr  uint64
	op   string
	text string
}

const (
	errorFixed = 1 + 1 + 8 + len(hsm.PINDigest{}) + 2
	maxText    = 4 << 10
)

// NewErrorReply returns the reply for an error. It is fatal if the module or
// the token failed.
func NewErrorReply(err error) ErrorReply {
	r := ErrorReply{Fatal: hsm.IsFatal(err), code: codeOf(err), text: clip(err.Error(), maxText)}
	if called := (*hsm.Error)(nil); errors.As(err, &called) {
		r.ckr, r.op = uint64(called.Code), clip(called.Op, maxText)
	}
	if refused := (*hsm.RefusedPIN)(nil); errors.As(err, &refused) {
		r.pin = refused.Digest
	}
	return r
}

func clip(s string, limit int) string { return s[:min(len(s), limit)] }

// AppendFrame implements Message.
func (r ErrorReply) AppendFrame(dst []byte, id uint32) []byte {
	fixed := make([]byte, 0, errorFixed)
	fixed = append(fixed, byte(r.code), 0)
	if r.Fatal {
		fixed[1] = 1
	}
	fixed = binary.BigEndian.AppendUint64(fixed, r.ckr)
	fixed = append(fixed, r.pin[:]...)
	fixed = binary.BigEndian.AppendUint16(fixed, uint16(len(r.op)))
	return AppendFrame(dst, KindError, id, fixed, []byte(r.op), []byte(r.text))
}

// ParseErrorReply parses a payload.
func ParseErrorReply(payload []byte) (ErrorReply, error) {
	if len(payload) < errorFixed || payload[1] > 1 {
		return ErrorReply{}, Malformed("an error reply of %d bytes", len(payload))
	}
	op := int(binary.BigEndian.Uint16(payload[errorFixed-2:]))
	rest := payload[errorFixed:]
	if op > len(rest) || op > maxText || len(rest)-op > maxText {
		return ErrorReply{}, Malformed("the parts of an error reply don't fit")
	}
	return ErrorReply{
		Fatal: payload[1] == 1,
		code:  errorCode(payload[0]),
		ckr:   binary.BigEndian.Uint64(payload[2:]),
		pin:   hsm.PINDigest(payload[10 : errorFixed-2]),
		op:    string(rest[:op]),
		text:  string(rest[op:]),
	}, nil
}

// Err returns the error that the reply stands for: errors.Is finds the
// sentinel, and errors.As the *hsm.Error and the *hsm.RefusedPIN, as if it had
// happened in this process.
func (r ErrorReply) Err() error {
	e := &remoteError{text: r.text, kind: r.code.sentinel()}
	if r.op != "" {
		e.call = &hsm.Error{Op: r.op, Code: uint(r.ckr)}
	}
	if r.pin != (hsm.PINDigest{}) {
		return &hsm.RefusedPIN{Digest: r.pin, Cause: e}
	}
	return e
}

// remoteError is an error that happened in a worker.
type remoteError struct {
	text string
	kind error
	call *hsm.Error
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() []error {
	var all []error
	if e.kind != nil {
		all = append(all, e.kind)
	}
	if e.call != nil {
		all = append(all, e.call)
	}
	return all
}
