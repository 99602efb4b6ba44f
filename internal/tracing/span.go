package tracing

import (
	"context"
	"time"
)

// The kinds of span of the protocol.
const (
	kindInternal = 1
	kindServer   = 2
)

type spanKey struct{}

// Span is a piece of work with a beginning and an end. It belongs to one goroutine
// until End, which is its last call. A nil one does nothing.
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
	n    int64 // where text is empty
}

// Start begins a span within that of the request in ctx; nil where there is none.
func Start(ctx context.Context, name string) *Span {
	within, _ := ctx.Value(spanKey{}).(*Span)
	if within == nil {
		return nil
	}
	return within.tracer.begin(name, within.trace, within.id, kindInternal)
}

// At moves the span to a time that has passed.
func (s *Span) At(start time.Time) *Span {
	if s != nil {
		s.start = start
	}
	return s
}

// Text adds an attribute, unless it is empty.
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

// Fail marks the span as failed, with a word of a closed list that says how.
func (s *Span) Fail(how string) *Span {
	if s != nil {
		s.failure = how
	}
	return s
}

// End ends the span now.
func (s *Span) End() {
	if s != nil {
		s.EndAt(s.tracer.opts.Now())
	}
}

// EndAt ends the span at a time that has passed.
func (s *Span) EndAt(end time.Time) {
	if s != nil {
		s.end = end
		s.tracer.send(s)
	}
}
