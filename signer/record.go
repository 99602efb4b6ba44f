package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/internal/tracing"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// Log is the audit log. Append returns nil only once the record is as safe as
// the log's configuration promises.
type Log interface {
	Append(ctx context.Context, record audit.Record) error
}

// Observer counts decisions.
type Observer interface {
	// Recorded is called once per decision, with the time that its record took and
	// why there is none. Where that refused the request, record says so.
	Recorded(record *audit.Record, took time.Duration, err error)
}

// decision is a request on its way: the record that it fills in, when policy
// and limits had decided, and what it took from its budgets.
type decision struct {
	audit.Record
	decided time.Time
	taken   *ratelimit.Taken // nil until the budgets are taken
}

func (s *Signer) newDecision(ctx context.Context, kind string, who caller.Caller) *decision {
	return &decision{Record: audit.Record{Time: s.now(), Kind: kind, RequestID: caller.RequestID(ctx), Caller: who}}
}

// release writes the record of a decision and only then lets its outcome pass.
// What was not signed and released gives its budgets back. What was frozen in
// the meantime is not released.
func (s *Signer) release(ctx context.Context, d *decision, outcome error) error {
	s.releasing.RLock()
	defer s.releasing.RUnlock()
	if outcome == nil {
		outcome = s.thawed(d)
	}
	released := s.recorded(ctx, d, outcome)
	if d.taken != nil && released != nil && !left(ctx, outcome) {
		d.taken.Refund(s.now())
	}
	return released
}

// left reports whether the caller had gone. Its budgets stay spent even if
// something else failed as well: the work was done for nobody, and a caller
// must not get it for free by hanging up.
func left(ctx context.Context, outcome error) bool {
	return errors.Is(ctx.Err(), context.Canceled) || errors.Is(outcome, context.Canceled)
}

// recorded writes the record of a decision and returns its outcome, or ErrAudit
// if that could not be recorded.
func (s *Signer) recorded(ctx context.Context, d *decision, outcome error) error {
	d.Outcome, d.Code = outcomeOf(outcome)
	d.LatencyMicros = s.now().Sub(d.Time).Microseconds()
	if s.traced {
		tracing.Start(ctx, "decide").At(d.Time).Text("assertd.client", d.Client).Text("assertd.outcome", d.Outcome).
			Text("assertd.code", d.Code).EndAt(d.decided)
	}
	s.logDecision(&d.Record, outcome)
	if err := s.record(ctx, &d.Record); err != nil {
		return fmt.Errorf("%w: %w", ErrAudit, err)
	}
	return outcome
}

// record appends the record. Where none is required, a decision passes without.
func (s *Signer) record(ctx context.Context, r *audit.Record) error {
	start := time.Now()
	// A caller that hangs up must not keep its decision out of the log.
	err := s.log.Append(context.WithoutCancel(ctx), *r)
	took := time.Since(start)
	s.endSpan(s.startSpan(ctx, "record", start), s.auditError(err))
	switch {
	case err == nil:
	case s.auditRequired:
		r.Outcome, r.Code = outcomeOf(s.auditError(err))
	default:
		s.throttle.Log(s.logger.Error, "unrecorded", "decision passes without an audit record, as audit.required is false", "request_id", r.RequestID, "error", err)
	}
	s.observer.Recorded(r, took, err)
	if s.auditRequired {
		return err
	}
	return nil
}

// auditError is what a failed record means for its request: nothing, unless
// records are required.
func (s *Signer) auditError(err error) error {
	if err == nil || !s.auditRequired {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrAudit, err)
}

// startSpan starts a span that began at a time; nil where nothing is traced.
func (s *Signer) startSpan(ctx context.Context, name string, start time.Time) *tracing.Span {
	if !s.traced {
		return nil
	}
	return tracing.Start(ctx, name).At(start)
}

// endSpan ends a span with the code of an error, whose text stays in the log.
func (s *Signer) endSpan(span *tracing.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		_, code := outcomeOf(err)
		span.Fail(code)
	}
	span.End()
}

// logDecision logs failures as errors, since operators must fix them, and
// refusals and successes at lower levels. Failures are throttled by code,
// refusals also by client.
func (s *Signer) logDecision(r *audit.Record, err error) {
	fields := []any{
		"request_id", r.RequestID, "client", r.Client, "grant", r.Grant,
		"uid", r.Caller.UID, "pid", r.Caller.PID, "code", r.Code,
	}
	switch {
	case r.Code == CodeCallerLeft:
		s.logger.Debug("caller left", append(fields, "error", err)...)
	case r.Outcome == audit.OutcomeFailed:
		s.throttle.Log(s.logger.Error, "failed "+r.Code, "request failed", append(fields, "error", err)...)
	case r.Outcome == audit.OutcomeRefused:
		s.throttle.Log(s.logger.Info, "refused "+r.Code+" "+r.Client, "request refused", append(fields, "reason", err)...)
	default:
		s.logger.Debug("signed", append(fields, "kid", r.Kid, "jti", r.JTI)...)
	}
}

// refused records whose request was refused, which the response leaves out.
func (d *decision) refused(err error) {
	var refusal *policy.Refusal
	if !errors.As(err, &refusal) {
		return
	}
	d.Client = refusal.Client
	if refusal.Grant != "" {
		d.Grant = refusal.Grant
	}
}

// Limits on the claim names of a refused request in its record: enough to see
// what was tried, and too little for a caller to make a record too long.
const (
	maxRequestedNames = 64
	maxRequestedName  = 128 // bytes
)

// requested records the request that policy refused. Only names: the values are
// the caller's, and no grant says that they may be logged.
func (d *decision) requested(req policy.Request) {
	d.LifetimeSeconds = int64(req.Lifetime / time.Second)
	for name := range req.Claims {
		d.ClaimNames = append(d.ClaimNames, truncate(name))
	}
	slices.Sort(d.ClaimNames)
	d.ClaimNames = d.ClaimNames[:min(len(d.ClaimNames), maxRequestedNames)]
}

func truncate(name string) string {
	if len(name) <= maxRequestedName {
		return name
	}
	return strings.ToValidUTF8(name[:maxRequestedName], "") + "…"
}

// granted records a grant: the names of its claims, and the values of those
// that it marks loggable.
func (d *decision) granted(g policy.Grant, claims map[string]any) {
	d.Client, d.Grant, d.Key, d.Profile = g.Client(), g.Name(), g.Key(), g.Profile()
	d.Audience, d.LifetimeSeconds = g.Audience(), int64(g.Lifetime()/time.Second)
	for name := range claims {
		d.ClaimNames = append(d.ClaimNames, name)
	}
	slices.Sort(d.ClaimNames)
	for _, name := range g.Loggable() {
		if value, ok := claims[name]; ok {
			if d.Claims == nil {
				d.Claims = make(map[string]any)
			}
			d.Claims[name] = value
		}
	}
}
