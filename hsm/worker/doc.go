// Package worker is the child's half of assertd's HSM access: a process that
// loads the PKCS#11 module, logs in to one token, and signs for the pool in the
// front process (package hsm/pool) that started it.
//
// The program calls Serve and then exits. Its environment is what the token's
// configuration names and nothing else. Its only descriptor besides the
// standard ones is the pool's socket. It leaves no core file, can't be
// inspected by other processes of its user, and dies with the pool's process.
// After it has read the PIN and before it loads the module, it has its Sandbox
// take what the module must not have.
//
// Package hsm/wire defines what the two send each other.
package worker
