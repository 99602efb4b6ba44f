// Package chaos breaks a daemon's surroundings under load and counts what its
// callers notice. Everything is real: the daemon's binary with 10,000 clients,
// two SoftHSM tokens, a small disk, and callers that use the Go SDK.
//
// One token, "steady", never has a fault of its own. Its callers must never
// fail, except while the audit log can't be written. The other token, "shaky",
// is opened through a module that misbehaves, and is unplugged. Its callers may
// get the codes that a phase lists, and must be served again soon after the
// phase.
//
// The run is a test, so that `make test` includes a short one. `make chaos`
// runs it for ten minutes. To repeat a run, pass the seed that it printed:
//
//	make chaos CHAOS_FLAGS='-seed 7'
//
// The small disk takes root, or sudo without a password. Without either, the
// run ends with a list of what was left out.
package chaos
