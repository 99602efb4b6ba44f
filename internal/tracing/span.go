package tracing

import (
	"context"
	"time"
)

// The protocol's kinds of spans.
const (
	kindInternal = 1
	kindServer   = 2
)

type spanKey struct{}

// Span is a timed operation. Only one goroutine can use it, and End must be the
// last call. The methods of a nil Span do nothing.
type Span struct {
	tracer     *Tracer
	name       string
	trace      [16]byte
	id, parent [8]byte
	kind       int
	start, end time.Time
	attributes []attribute
	failure    string
}

type attribute struct {
	key  string
	text string
	n    int64 // if text is empty
}

// Start starts a span within the span in ctx. It returns nil if there is none.
func Start(ctx context.Context, name string) *Span {
	parent, _ := ctx.Value(spanKey{}).(*Span)
	if parent == nil {
		return nil
	}
	return parent.tracer.start(name, parent.trace, parent.id, kindInternal)
}

// At moves the start of the span to a time in the past.
func (s *Span) At(start time.Time) *Span {
	if s != nil {
		s.start = start
	}
	return s
}

// Text adds an attribute, unless the value is empty.
func (s *Span) Text(key, value string) *Span {
	if s != nil && value != "" {
		s.attributes = append(s.attributes, attribute{key: key, text: value})
	}
	return s
}

// Number adds an attribute.
func (s *Span) Number(key string, value int64) *Span {
	if s != nil {
		s.attributes = append(s.attributes, attribute{key: key, n: value})
	}
	return s
}

// Fail marks the span as failed, with a code from a closed list.
func (s *Span) Fail(code string) *Span {
	if s != nil {
		s.failure = code
	}
	return s
}

// End ends the span now.
func (s *Span) End() {
	if s != nil {
		s.EndAt(s.tracer.opts.Now())
	}
}

// EndAt ends the span at a time in the past.
func (s *Span) EndAt(end time.Time) {
	if s != nil {
		s.end = end
		s.tracer.send(s)
	}
}
