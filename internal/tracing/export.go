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
	batchLimit   = 512         // spans of one message
	batchWait    = time.Second // for more spans
	sendTimeout  = 5 * time.Second
	drainTimeout = 2 * time.Second
	warnEvery    = time.Minute
)

// Run sends spans until ctx ends, and then what is left, for two seconds at most. A
// collector that is away costs spans and nothing else.
func (t *Tracer) Run(ctx context.Context) error {
	var warned time.Time
	for ctx.Err() == nil {
		batch := t.gather(ctx)
		if err := t.post(context.WithoutCancel(ctx), batch); err != nil {
			t.dropped.Add(uint64(len(batch)))
			if now := t.opts.Now(); now.Sub(warned) > warnEvery {
				warned = now
				t.opts.Logger.Warn("traces not sent", "error", err, "dropped", t.Dropped())
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

// gather waits for a span and then, for a moment, for more.
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

// take adds what waits already.
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
		return fmt.Errorf("the collector answers %s; is the path /v1/traces, and its receiver OTLP over HTTP?", response.Status)
	}
	return nil
}
