// Package keyadmin is what the security team does to keys, straight on the HSM:
// generate, list, show, certify, prune, destroy and adopt. It runs the PKCS#11
// module in its own process, which the daemon never does.
//
// It follows the same rules as the daemon, by the same code: which pair belongs
// to which key set is internal/keyset's to say, and what state a version is in
// keyset.Schedule's. Whatever is irreversible is decided on an inventory that was
// read a moment before, of a token that was confirmed to be there.
package keyadmin
