// Package hsm holds keys in a PKCS#11 token: it opens the token, logs in once, finds and generates key pairs, checks how
// they are held, and signs with them as crypto.Signer.
//
// It runs the module in its own process, with all that follows: a module can hang, and Go can't cancel a C call; it can
// crash, and takes the process with it; and a token that vanished comes back only to a process that initialises the
// module anew. This package therefore recovers nothing. IsFatal says when a process is at its end, and packages
// hsm/pool and hsm/worker run it in processes that may end.
//
// # Use
//
//	token, err := hsm.Open(hsm.Config{Module: "/usr/lib/softhsm/libsofthsm2.so", Label: "prod"}, pin)
//	...
//	defer token.Close()
//	key, err := token.Find(hsm.Selector{Label: "payments/20260101T000000Z"})
//	...
//	signature, err := key.Sign(nil, digest, crypto.SHA256)
//
// # What it insists on
//
//   - Tokens are selected by label and serial number, never by slot number, and must be the only ones that fit.
//   - The PIN is tried once. It is never an argument, a variable or part of an error.
//   - Keys are selected by label and ID; two that fit are an error.
//   - A key that is extractable, not sensitive, usable without login, able to do more than sign, or of which the token
//     does not tell, is listed
//     with its Problem and never signs.
//   - "Not found" is answered only by a token that was confirmed to be there.
//   - A session on which a call failed is closed and not used again.
//   - A generated key is read back, and has signed, before anybody gets to see it.
//
// # crypto11 and miekg/pkcs11
//
// crypto11 initialises the module and counts its users, keeps a session open, and generates RSA and EC key pairs. The rest
// goes straight to miekg/pkcs11, since crypto11 (v1.5.0)
//
//   - puts a session back into its pool whatever happened on it, so that a broken one is handed out for ever;
//   - opens its sessions one per signature until its pool is full, and borrows, wraps and converts on each: see
//     BenchmarkSign for what signing without it on sessions that are open already, and by session copies, comes to;
//   - takes the first token, and the first key, that fits, and logs in to a token before anybody could object;
//   - has no Ed25519, and lists no key pair at all on a token that has such a key;
//   - reads attributes together, where one that the token doesn't know hides the others;
//   - knows CKA_EC_POINT in one of the three encodings that are about;
//   - gives up where another slot of the module doesn't answer. There this package does without it altogether.
package hsm
