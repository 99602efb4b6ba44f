// Package sandbox takes from the daemon's processes what they don't need: files
// (Landlock, see landlock(7)), capabilities, core files, and the access that a
// debugger of the same user would have.
//
// Landlock holds for all children too and can't be loosened. So the front, which
// starts the workers, keeps what the PKCS#11 module needs; a worker then gives up
// what the front alone needs: the audit log, the sockets, the published keys. The
// front can't see which programs other processes run once it is confined (the
// kernel refuses /proc/PID/exe across such a border), so where policy matches
// callers by executable only the workers are.
package sandbox
