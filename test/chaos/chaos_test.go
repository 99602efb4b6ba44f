package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

var (
	duration = flag.Duration("duration", time.Minute, "how long to run rounds of all phases; there is at least one")
	seed     = flag.Uint64("seed", 0, "seed of the order of the phases and of the faults in them; 0 chooses one")
	clients  = flag.Int("clients", 10_000, "clients in the configuration")
)

// hold is how long a fault lasts. A longer run has more rounds of phases.
var hold = 3 * time.Second

// shorten makes the run fit in `make test-quick`.
func shorten() {
	hold, *clients, *duration = time.Second, 500, 0
}

// TestChaos runs the phases in rounds, each round in another order, and then
// compares the daemon with what it was before. The table is printed even if the
// run fails.
func TestChaos(t *testing.T) {
	if testing.Short() {
		shorten()
	}
	if *seed == 0 {
		*seed = rand.Uint64N(1_000_000)
	}
	fmt.Printf("chaos: -seed %d -duration %v -clients %d\n", *seed, *duration, *clients)
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := newRun(t, *seed)
	r.warmUp(ctx)
	defer func() { r.report.print(os.Stdout) }()
	r.rounds(ctx, *duration)
	r.end()
	check(t, context.Cause(ctx))
}

// check ends the test if there is an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
