package worker

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/assertd/assertd/hsm"
)

// protocolVersion changes with anything in PROTOCOL.md that the other side could misread.
const protocolVersion = 1

// hello is the first frame: everything the worker needs to know. Its payload is a length, that many bytes of JSON, and the PIN if the pool was
// given one; the PIN stays out of the JSON so that the bytes that hold it can be cleared.
type hello struct {
	Version  int
	HSM      hsm.Config
	PIN      hsm.PINSource // without Value
	Depth    int           // requests that the pool sends without waiting for a reply
	HasValue bool          // the PIN follows
}

// encodeHello gives the payload. The caller clears it once it is sent.
func encodeHello(h hello) ([]byte, error) {
	value := h.PIN.Value
	h.Version, h.HasValue, h.PIN.Value = protocolVersion, value != nil, nil
	settings, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("hsm/worker: encode the settings: %w", err)
	}
	pin := value.Reveal()
	defer clear(pin)
	payload := make([]byte, 0, 4+len(settings)+len(pin))
	payload = binary.BigEndian.AppendUint32(payload, uint32(len(settings)))
	payload = append(payload, settings...)
	return append(payload, pin...), nil
}

// decodeHello reads the payload and clears it.
func decodeHello(payload []byte) (hello, error) {
	defer clear(payload)
	if len(payload) < 4 {
		return hello{}, protocolError("a first frame of %d bytes", len(payload))
	}
	n, rest := int(binary.BigEndian.Uint32(payload)), payload[4:]
	if n > len(rest) {
		return hello{}, protocolError("settings of %d bytes in a frame that has %d", n, len(rest))
	}
	var h hello
	if err := json.Unmarshal(rest[:n], &h); err != nil {
		return hello{}, protocolError("the settings: %v", err)
	}
	if h.Version != protocolVersion {
		return hello{}, protocolError("version %d; this worker speaks %d: restart the daemon", h.Version, protocolVersion)
	}
	if h.Depth < 1 || h.Depth > maxDepth {
		return hello{}, protocolError("depth %d", h.Depth)
	}
	if h.HasValue {
		h.PIN.Value = hsm.NewPIN(rest[n:])
	}
	return h, nil
}
