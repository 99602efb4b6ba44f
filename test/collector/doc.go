// Package collector ships an audit log to the OTLP receiver of the
// OpenTelemetry Collector.
package collector
