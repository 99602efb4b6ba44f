package tracing

import (
	"encoding/hex"
	"strconv"

	"github.com/assertd/assertd/internal/otlp"
)

// The types below are the OpenTelemetry protocol's ExportTraceServiceRequest in
// JSON, which has IDs in hexadecimal and 64-bit numbers as strings.

type exportRequest struct {
	ResourceSpans []resourceSpans `json:"resourceSpans"`
}

type resourceSpans struct {
	Resource   otlp.Resource `json:"resource"`
	ScopeSpans []scopeSpans  `json:"scopeSpans"`
}

type scopeSpans struct {
	Scope struct {
		Name string `json:"name"`
	} `json:"scope"`
	Spans []spanMessage `json:"spans"`
}

type spanMessage struct {
	TraceID    string          `json:"traceId"`
	SpanID     string          `json:"spanId"`
	ParentID   string          `json:"parentSpanId,omitempty"`
	Name       string          `json:"name"`
	Kind       int             `json:"kind"`
	Start      string          `json:"startTimeUnixNano"`
	End        string          `json:"endTimeUnixNano"`
	Attributes []otlp.KeyValue `json:"attributes,omitempty"`
	Status     *status         `json:"status,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

const statusError = 2

func message(version string, batch []*Span) exportRequest {
	scope := scopeSpans{}
	scope.Scope.Name = "assertd"
	for _, s := range batch {
		scope.Spans = append(scope.Spans, s.message())
	}
	return exportRequest{[]resourceSpans{{otlp.Assertd(version), []scopeSpans{scope}}}}
}

func (s *Span) message() spanMessage {
	m := spanMessage{
		TraceID: hex.EncodeToString(s.trace[:]), SpanID: hex.EncodeToString(s.id[:]), Name: s.name, Kind: s.kind,
		Start: strconv.FormatInt(s.start.UnixNano(), 10), End: strconv.FormatInt(s.end.UnixNano(), 10),
	}
	if s.parent != [8]byte{} {
		m.ParentID = hex.EncodeToString(s.parent[:])
	}
	for _, a := range s.attributes {
		value := otlp.Value{Text: a.text}
		if a.text == "" {
			value.Int = strconv.FormatInt(a.n, 10)
		}
		m.Attributes = append(m.Attributes, otlp.KeyValue{Key: a.key, Value: value})
	}
	if s.failure != "" {
		m.Status = &status{statusError, s.failure}
	}
	return m
}
