package sandbox

import (
	"encoding/binary"
	"runtime"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// refusal makes a system call fail if all conditions on its arguments hold. The
// library has conditions too, but once one does not hold, it takes the argument
// for the number of the call in all that follows.
type refusal struct {
	errno      unix.Errno
	call       string
	conditions []condition
}

// condition is about the lower 32 bits of an argument: the kernel uses no more
// of those that we look at.
type condition struct {
	argument uint32
	test     bpf.JumpTest
	value    uint32
}

// bits holds if an argument has any of the bits.
func bits(argument, any uint32) condition { return condition{argument, bpf.JumpBitsSet, any} }

// not holds if an argument is something else.
func not(argument, value uint32) condition { return condition{argument, bpf.JumpNotEqual, value} }

// when refuses a call with EPERM.
func when(call string, conditions ...condition) refusal {
	return refusal{unix.EPERM, call, conditions}
}

// assemble returns nothing if the machine has no such call.
func (r refusal) assemble(machine *arch.Info) []bpf.Instruction {
	number, ok := machine.SyscallNames[r.call]
	if !ok {
		return nil
	}
	left := 2*len(r.conditions) + 1 // instructions after the first two
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: numberOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(number), SkipFalse: uint8(left)},
	}
	for _, c := range r.conditions {
		left -= 2
		program = append(program, bpf.LoadAbsolute{Off: argumentOffset(c.argument), Size: 4},
			bpf.JumpIf{Cond: c.test, Val: c.value, SkipFalse: uint8(left)})
	}
	return append(program, failWith(r.errno))
}

func failWith(errno unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(errno)}
}

// Offsets in struct seccomp_data, seccomp(2).
const (
	numberOffset       = 0
	architectureOffset = 4
	argumentsOffset    = 16
)

// argumentOffset is that of the lower half of an argument.
func argumentOffset(argument uint32) uint32 {
	offset := argumentsOffset + 8*argument
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // the upper half comes first
		offset += 4
	}
	return offset
}

// cloneFlags is the position of the flags in clone's arguments.
func cloneFlags() uint32 {
	if runtime.GOARCH == "s390x" {
		return 1
	}
	return 0
}
