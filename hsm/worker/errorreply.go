package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/assertd/assertd/hsm"
)

// errorReply is the payload of kindError. Sentinels cross by number, the module's answer as it was, and the sentence for people as text.
type errorReply struct {
	code  errorCode
	fatal bool // the worker ends after this frame
	ckr   uint64
	op    string
	text  string
}

const (
	errorFixed = 1 + 1 + 8 + 2
	maxText    = 4 << 10
)

func newErrorReply(err error) errorReply {
	r := errorReply{code: codeOf(err), fatal: hsm.IsFatal(err), text: clip(err.Error(), maxText)}
	if detail := (*hsm.Error)(nil); errors.As(err, &detail) {
		r.ckr, r.op = uint64(detail.Code), clip(detail.Op, maxText)
	}
	return r
}

func clip(s string, limit int) string { return s[:min(len(s), limit)] }

func (r errorReply) appendFrame(dst []byte, id uint32) []byte {
	fixed := make([]byte, 0, errorFixed)
	fixed = append(fixed, byte(r.code), 0)
	if r.fatal {
		fixed[1] = 1
	}
	fixed = binary.BigEndian.AppendUint64(fixed, r.ckr)
	fixed = binary.BigEndian.AppendUint16(fixed, uint16(len(r.op)))
	return appendFrame(dst, kindError, id, fixed, []byte(r.op), []byte(r.text))
}

func parseErrorReply(payload []byte) (errorReply, error) {
	if len(payload) < errorFixed || payload[1] > 1 {
		return errorReply{}, fmt.Errorf("%w: an error reply of %d bytes", errFrame, len(payload))
	}
	op := int(binary.BigEndian.Uint16(payload[10:]))
	rest := payload[errorFixed:]
	if op > len(rest) || op > maxText || len(rest)-op > maxText {
		return errorReply{}, fmt.Errorf("%w: an error reply whose parts don't fit", errFrame)
	}
	return errorReply{
		code:  errorCode(payload[0]),
		fatal: payload[1] == 1,
		ckr:   binary.BigEndian.Uint64(payload[2:]),
		op:    string(rest[:op]),
		text:  string(rest[op:]),
	}, nil
}

// err is the error that the reply stands for: errors.Is finds the sentinel, errors.As the *hsm.Error, as if it had happened in this process.
func (r errorReply) err() error {
	e := &remoteError{text: r.text, kind: r.code.sentinel()}
	if r.op != "" {
		e.detail = &hsm.Error{Op: r.op, Code: uint(r.ckr)}
	}
	return e
}
