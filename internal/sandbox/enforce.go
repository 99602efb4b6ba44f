package sandbox

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Supported returns the kernel's Landlock version, or 0 if it has none.
func Supported() int {
	version, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}

// Enforce confines this process, all its threads and every process that it
// starts to the rules, as far as the kernel supports it: if [Supported] is 0,
// it does nothing. Open descriptors stay open.
//
// It uses version 8 because version 9 and later also restrict connecting to
// sockets, and name services and modules connect to daemons that we don't know.
func (r Rules) Enforce() error {
	readDirs, readFiles := split(r.Read)
	writeDirs, writeFiles := split(r.Write)
	err := landlock.V8.BestEffort().RestrictPaths(
		landlock.RODirs(readDirs...), landlock.ROFiles(readFiles...),
		landlock.RWDirs(writeDirs...).WithIoctlDev(), landlock.RWFiles(writeFiles...).WithIoctlDev(),
	)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}
