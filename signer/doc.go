// Package signer handles one request of a caller: decide, build, limit, sign,
// verify, record.
//
// The order is always the same, and every step can refuse:
//
//	policy.Decide -> in-flight cap -> signing key -> profile.Build
//	  -> rate budgets -> HSM and verification -> audit record -> answer
//
// A raw signature has no profile; its hash and padding are checked against the
// key at that point. The budgets are last before the HSM, so that a request
// that can't be signed spends nothing.
//
// Two properties hold by construction. Nothing is signed without a
// policy.Grant, which only policy.Decide can make. Nothing is released without
// a record: the audit record is written after the signature is verified and
// before the caller gets it, and a record that can't be written is a refusal.
//
// The package knows neither PKCS#11 nor sockets. It declares the interfaces
// that it needs (Keys, HSM, Log, Observer), so that its logic is tested without
// cgo.
package signer
