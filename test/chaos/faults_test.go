package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// fault is one way to disturb the daemon.
type fault interface {
	// strike disturbs the daemon until ctx ends, and then undoes what it did.
	strike(ctx context.Context, r *run, random *rand.Rand)
}

// calm disturbs nothing.
type calm struct{}

func (calm) strike(ctx context.Context, _ *run, _ *rand.Rand) { <-ctx.Done() }

// kills ends one of steady's workers at a time, whenever the other can take
// over, and all of shaky's.
type kills struct{}

func (kills) strike(ctx context.Context, r *run, random *rand.Rand) {
	for sleep.For(ctx, time.Duration(300+random.IntN(700))*time.Millisecond) {
		if all := r.site.ready(steady); len(all) == workers {
			kill(all[random.IntN(workers)])
		}
		for _, pid := range r.site.ready(shaky) {
			kill(pid)
		}
	}
}

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// slow makes every signature take most of the default deadline of 2 s, which
// all sessions together can keep.
type slow struct{}

func (slow) strike(ctx context.Context, r *run, _ *rand.Rand) {
	r.misbehave(ctx, "C_Sign", faulty.Fault{Action: faulty.Delay, Wait: 1200 * time.Millisecond})
}

// hung makes some signatures hang for ever.
type hung struct{}

func (hung) strike(ctx context.Context, r *run, random *rand.Rand) {
	r.misbehave(ctx, "C_Sign", faulty.Fault{Action: faulty.Hang, Every: 50 + random.Uint64N(100)})
}

// crashes makes the module crash its worker now and then.
type crashes struct{}

func (crashes) strike(ctx context.Context, r *run, random *rand.Rand) {
	r.misbehave(ctx, "C_Sign", faulty.Fault{Action: faulty.Crash, Every: 20 + random.Uint64N(100)})
}

// failures makes signatures fail as if the HSM were reset.
type failures struct{}

func (failures) strike(ctx context.Context, r *run, random *rand.Rand) {
	r.misbehave(ctx, "C_Sign", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_DEVICE_ERROR, Every: 2 + random.Uint64N(20)})
}

// misbehave makes shaky's module misbehave until ctx ends.
func (r *run) misbehave(ctx context.Context, function string, f faulty.Fault) {
	r.site.module.Set(r.site.t, function, f)
	defer r.site.module.Clear(r.site.t, function)
	<-ctx.Done()
}

// away unplugs shaky's token.
type away struct{}

func (away) strike(ctx context.Context, r *run, _ *rand.Rand) {
	r.site.shaky.Lose()
	defer r.site.shaky.Restore()
	<-ctx.Done()
}

// full leaves no room on the disk of the audit log.
type full struct{}

func (full) strike(ctx context.Context, r *run, _ *rand.Rand) {
	r.site.disk.fill()
	defer r.site.disk.empty()
	<-ctx.Done()
}

// auditTimeout is how long a request waits for the disk of the audit log. With
// less, a healthy disk of a busy machine can seem frozen.
const auditTimeout = 2 * time.Second

// frozen makes every write to the disk of the audit log wait, for longer than
// requests do.
type frozen struct{}

func (frozen) strike(ctx context.Context, r *run, _ *rand.Rand) {
	if end, ok := ctx.Deadline(); ok {
		r.site.disk.freeze(auditTimeout + time.Until(end))
	}
}

// mixed strikes with several faults at the same time.
type mixed []fault

func (m mixed) strike(ctx context.Context, r *run, random *rand.Rand) {
	var all sync.WaitGroup
	for _, f := range m {
		own := rand.New(rand.NewPCG(random.Uint64(), 0))
		all.Go(func() { f.strike(ctx, r, own) })
	}
	all.Wait()
}
