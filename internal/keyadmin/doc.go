// Package keyadmin has the security team's operations on keys, directly on the
// HSM: generate, list, show, certify, prune, destroy and adopt. It loads the
// PKCS#11 module into its own process, which the daemon never does.
//
// It shares its rules with the daemon: internal/keyset decides which pair
// belongs to which key set, and keyset.Schedule decides the state of each
// version. Before anything irreversible, it reads the inventory again, from a
// token that is present and answers.
package keyadmin
