package freeze

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

const (
	// saveWait is how long an operator waits for the disk.
	saveWait = 5 * time.Second
	// maxPending bounds the records that wait for the audit log.
	maxPending = 1000
)

// Freeze freezes one of the known targets at once, for everything that is not
// released yet. From is the operator by the kernel's word. A freeze of what is
// frozen already can make that freeze longer, and never shorter. An error wraps
// [ErrRefused], and nothing has changed then.
func (b *Board) Freeze(ctx context.Context, from caller.Caller, req ipc.FreezeRequest, known []ipc.FreezeTarget) (ipc.FreezeResponse, error) {
	if err := check(req, known); err != nil {
		return ipc.FreezeResponse{}, err
	}
	inForce, warnings, revision, err := b.put(b.newFreeze(from, req))
	if err != nil {
		return ipc.FreezeResponse{}, err
	}
	b.Logger.Warn("frozen", "target", inForce.String(), "until", end(inForce), "uid", from.UID, "pid", from.PID, "reason", req.Reason)
	recorded := inForce
	recorded.Reason = req.Reason
	if err := b.record(ctx, audit.KindFreeze, from, recorded); err != nil {
		warnings = append(warnings, fmt.Sprintf("not in the audit log yet; it is tried again: %v", err))
	}
	warnings = append(warnings, b.saved(ctx, revision, "it is in force until the daemon stops, but")...)
	warnings = append(warnings, b.told(ctx)...)
	return ipc.FreezeResponse{Freeze: inForce, Warnings: warnings}, nil
}

// put adds a freeze to the board, unless it has one of the target that lasts
// longer.
func (b *Board) put(asked ipc.Freeze) (inForce ipc.Freeze, warnings []string, revision uint64, err error) {
	inForce = asked
	revision = b.change(func(entries map[ipc.FreezeTarget]ipc.Freeze) {
		standing, frozen := entries[asked.FreezeTarget]
		switch {
		case frozen && !endsLater(asked, standing):
			warnings = []string{fmt.Sprintf("it was frozen already, %s; a freeze can only be made longer, so thaw it to end it sooner", end(standing))}
			inForce = standing
			if !b.words[asked.FreezeTarget].Frozen { // this host's only so far
				b.say(true, standing)
			}
			return
		case frozen:
			inForce.Since = standing.Since
		case len(entries) >= maxFreezes:
			err = refuse("there are %d freezes already; freeze a key set or everything instead", maxFreezes)
			return
		}
		entries[asked.FreezeTarget] = inForce
		b.say(true, inForce)
	})
	return inForce, warnings, revision, err
}

// Thaw ends a freeze: the one of this target and no other. If that can't be
// recorded, nothing is thawed. An error wraps [ErrRefused].
func (b *Board) Thaw(ctx context.Context, from caller.Caller, target ipc.FreezeTarget) (ipc.ThawResponse, error) {
	standing, frozen := b.find(target)
	if !frozen {
		return ipc.ThawResponse{}, b.notFrozen(target)
	}
	response := ipc.ThawResponse{Thawed: standing}
	if err := b.recordEnd(ctx, audit.KindThaw, from, standing); err != nil {
		return ipc.ThawResponse{}, refuse("%s stays frozen, because the thaw can't be recorded: %v", target, err)
	}
	thaw := ipc.Freeze{FreezeTarget: target, Since: b.Now().UTC().Truncate(time.Millisecond), By: b.by(from)}
	thawed, revision := b.remove(standing, func() { b.say(false, thaw) })
	if !thawed {
		return ipc.ThawResponse{}, refuse("the freeze of %s has changed meanwhile; look at it again with assertctl status", target)
	}
	b.Logger.Warn("thawed", "target", target.String(), "uid", from.UID, "pid", from.PID)
	if left := b.list(); len(left) > 0 {
		response.Warnings = append(response.Warnings, "still frozen: "+names(left))
	}
	response.Warnings = append(response.Warnings, b.saved(ctx, revision, "it is thawed until the daemon stops, but")...)
	response.Warnings = append(response.Warnings, b.told(ctx)...)
	return response, nil
}

// remove takes a freeze off the board, unless it has changed. With mu held, it
// then calls done.
func (b *Board) remove(standing ipc.Freeze, done func()) (removed bool, revision uint64) {
	revision = b.change(func(entries map[ipc.FreezeTarget]ipc.Freeze) {
		if removed = entries[standing.FreezeTarget] == standing; removed {
			delete(entries, standing.FreezeTarget)
			done()
		}
	})
	return removed, revision
}

func (b *Board) newFreeze(from caller.Caller, req ipc.FreezeRequest) ipc.Freeze {
	now := b.Now().UTC().Truncate(time.Millisecond)
	f := ipc.Freeze{
		FreezeTarget: req.FreezeTarget, Since: now, Reason: req.Reason,
		By: b.by(from),
	}
	if req.ForSeconds > 0 {
		f.Until = now.Add(time.Duration(req.ForSeconds) * time.Second)
	}
	return f
}

func (b *Board) by(from caller.Caller) ipc.FreezeBy {
	return ipc.FreezeBy{UID: from.UID, PID: from.PID, Host: b.Host}
}

// endsLater reports whether f lasts longer than g.
func endsLater(f, g ipc.Freeze) bool {
	if f.Until.IsZero() || g.Until.IsZero() {
		return f.Until.IsZero() && !g.Until.IsZero()
	}
	return f.Until.After(g.Until)
}

func end(f ipc.Freeze) string {
	if f.Until.IsZero() {
		return "until it is thawed"
	}
	return "until " + f.Until.Format(time.RFC3339)
}

func names(list []ipc.Freeze) string {
	const most = 10
	var all []string
	for i, f := range list {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		all = append(all, f.String())
	}
	return strings.Join(all, ", ")
}

// saved waits for the disk. It returns what an operator must know if the
// freezes are not saved.
func (b *Board) saved(ctx context.Context, revision uint64, inForce string) []string {
	if b.File == "" {
		return []string{noFile}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWait)
	defer cancel()
	if err := b.saver.wait(ctx, revision); err != nil {
		return []string{fmt.Sprintf("%s %s is not saved yet; it is tried again: %v", inForce, b.File, err)}
	}
	return nil
}

// record writes a record, or keeps it until the audit log can be written.
func (b *Board) record(ctx context.Context, kind string, from caller.Caller, f ipc.Freeze) error {
	r := b.recordOf(kind, from, f)
	err := b.append(ctx, r)
	if err != nil {
		b.Logger.Error("a freeze is not in the audit log yet", "target", f.String(), "error", err)
		b.postpone(r)
	}
	return err
}

// recordEnd writes the record of the end of a freeze. Where records are not
// required, one that can't be written is kept until it can.
func (b *Board) recordEnd(ctx context.Context, kind string, from caller.Caller, f ipc.Freeze) error {
	if b.RecordRequired {
		return b.append(ctx, b.recordOf(kind, from, f))
	}
	_ = b.record(ctx, kind, from, f) // which logs why it can't
	return nil
}

// append writes a record even if the operator hangs up.
func (b *Board) append(ctx context.Context, r audit.Record) error {
	if b.Log == nil {
		return nil
	}
	return b.Log.Append(context.WithoutCancel(ctx), r)
}

func (b *Board) postpone(records ...audit.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(b.pending, records...)
	b.pending = b.pending[:min(len(b.pending), maxPending)]
}

func (b *Board) recordOf(kind string, from caller.Caller, f ipc.Freeze) audit.Record {
	return audit.Record{
		Time: b.Now(), Kind: kind, Caller: from, Outcome: audit.OutcomeAllowed,
		Scope: f.Scope(), Client: f.Client, Grant: f.Grant, Key: f.Key, Until: f.Until, Reason: f.Reason, ReportedBy: reporter(f),
	}
}

// self is the daemon, which ends a freeze whose time is up.
func self() caller.Caller {
	return caller.Caller{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), PID: int32(os.Getpid())}
}

func refuse(format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...)}
}

// refusal is an ErrRefused in words of its own.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func (*refusal) Unwrap() error { return ErrRefused }
