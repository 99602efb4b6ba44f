package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	batchLimit   = 512         // spans per message
	batchWait    = time.Second // for more spans
	sendTimeout  = 5 * time.Second
	drainTimeout = 2 * time.Second
	warnEvery    = time.Minute
)

// Run sends spans until ctx ends, and then the remaining ones for up to two
// seconds. If the collector is down, only spans are lost.
func (t *Tracer) Run(ctx context.Context) error {
	var warned time.Time
	for ctx.Err() == nil {
		batch := t.gather(ctx)
		if err := t.post(context.WithoutCancel(ctx), batch); err != nil {
			t.dropped.Add(uint64(len(batch)))
			if now := t.opts.Now(); now.Sub(warned) > warnEvery {
				warned = now
				t.opts.Logger.Warn("spans not sent", "error", err, "dropped", t.Dropped())
			}
		}
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for len(t.queue) > 0 && t.post(ending, t.take(nil)) == nil {
	}
	t.client.CloseIdleConnections()
	return nil
}

// gather waits for a span, and then up to batchWait for more.
func (t *Tracer) gather(ctx context.Context) []*Span {
	var batch []*Span
	select {
	case <-ctx.Done():
		return nil
	case s := <-t.queue:
		batch = append(batch, s)
	}
	timer := time.NewTimer(batchWait)
	defer timer.Stop()
	for len(batch) < batchLimit {
		select {
		case s := <-t.queue:
			batch = append(batch, s)
		case <-timer.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// take adds the spans that are already queued.
func (t *Tracer) take(batch []*Span) []*Span {
	for len(batch) < batchLimit {
		select {
		case s := <-t.queue:
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

func (t *Tracer) post(ctx context.Context, batch []*Span) error {
	if len(batch) == 0 {
		return nil
	}
	body, err := json.Marshal(message(t.opts.Version, batch))
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.opts.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := t.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the collector returned %s; check that the URL ends in /v1/traces and that it accepts OTLP over HTTP", response.Status)
	}
	return nil
}
