package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/assertd/assertd/test/softhsm/faulty"
)

const (
	// slowSignature is how long the slow module waits before each signature, like
	// an HSM on the network.
	slowSignature = 2 * time.Millisecond
	slowSessions  = 32
	// faultyControl is the variable that names the file through which the faulty
	// module is controlled.
	faultyControl = "FAULTY_CONTROL"
)

// ownModule is the case that calls the module and does nothing else.
const ownModule = "the module, 1 thread"

// slowCases compare a daemon with its module, which one thread calls.
func slowCases() []benchCase {
	cases := []benchCase{{name: ownModule, role: "pkcs11", task: task{Do: "raw", Alg: "ES256"}}}
	for _, n := range []int{1, 16} {
		cases = append(cases, assertion(fmt.Sprintf("ES256 w%d c%d", defaults.workers, n), "ES256", n, defaults))
	}
	return cases
}

// withSlowModule returns an environment like e, whose module is slow.
func (e env) withSlowModule(context.Context) (env, error) {
	dir := e.file("slow")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return e, err
	}
	module, err := faulty.BuildIn(dir)
	if err != nil {
		return e, err
	}
	module.DelaySignatures(slowSignature)
	e.Module, e.Environment, e.Sessions = module.Path(), module.Environment(), slowSessions
	return e, nil
}
