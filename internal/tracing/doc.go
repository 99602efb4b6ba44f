// Package tracing sends spans of requests to an OpenTelemetry collector.
//
// It uses OTLP over HTTP with JSON (OpenTelemetry protocol 1.x) and W3C Trace
// Context, but not the OpenTelemetry SDK: four kinds of spans don't need the
// SDK's machinery, and its exporter would bring gRPC and a dozen modules into a
// process that has access to signing keys.
//
// Spans are queued and sent in the background. If the collector is down or
// slow, spans are dropped and counted; requests never wait for them. The
// methods of a nil *Tracer and a nil *Span do nothing. The hot path checks for
// nil anyway, to save what the arguments cost.
package tracing
