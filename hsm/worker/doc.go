// Package worker keeps the PKCS#11 module out of the process that serves callers.
//
// A module can hang, and Go can't cancel a C call; it can crash, and takes its process with it; and a token that vanished comes back only to a
// process that initialises the module anew. So the module lives in worker processes, which recover nothing: one that meets an error of the module
// or the token says so and ends. A Pool starts them, hands signatures to them, and replaces those that ended.
//
// # The pool
//
//	pool, err := worker.NewPool(worker.Config{Command: []string{"/proc/self/exe", "hsm-worker"}, Tokens: tokens})
//	...
//	go pool.Run(ctx)
//	if err := pool.WaitReady(ctx); err != nil { … } // says what is wrong, ErrPINIncorrect for one
//	signature, err := pool.Sign(ctx, ref, digest, crypto.SHA256)
//
// A signature goes to the worker with the least to do among those whose token holds the key. One that was in the hands of a worker that died or
// passed its deadline goes to another, and is given up after the second silent worker or the third dead one. Where a worker is silent for a
// quarter of the deadline another is asked as well, of another token first. What the workers can't take waits in a bounded queue; what has no
// worker to wait for is refused at once with ErrUnavailable.
//
// Workers of one token start one after the other; tokens have nothing to do with each other. A PIN that was refused is not tried again by anybody
// until Reset: each attempt may be the one that locks the token.
//
// # The worker
//
// Its program calls Serve and ends. It has the environment that its token's configuration names and no other, no descriptors but the pool's
// socket, leaves no core file, can't be inspected by processes of its user, and dies with the pool's process.
//
// PROTOCOL.md has what the two say to each other.
package worker
