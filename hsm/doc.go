// Package hsm holds keys in a PKCS#11 token: it opens the token, logs in once,
// finds and generates key pairs, checks how they are held, and signs with them
// as crypto.Signer.
//
// It runs the module in its own process, with all the consequences: a module
// can hang, and Go can't cancel a C call; it can crash and take the process
// with it; and a token that vanished comes back only to a process that
// initializes the module again. So this package recovers nothing. IsFatal says
// when the process must exit, and packages hsm/pool and hsm/worker run it in
// processes that may.
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
// # Rules
//
//   - Tokens are selected by label and serial number, never by slot number, and
//     exactly one must match.
//   - The PIN is tried once. It is never in an argument, an environment
//     variable or an error.
//   - Keys are selected by label and ID; two matches are an error.
//   - A key that is extractable, not sensitive, usable without login, or able
//     to do more than sign is listed with its Problem and never signs. So is a
//     key if the token doesn't tell these attributes.
//   - Only a token that was confirmed to be present can answer "not found".
//   - A session on which a call failed is closed and not used again.
//   - A generated key is read back, and has signed, before the caller gets it.
//
// # crypto11 and miekg/pkcs11
//
// crypto11 initializes the module and counts its users, keeps a session open,
// and generates RSA and EC key pairs. Everything else uses miekg/pkcs11
// directly, because crypto11 (v1.5.0)
//
//   - returns a session to its pool whatever happened on it, so a broken one is
//     reused forever;
//   - opens one session per signature until its pool is full, and borrows,
//     wraps and converts for each: BenchmarkSign compares that with signing on
//     open sessions and through session copies;
//   - takes the first token, and the first key, that matches, and logs in to a
//     token before the caller could object;
//   - has no Ed25519, and lists no keys at all on a token that holds an Ed25519
//     key;
//   - reads attributes together, so that one unknown attribute hides the
//     others;
//   - knows only one of the three encodings of CKA_EC_POINT in use;
//   - fails if another slot of the module doesn't answer, and initializes a
//     handle of its own, which p11-kit's modules don't share. In these cases
//     this package does without it.
package hsm
