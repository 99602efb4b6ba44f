package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/assertd/assertd/hsm"
)

// version changes with anything in PROTOCOL.md that the other side could
// misread.
const version = 2

// MaxDepth is the largest depth that a worker accepts.
const MaxDepth = 1024

// Hello is the first frame: the worker's settings. Its payload is a length,
// that many bytes of JSON, and the PIN if the pool was given one. The PIN stays
// out of the JSON so that the only buffers that hold it can be cleared.
type Hello struct {
	Version  int // set by Encode
	HSM      hsm.Config
	PIN      hsm.PINSource // Value is sent separately from the JSON
	Depth    int           // requests that the pool sends without waiting for a reply
	HasValue bool          // the PIN follows the JSON; set by Encode

	// The worker doesn't try a PIN with one of these digests, unless
	// HSM.RetryPIN asks for it: the token has refused it.
	DigestKey hsm.DigestKey
	Refused   []hsm.PINDigest
}

// Encode returns the payload. The caller clears it once it is sent.
func (h Hello) Encode() ([]byte, error) {
	value := h.PIN.Value
	h.Version, h.HasValue, h.PIN.Value = version, value != nil, nil
	settings, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("hsm/wire: encode the settings: %w", err)
	}
	pin := value.Reveal()
	defer clear(pin)
	payload := make([]byte, 0, 4+len(settings)+len(pin))
	payload = binary.BigEndian.AppendUint32(payload, uint32(len(settings)))
	payload = append(payload, settings...)
	return append(payload, pin...), nil
}

// DecodeHello decodes the payload and clears it.
func DecodeHello(payload []byte) (Hello, error) {
	defer clear(payload)
	if len(payload) < 4 {
		return Hello{}, Malformed("a first frame of %d bytes", len(payload))
	}
	n, rest := int(binary.BigEndian.Uint32(payload)), payload[4:]
	if n > len(rest) {
		return Hello{}, Malformed("settings of %d bytes in a frame of %d", n, len(rest))
	}
	var h Hello
	if err := json.Unmarshal(rest[:n], &h); err != nil {
		return Hello{}, Malformed("the settings: %v", err)
	}
	if h.Version != version {
		return Hello{}, Malformed("protocol version %d, and this worker speaks %d; restart the daemon", h.Version, version)
	}
	if h.Depth < 1 || h.Depth > MaxDepth {
		return Hello{}, Malformed("depth %d", h.Depth)
	}
	if h.HasValue {
		h.PIN.Value = hsm.NewPIN(rest[n:])
	}
	return h, nil
}
