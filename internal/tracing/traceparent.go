package tracing

import (
	"encoding/hex"
	"strings"
)

// parent is a traceparent header (W3C Trace Context, section 3.2). The caller
// only determines the trace to join and whether to record it; tracestate and
// baggage are ignored.
type parent struct {
	trace   [16]byte
	span    [8]byte
	sampled bool
}

// parseParent reads a traceparent header of version 00, or the version 00 part
// of a later version. An invalid header counts as missing.
func parseParent(header string) (p parent, ok bool) {
	const size = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	if len(header) < size || header[2] != '-' || header[35] != '-' || header[52] != '-' || strings.ToLower(header) != header {
		return parent{}, false
	}
	version := header[:2]
	if version == "ff" || (version == "00" && len(header) != size) || (len(header) > size && header[size] != '-') {
		return parent{}, false
	}
	var prefix, flags [1]byte
	for _, field := range []struct {
		into []byte
		text string
	}{{prefix[:], version}, {p.trace[:], header[3:35]}, {p.span[:], header[36:52]}, {flags[:], header[53:55]}} {
		if _, err := hex.Decode(field.into, []byte(field.text)); err != nil {
			return parent{}, false
		}
	}
	p.sampled = flags[0]&1 != 0
	return p, p.trace != [16]byte{} && p.span != [8]byte{}
}
