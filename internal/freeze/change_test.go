package freeze_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/ipc"
)

// A freeze is in force, recorded with the operator by the kernel's word, and
// shown. A thaw ends that freeze and no other.
func TestFreezeAndThaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		b := w.run(t)
		for _, target := range []ipc.FreezeTarget{payments, bank, keys, all} {
			response := mustFreeze(t, b, target, 3600)
			f := response.Freeze
			if len(response.Warnings) > 0 || f.FreezeTarget != target || !f.Until.Equal(f.Since.Add(time.Hour)) || f.By != (ipc.FreezeBy{UID: 1000, PID: 4711, Host: "here"}) {
				t.Errorf("%+v", response)
			}
			w.check(t, target)
			if status := b.Status(known); len(status.Freezes) != 1 || status.Freezes[0] != f || status.Error != "" {
				t.Errorf("status %+v", status)
			}
			mustThaw(t, b, target)
			w.check(t)
			w.mu.Lock()
			froze, thawed := w.records[0], w.records[1]
			w.records = nil
			w.mu.Unlock()
			if froze.Kind != "freeze" || thawed.Kind != "thaw" || froze.Caller.PID != 4711 || thawed.Caller.UID != 1000 ||
				froze.Client != target.Client || froze.Grant != target.Grant || froze.Key != target.Key || froze.Scope != target.Scope() ||
				froze.Reason != "key leaked" || !froze.Until.Equal(f.Until) {
				t.Errorf("records %+v, %+v", froze, thawed)
			}
		}
		mustFreeze(t, b, payments, 0)
		mustFreeze(t, b, all, 0)
		if response := mustThaw(t, b, payments); !slices.Equal(response.Warnings, []string{"still frozen: everything"}) {
			t.Errorf("warnings %q", response.Warnings)
		}
		w.check(t, all)
	})
}

// What can't be frozen or thawed changes nothing, and the operator learns what
// was meant.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		b := w.run(t)
		mustFreeze(t, b, bank, 0)
		request := func(target ipc.FreezeTarget, seconds int64, reason string) error {
			_, err := b.Freeze(t.Context(), operator, ipc.FreezeRequest{FreezeTarget: target, ForSeconds: seconds, Reason: reason}, known)
			return err
		}
		thaw := func(target ipc.FreezeTarget) error {
			_, err := b.Thaw(t.Context(), operator, target)
			return err
		}
		for want, err := range map[string]error{
			"no client payment-api; did you mean payments-api?":          request(ipc.FreezeTarget{Client: "payment-api"}, 0, "x"),
			"no grant payments-api/bnk; did you mean payments-api/bank?": request(ipc.FreezeTarget{Client: "payments-api", Grant: "bnk"}, 0, "x"),
			"no key set zzzzzzzz; existing names: payments":              request(ipc.FreezeTarget{Key: "zzzzzzzz"}, 0, "x"),
			"exactly one of":      request(ipc.FreezeTarget{Key: "payments", All: true}, 0, "x"),
			"or everything":       request(ipc.FreezeTarget{}, 0, "x"),
			"out of range":        request(keys, -1, "x"),
			"use 1 to 31622400":   request(keys, ipc.MaxFreezeSeconds+1, "x"),
			"needs a reason":      request(keys, 0, "  "),
			"one line of at most": request(keys, 0, "a\nb"),
			"shorten it":          request(keys, 0, strings.Repeat("x", 501)),
			"client payments-api is not frozen; frozen: grant payments-api": thaw(payments),
			"did you mean payments-api/bank? Frozen: grant":                 thaw(ipc.FreezeTarget{Client: "payments-api", Grant: "bnk"}),
			"everything is not frozen; frozen: ":                            thaw(all),
			"name exactly one":                                              thaw(ipc.FreezeTarget{Grant: "bank"}),
		} {
			if !errors.Is(err, freeze.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		w.check(t, bank)
		mustThaw(t, b, bank)
		if err := thaw(bank); err == nil || !strings.Contains(err.Error(), "nothing is") {
			t.Error(err)
		}
	})
}

// One operator's short freeze does not end another's long one early.
func TestAFreezeOnlyGetsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		b := w.run(t)
		first := mustFreeze(t, b, payments, 60).Freeze
		time.Sleep(10 * time.Second)
		longer := mustFreeze(t, b, payments, 600)
		if f := longer.Freeze; len(longer.Warnings) > 0 || f.Since != first.Since || !f.Until.After(first.Until) {
			t.Errorf("longer: %+v", longer)
		}
		for _, seconds := range []int64{0, 1, 0} {
			response := mustFreeze(t, b, payments, seconds)
			kept := len(response.Warnings) == 1 && strings.Contains(response.Warnings[0], "frozen already")
			if seconds > 0 && (!kept || !response.Freeze.Until.IsZero()) {
				t.Errorf("shorter: %+v", response)
			}
		}
		if f := b.Status(known).Freezes; len(f) != 1 || !f[0].Until.IsZero() {
			t.Errorf("status %+v", f)
		}
	})
}

// A reload that drops a name doesn't thaw it, and the status says so.
func TestFreezeOfANameThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		b := w.run(t)
		mustFreeze(t, b, payments, 0)
		mustFreeze(t, b, all, 0)
		for _, f := range b.Status([]ipc.FreezeTarget{keys}).Freezes {
			if f.Unknown == f.All {
				t.Errorf("%s: unknown %v", f, f.Unknown)
			}
		}
		w.check(t, payments, all)
		mustThaw(t, b, payments)
	})
}

// Without an audit log and without a disk, a freeze is in force all the same,
// and the operator is told. A thaw that can't be recorded is refused. Both are
// written once they can be.
func TestFreezeComesBeforeItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.fault(errInjected, errInjected)
		b := w.run(t)
		response := mustFreeze(t, b, payments, 0)
		w.check(t, payments)
		if text := strings.Join(response.Warnings, "\n"); len(response.Warnings) != 2 || !strings.Contains(text, "not in the audit log yet") || !strings.Contains(text, "/freezes is not saved yet") {
			t.Errorf("warnings %q", response.Warnings)
		}
		if !strings.Contains(b.Status(known).Error, "injected") {
			t.Errorf("status %+v", b.Status(known))
		}
		if _, err := b.Thaw(t.Context(), operator, payments); !errors.Is(err, freeze.ErrRefused) || !strings.Contains(err.Error(), "stays frozen") {
			t.Errorf("thawed without a record: %v", err)
		}
		w.check(t, payments)
		w.fault(nil, nil)
		time.Sleep(time.Minute)
		if kinds := w.kinds(); !slices.Equal(kinds, []string{"freeze"}) {
			t.Errorf("records %q", kinds)
		}
		if content, _ := w.disk(); b.Status(known).Error != "" || !strings.Contains(content, "payments-api") {
			t.Errorf("status %+v, file %s", b.Status(known), content)
		}
	})
}

// A disk that hangs holds up no freeze for longer than an operator waits, and
// collects no writes.
func TestFreezeWithADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{hang: make(chan struct{})}
		b := w.run(t)
		before := time.Now()
		for _, target := range known {
			response := mustFreeze(t, b, target, 0)
			if len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], "the disk has not answered yet") {
				t.Errorf("warnings %q", response.Warnings)
			}
		}
		w.check(t, known...)
		if took := time.Since(before); took > 6*time.Second*time.Duration(len(known)) {
			t.Errorf("took %v", took)
		}
		close(w.hang)
		time.Sleep(time.Minute)
		if content, most := w.disk(); most != 1 || b.Status(known).Error != "" || !strings.Contains(content, "billing") {
			t.Errorf("%d writes at a time, status %+v, file %s", most, b.Status(known), content)
		}
	})
}

// A freeze ends at its time, and not before that is recorded.
func TestFreezeEndsByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		b := w.run(t)
		mustFreeze(t, b, payments, 3600)
		mustFreeze(t, b, keys, 7200)
		mustFreeze(t, b, all, 0)
		time.Sleep(time.Hour - time.Second)
		w.check(t, payments, keys, all)
		time.Sleep(3 * time.Second)
		w.check(t, keys, all)
		w.fault(errInjected, nil)
		time.Sleep(time.Hour)
		w.check(t, keys, all)
		w.fault(nil, nil)
		time.Sleep(2 * time.Second)
		w.check(t, all)
		if kinds := w.kinds(); !slices.Equal(kinds, []string{"freeze", "freeze", "freeze", "freeze-end", "freeze-end"}) {
			t.Errorf("records %q", kinds)
		}
		if last := w.last(); last.Key != "payments" || last.Caller.PID == operator.PID || last.Caller.PID == 0 {
			t.Errorf("record %+v", last)
		}
	})
}
