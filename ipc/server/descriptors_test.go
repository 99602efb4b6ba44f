package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestOutOfDescriptors: a server without descriptors for more connections
// answers newcomers with overloaded.
func TestOutOfDescriptors(t *testing.T) {
	r := serve(t, &fakeService{}, Options{})
	ask := newCrowd(t, r, 90)
	limitDescriptors(t, 64)
	if answered, overloaded := ask(); answered == 0 || overloaded == 0 {
		t.Errorf("%d answered, %d overloaded", answered, overloaded)
	}
}

// TestFewDescriptors: with the connections that 64 descriptors allow, each of
// the others reads overloaded.
func TestFewDescriptors(t *testing.T) {
	limitDescriptors(t, 64)
	journal := &logtest.Journal{}
	possible := PossibleConnections(1024, 0, journal)
	if lines := journal.Take(); len(lines) != 1 || possible >= 64 {
		t.Fatalf("%d connections, with the log %q", possible, lines)
	}
	r := serve(t, &fakeService{}, Options{MaxConnections: possible})
	if answered, overloaded := newCrowd(t, r, 90)(); answered != possible || overloaded != 90-possible {
		t.Errorf("%d answered, %d overloaded, of 90 with %d connections", answered, overloaded, possible)
	}
}

// newCrowd starts a process that will open connections, make a request on each
// and keep them open.
func newCrowd(t *testing.T, r *running, connections int) (ask func() (answered, overloaded int)) {
	t.Helper()
	crowd := peertest.Command(t, peertest.Program(t, "crowd"), "crowd", r.socket, strconv.Itoa(connections))
	begin, err := crowd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	result, err := crowd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := crowd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (answered, overloaded int) {
		begin.Close()
		said, err := io.ReadAll(result)
		if err := errors.Join(err, crowd.Wait()); err != nil {
			t.Fatal(err, string(said))
		}
		var failed int
		if _, err := fmt.Sscanf(string(said), "%d answered, %d overloaded, %d failed", &answered, &overloaded, &failed); err != nil || failed > 0 {
			t.Fatal(err, string(said))
		}
		return answered, overloaded
	}
}

func limitDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
}

// childCrowd opens connections, makes a request on each and keeps them all
// open. It waits for the end of its input first.
func childCrowd(args []string) error {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	var answered, overloaded, failed int
	for range count {
		switch status, err := askAndStay(args[0]); {
		case err != nil:
			failed++
		case status == http.StatusServiceUnavailable:
			overloaded++
		default:
			answered++
		}
		if failed == 5 {
			break // each takes seconds
		}
	}
	fmt.Printf("%d answered, %d overloaded, %d failed\n", answered, overloaded, failed)
	return nil
}

var staying []net.Conn

func askAndStay(socket string) (status int, err error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	staying = append(staying, c)
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c, getJWKS); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
