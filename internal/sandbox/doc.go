// Package sandbox drops what the daemon's processes don't need: access to files
// (Landlock, see landlock(7)), capabilities, core files, and debugging by
// processes of the same user.
//
// Landlock also applies to child processes and can't be lifted. So the front,
// which starts the workers, keeps what the PKCS#11 module needs; a worker then
// drops what only the front needs: the audit log, the sockets, the published
// keys. A confined front can't see which programs other processes run (the
// kernel denies access to /proc/PID/exe), so if policy matches callers by
// executable, only the workers are confined.
//
// A worker closes its sandbox in two steps. [Rules] confine its files from the
// start. [Module] takes the rest after the PIN has been read, which may take a
// command that needs the network, and before the module's code runs.
package sandbox
