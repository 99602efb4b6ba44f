// Package rsyslog runs Debian's rsyslogd as any user, for tests of what the
// audit log is shipped to.
package rsyslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a start may take.
const patience = 2 * time.Minute

// Daemon is an rsyslogd, which writes the messages that it gets to a
// file.
type Daemon struct {
	Address string // of its socket or server

	network string
	t       testing.TB
	dir     string
	process *exec.Cmd
}

const socketConfig = `
global(workDirectory="%[1]s" maxMessageSize="512k")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="%[1]s/log" UseSpecialParser="off" ParseHostname="on" FlowControl="on" RateLimit.Interval="0")
`

const tlsConfig = `
global(workDirectory="%[1]s" maxMessageSize="512k" DefaultNetstreamDriver="gtls"
  DefaultNetstreamDriverCAFile="%[2]s" DefaultNetstreamDriverCertFile="%[3]s" DefaultNetstreamDriverKeyFile="%[4]s")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid" MaxFrameSize="524288")
input(type="imtcp" Address="127.0.0.1" Port="%[5]s")
`

const rules = `
template(name="line" type="string" string="%%app-name%% %%msgid%% %%syslogfacility%%.%%syslogseverity%% %%msg%%\n")
action(type="omfile" file="%[1]s/received" template="line" asyncWriting="off")
`

// New prepares a daemon that listens at dir/log.
func New(t testing.TB, dir string) *Daemon {
	return prepare(t, dir, "unixgram", filepath.Join(dir, "log"), fmt.Sprintf(socketConfig, dir))
}

// NewTLS prepares a daemon that listens at a loopback address and speaks TLS
// (RFC 5425). The files are PEM, and clients must have a certificate of the
// same authority.
func NewTLS(t testing.TB, dir, ca, cert, key string) *Daemon {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return prepare(t, dir, "tcp", free.Addr().String(), fmt.Sprintf(tlsConfig, dir, ca, cert, key, port))
}

func prepare(t testing.TB, dir, network, address, input string) *Daemon {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "rsyslog.conf"), fmt.Appendf([]byte(input), rules, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &Daemon{t: t, dir: dir, network: network, Address: address}
	t.Cleanup(r.Stop)
	return r
}

// Start starts it and waits until it listens. It can be started again after
// Stop.
func (r *Daemon) Start() {
	r.t.Helper()
	path, err := exec.LookPath("rsyslogd")
	if errors.Is(err, exec.ErrNotFound) {
		path = "/usr/sbin/rsyslogd"
	}
	r.process = exec.Command(path, "-n", "-f", filepath.Join(r.dir, "rsyslog.conf"), "-i", filepath.Join(r.dir, "rsyslog.pid"))
	r.process.Stderr = os.Stderr
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(patience); !r.listens(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("rsyslogd does not listen")
		}
	}
}

func (r *Daemon) listens() bool {
	conn, err := net.Dial(r.network, r.Address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// Stop lets rsyslogd write what it has.
func (r *Daemon) Stop() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Signal(syscall.SIGTERM)
	_ = r.process.Wait()
	r.process = nil
}

// Received returns the lines that arrived, each once, and fails if one is not
// like the log's or comes before its predecessor.
func (r *Daemon) Received() []string {
	r.t.Helper()
	var lines []string
	last := int64(-1)
	for text := range strings.Lines(r.Raw()) {
		head, line, ok := strings.Cut(strings.TrimSuffix(text, "\n"), "13.6 ")
		var l struct {
			Seq  int64
			Kind string
		}
		if !strings.HasSuffix(text, "\n") {
			break // being written
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || !ok || head != "assertd "+l.Kind+" " {
			r.t.Fatalf("received %q: %v", text, err)
		}
		if l.Seq > last { // a line that comes again starts a repetition
			last, lines = l.Seq, append(lines, line)
		}
	}
	return lines
}

// Raw returns all that arrived.
func (r *Daemon) Raw() string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, "received"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	return string(content)
}
