package ipc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The processes that the sandbox confines to the files they need.
const (
	SandboxFront   = "front and workers"
	SandboxWorkers = "workers" // the front must see its callers' executables
	SandboxNothing = "nothing"
)

// SandboxStatus says what keeps a PKCS#11 module from reaching more than it
// needs.
type SandboxStatus struct {
	Files        string            `json:"files"`          // the processes that open only the files they need
	Landlock     int               `json:"landlock"`       // the kernel's version, 0 for none
	Signals      bool              `json:"signals"`        // workers can't signal others or connect to abstract sockets
	SystemCalls  bool              `json:"system_calls"`   // workers can't make system calls that no module needs
	Network      map[string]string `json:"network"`        // by token: the sockets that its module can make
	WorkerMemory int64             `json:"worker_memory"`  // bytes
	User         string            `json:"user,omitempty"` // of the workers, if they have their own
	Warnings     []string          `json:"warnings,omitempty"`
	Refused      int64             `json:"refused"` // connections of the daemon's own descendants
}

// String describes the status in one line.
func (s SandboxStatus) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "files of %s, signals %s, system calls %s", s.Files, confined(s.Signals), confined(s.SystemCalls))
	for _, token := range slices.Sorted(maps.Keys(s.Network)) {
		fmt.Fprintf(&text, ", network of %s: %s", token, s.Network[token])
	}
	fmt.Fprintf(&text, ", %d MiB per worker", s.WorkerMemory>>20)
	if s.User != "" {
		fmt.Fprintf(&text, ", workers run as %s", s.User)
	}
	return text.String()
}

func confined(yes bool) string {
	if yes {
		return "confined"
	}
	return "not confined"
}
