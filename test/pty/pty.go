// Package pty opens pseudo-terminals for tests, and shows what is on their
// screens.
package pty

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Open opens a terminal of the given size: the person's side and the program's
// side.
func Open(t *testing.T, width, height int) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	connection, err := person.SyscallConn() // Fd would make reads ignore deadlines
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	err = connection.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	Resize(t, person, width, height)
	return person, program
}

// Resize changes the size of a terminal. The kernel tells its programs.
func Resize(t *testing.T, person *os.File, width, height int) {
	t.Helper()
	connection, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = connection.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}
