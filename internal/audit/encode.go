package audit

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

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

func appendHexMember(b []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(appendName(b, name), '"')
	return append(hex.AppendEncode(b, value), '"')
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(appendName(b, "time"), '"')
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
