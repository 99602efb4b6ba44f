// Package probe asks a PKCS#11 module what it is, what it has, and what it can
// do, without a configuration: assertd hsm probe. Its report is what a bug
// report about a module needs.
//
// The module runs in a child process, since it can hang or crash. The child
// reports each step before it takes it, so the parent can name the call that
// never returned, and still has what was found before.
package probe
