package daemon

import (
	"context"
	"crypto"
	"crypto/rand"
	"net/http"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/tracing"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// newTracer makes the tracer of the configuration, nil if it has none.
func (d *Daemon) newTracer() (err error) {
	settings := d.Config.Tracing
	if settings.Endpoint == "" {
		return nil
	}
	d.tracer, err = tracing.New(tracing.Options{
		Endpoint: settings.Endpoint, Version: d.Version, SampleEvery: settings.SampleEvery,
		Now: d.Now, Random: rand.Reader, Logger: d.Logger,
	})
	return err
}

// traceRequests is what ipc begins and ends the spans of requests with, nil where
// nothing is traced.
func (d *Daemon) traceRequests() func(ctx context.Context, route, id, traceparent string) (context.Context, func(int, ipc.Code)) {
	if d.tracer == nil {
		return nil
	}
	return func(ctx context.Context, route, id, traceparent string) (context.Context, func(int, ipc.Code)) {
		ctx, span := d.tracer.Request(ctx, route, traceparent)
		return ctx, func(status int, code ipc.Code) {
			span.Text("http.route", route).Text("assertd.request_id", id).Number("http.response.status_code", int64(status))
			if status >= http.StatusInternalServerError {
				span.Fail(string(code))
			}
			span.Text("assertd.code", string(code)).End()
		}
	}
}

// traceSigner puts spans around what the signer does, where anything is traced.
func (d *Daemon) traceSigner(hsm signer.HSM, recorder signer.Recorder) (signer.HSM, signer.Recorder) {
	if d.tracer == nil {
		return hsm, recorder
	}
	return tracedHSM{hsm}, tracedRecorder{recorder}
}

// tracedHSM makes the span of a signature.
type tracedHSM struct{ signer.HSM }

// Sign implements signer.HSM.
func (h tracedHSM) Sign(ctx context.Context, key keyset.Key, digest []byte, opts crypto.SignerOpts, verify func([]byte) error) ([]byte, error) {
	span := tracing.Start(ctx, "sign").Text("assertd.key", key.Set).Text("assertd.kid", key.Kid)
	signature, err := h.HSM.Sign(ctx, key, digest, opts, verify)
	end(span, err)
	return signature, err
}

// tracedRecorder makes the spans of a decision, which is over when it comes to be
// recorded, and of its record.
type tracedRecorder struct{ signer.Recorder }

// Record implements signer.Recorder.
func (r tracedRecorder) Record(ctx context.Context, rec signer.Record) error {
	outcome, code := outcomeOf(rec.Err)
	tracing.Start(ctx, "decide").At(rec.Time).Text("assertd.client", rec.Client).Text("assertd.outcome", outcome).
		Text("assertd.code", string(code)).EndAt(rec.Decided)
	span := tracing.Start(ctx, "record")
	err := r.Recorder.Record(ctx, rec)
	end(span, err)
	return err
}

// end ends a span with the code of an error, whose text stays in the log.
func end(span *tracing.Span, err error) {
	if err != nil {
		_, code := outcomeOf(err)
		span.Fail(string(code))
	}
	span.End()
}

// runTracer sends spans while ctx runs.
func (d *Daemon) runTracer(ctx context.Context) error {
	if d.tracer == nil {
		return nil
	}
	return d.tracer.Run(ctx)
}
