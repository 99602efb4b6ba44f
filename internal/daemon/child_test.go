package daemon

import (
	"encoding/json"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/assertd/assertd/ipc/peer/peertest"
)

// callerRole makes the test's binary a caller: a real process with identities
// of its own.
const callerRole = "caller"

// askAsCaller is what the test binary does as a caller: SOCKET REQUEST... With
// "-" as the socket, descriptor 3 is a connection that somebody else made. A
// request is the body of one for an assertion, or empty for the caller's
// grants.
func askAsCaller(args []string) error {
	dial := dialer(args[0])
	if args[0] == "-" {
		dial = func() (net.Conn, error) { return net.FileConn(os.NewFile(3, "connection")) }
	}
	var answers []reply
	for _, body := range args[1:] {
		path := "/v1/assertions"
		if body == "" {
			path = "/v1/grants"
		}
		answer, err := ask(dial, path, body)
		if err != nil {
			return err
		}
		answers = append(answers, answer)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// process is how a caller is started.
type process struct {
	program string
	ids     *syscall.Credential // nil: as the test
	cgroup  *os.File            // nil: in the test's
	conn    *os.File            // a connection to use
}

// ask starts the process, has it ask, and waits for it.
func (p process) ask(t *testing.T, socket string, requests ...string) []reply {
	t.Helper()
	cmd := peertest.Command(t, p.program, callerRole, append([]string{socket}, requests...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.ids}
	if p.cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(p.cgroup.Fd())
	}
	if p.conn != nil {
		cmd.ExtraFiles = []*os.File{p.conn}
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var answers []reply
	if err == nil {
		err = json.Unmarshal(out, &answers)
	}
	if err != nil || len(answers) != len(requests) {
		t.Fatalf("%s: %v: %s", socket, err, out)
	}
	return answers
}
