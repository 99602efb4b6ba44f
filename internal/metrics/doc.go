// Package metrics counts and measures what the daemon does, for Prometheus.
//
// Every metric is one row of the table that [All] returns; docs/metrics.md is
// written from it, and the registry holds nothing else but what the Go runtime
// and the process report. Values of labels come from the configuration, from the
// versions on the tokens and from closed lists of the program. Nothing that a
// caller sends ever becomes one: a caller could make series without bound.
//
// What happens is counted as it happens ([Metrics.Request], [Metrics.Decision]
// and so on; each takes a lookup and an addition). What is, such as the state of
// a worker or what is left of a budget, is asked for when somebody scrapes.
package metrics
