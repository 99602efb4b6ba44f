package sandbox

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Supported returns the version of Landlock that this kernel enforces, 0 for none.
func Supported() int {
	version, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}

// Enforce confines this process, all its threads and all that it will ever start
// to the rules, as far as the kernel can: where [Supported] is 0 nothing changes.
// Descriptors that are open stay open.
//
// Version 8 and not a later one: from 9 on connecting to sockets is confined too,
// and name services and modules connect to daemons that nobody here knows.
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
