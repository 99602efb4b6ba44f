// Package accounts looks up users and groups for a process that its sandbox
// keeps from asking: the name services of a machine (nsswitch.conf(5)) read
// files and use sockets that only they know.
//
// A helper process does it. It starts before the sandbox closes, so it can
// reach what the name services need. It only answers which ID a name has, one
// name at a time. The daemon asks it at each reload, so accounts that were
// added, changed or deleted since the start are found as they are.
package accounts
