package faulty

import (
	"fmt"
	"syscall"
	"testing"
)

// Attack is what the code of a malicious module does from inside a worker.
type Attack uint64

// The attacks. Their order is that of the C code.
const (
	_ Attack = iota
	// Connect sends a request to the Unix socket at the target, and waits for an
	// answer. "@" stands for the NUL of an abstract socket's name.
	Connect
	// ConnectOrphan is Connect from a grandchild whose parent has exited.
	ConnectOrphan
	// ConnectAndExit is Connect from a child that exits once it is connected. Its
	// parent sends the request.
	ConnectAndExit
	// SignalParent asks whether the process that started the worker could be sent
	// a signal.
	SignalParent
	// TraceParent attaches to it as a debugger.
	TraceParent
	// ReadParent reads its environment.
	ReadParent
	// Allocate takes memory until there is no more, 8 GiB at most, and gives it
	// back.
	Allocate
	// Internet makes a TCP socket.
	Internet
	// Namespace makes a user namespace, in which the process is root.
	Namespace
	// OldABI makes a TCP socket by the system call of 32-bit programs.
	OldABI
	// Datagram connects one of a pair of datagram sockets to the target.
	Datagram
	// BecomeRoot sets the user ID to 0.
	BecomeRoot
	// Ring sets up an io_uring, whose requests no filter of system calls sees.
	Ring
	// CreateFile creates the file at the target.
	CreateFile
	// OpenToAll lets everyone write to the target.
	OpenToAll
	// LimitParent lets the process that started the worker open no more files.
	LimitParent
)

// maxTarget is longer than the path of any socket.
const maxTarget = 256

// pending is the outcome of an attack that has not ended.
const pending = 1 << 32

// Attack makes the next C_SignInit of any process attack. The target is the
// path that the attack needs, or "".
func (m *Module) Attack(t testing.TB, a Attack, target string) {
	t.Helper()
	if len(target) >= maxTarget {
		t.Fatalf("faulty: the target %s is too long", target)
	}
	clear(m.table.settings.target[:])
	copy(m.table.settings.target[:], target)
	m.table.settings.outcome.Store(pending)
	m.table.settings.attack.Store(uint64(a))
}

// Outcome returns whether the last attack has ended and what stopped it: nil
// means that it got through.
func (m *Module) Outcome() (ended bool, err error) {
	switch outcome := m.table.settings.outcome.Load(); outcome {
	case pending:
		return false, nil
	case 0:
		return true, nil
	case noAnswer:
		return true, ErrNoAnswer
	default:
		return true, syscall.Errno(outcome)
	}
}

// noAnswer is the outcome of a request that got none.
const noAnswer = 1 << 16

// ErrNoAnswer means that the attacker was connected and got no answer.
var ErrNoAnswer = fmt.Errorf("connected, and got no answer")
