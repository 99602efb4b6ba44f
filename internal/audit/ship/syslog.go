package ship

import (
	"os"
	"strconv"
	"time"

	"github.com/assertd/assertd/internal/audit"
)

// priority is facility log audit (13), severity informational (6), RFC 5424
// section 6.2.1.
const priority = "<110>"

// syslogForm makes syslog messages of lines.
type syslogForm struct{ host, process string }

func newSyslogForm() syslogForm {
	f := syslogForm{host: "-", process: strconv.Itoa(os.Getpid())}
	if name, err := os.Hostname(); err == nil && printable(name) && len(name) <= 255 {
		f.host = name
	}
	return f
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}

// append appends a line as an RFC 5424 message. MSGID is the line's kind.
func (f syslogForm) append(b []byte, line audit.Line) []byte {
	b = append(b, priority+"1 "...)
	if line.Time.IsZero() {
		b = append(b, '-')
	} else {
		b = line.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00") // at most six digits, section 6.2.3
	}
	b = append(b, ' ')
	b = append(b, f.host...)
	b = append(b, " assertd "...)
	b = append(b, f.process...)
	b = append(b, ' ')
	b = append(b, line.Kind...)
	b = append(b, " - "...)
	return append(b, line.Text...)
}

// settled is how long a TLS connection must last after the receiver's kernel
// has acknowledged a line.
const settled = 5 * time.Second

// Syslog is the destination for a socket or, without one, for the address of a
// server.
func Syslog(socket, address string, certificates Certificates) Destination {
	if socket != "" {
		return Socket{socket}
	}
	return Server{address, certificates}
}
