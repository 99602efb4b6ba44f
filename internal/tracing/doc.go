// Package tracing sends spans of requests to an OpenTelemetry collector.
//
// It speaks OTLP over HTTP in its JSON form (OpenTelemetry protocol 1.x) and W3C
// Trace Context, and is not the OpenTelemetry SDK: four kinds of span need none of
// the SDK's machinery, and the SDK's exporter would bring gRPC and a dozen modules
// into a process that holds the way to signing keys.
//
// Spans are queued and sent in the background. Where the collector is away or slow,
// spans are dropped and counted; no request ever waits for one. A nil *Tracer traces
// nothing, and a nil *Span takes everything and does nothing, so that callers need
// no conditions.
package tracing
