package atomicfile

import (
	"os/exec"
	"syscall"
)

// endsWithParent has the kernel kill the child when this process dies.
func endsWithParent(child *exec.Cmd) {
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
