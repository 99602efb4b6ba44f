// Package signer is the use case of the daemon: decide, limit, build, sign,
// verify, record.
//
// A request becomes a signature in one order only, and every step can refuse:
//
//	policy.Decide -> in-flight cap -> signing key -> rate budgets
//	  -> profile.Build -> HSM -> verification -> audit record -> answer
//
// Two properties hold by construction. Nothing is signed without a
// policy.Grant, which only policy.Decide can make. Nothing is released without
// a record: the audit record is written after the signature is verified and
// before the caller gets it, and a record that can't be written is a refusal.
//
// The package knows neither PKCS#11 nor sockets. It declares the interfaces
// that it needs (Keys, HSM, Limiter, Recorder), so that its logic is tested
// without cgo.
package signer
