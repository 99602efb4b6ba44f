package tracing

import (
	"encoding/hex"
	"strconv"
)

// The types below are the OpenTelemetry protocol's ExportTraceServiceRequest in
// JSON, which has IDs in hexadecimal and 64-bit numbers as strings.

type exportRequest struct {
	ResourceSpans []resourceSpans `json:"resourceSpans"`
}

type resourceSpans struct {
	Resource   resource     `json:"resource"`
	ScopeSpans []scopeSpans `json:"scopeSpans"`
}

type resource struct {
	Attributes []keyValue `json:"attributes"`
}

type scopeSpans struct {
	Scope struct {
		Name string `json:"name"`
	} `json:"scope"`
	Spans []spanMessage `json:"spans"`
}

type spanMessage struct {
	TraceID    string     `json:"traceId"`
	SpanID     string     `json:"spanId"`
	ParentID   string     `json:"parentSpanId,omitempty"`
	Name       string     `json:"name"`
	Kind       int        `json:"kind"`
	Start      string     `json:"startTimeUnixNano"`
	End        string     `json:"endTimeUnixNano"`
	Attributes []keyValue `json:"attributes,omitempty"`
	Status     *status    `json:"status,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

const statusError = 2

type keyValue struct {
	Key   string   `json:"key"`
	Value anyValue `json:"value"`
}

type anyValue struct {
	Text string `json:"stringValue,omitempty"`
	Int  string `json:"intValue,omitempty"`
}

func message(version string, batch []*Span) exportRequest {
	scope := scopeSpans{}
	scope.Scope.Name = "assertd"
	for _, s := range batch {
		scope.Spans = append(scope.Spans, s.message())
	}
	process := resource{Attributes: []keyValue{
		{"service.name", anyValue{Text: "assertd"}}, {"service.version", anyValue{Text: version}},
	}}
	return exportRequest{[]resourceSpans{{process, []scopeSpans{scope}}}}
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
		value := anyValue{Text: a.text}
		if a.text == "" {
			value.Int = strconv.FormatInt(a.n, 10)
		}
		m.Attributes = append(m.Attributes, keyValue{a.key, value})
	}
	if s.failure != "" {
		m.Status = &status{statusError, s.failure}
	}
	return m
}
