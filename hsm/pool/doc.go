// Package pool keeps the PKCS#11 module out of the process that serves callers.
//
// A module can hang, and Go can't cancel a C call; it can crash and take its
// process with it; and a token that vanished comes back only to a process that
// initializes the module again. So the module lives in worker processes
// (package hsm/worker), which recover nothing: on an error of the module or the
// token a worker reports it and exits. The pool runs in the front process. It
// starts the workers, dispatches signatures to them, and replaces those that
// exit.
//
//	p, err := pool.New(pool.Config{Command: []string{"/proc/self/exe", "hsm-worker"}, Tokens: tokens})
//	...
//	go p.Run(ctx)
//	if err := p.WaitReady(ctx); err != nil { … } // says what is wrong, such as ErrPINIncorrect
//	signature, err := p.Sign(ctx, "payments", ref, digest, crypto.SHA256, verify)
//
// # Dispatch
//
// A signature goes to the least busy worker among those whose token holds the
// key. If that worker dies or misses its deadline, the signature goes to
// another one; the pool gives up after two workers that timed out or three that
// died. If a worker takes longer than a quarter of the deadline, and longer
// than twice the module's recent latency, the pool asks a second one as well,
// preferably on another token. A worker gets as many signatures as it has
// sessions. The others wait in a bounded queue, and overload ends there, in
// ErrBusy. If there is no worker to wait for, the call fails at once with
// ErrUnavailable.
//
// # Starts
//
// The workers of one token start one after the other; tokens don't wait for
// each other. A PIN that was refused isn't tried again before Reset, by any
// worker: each attempt could lock the token.
//
// Package hsm/wire defines what the pool and a worker send each other.
package pool
