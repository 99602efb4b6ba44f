// Package metrics exports the daemon's metrics for Prometheus.
//
// Every metric is a row of the table that [All] returns. docs/metrics.md is
// generated from it, and the registry has nothing else except the Go runtime's
// and the process's metrics. Label values come from the configuration, the
// versions on the tokens, and closed lists in the program. Nothing that a
// caller sends becomes a label value: it could create an unlimited number of
// series.
//
// Events are counted as they happen ([Metrics.Request], [Metrics.Recorded] and
// so on; each costs a lookup and an addition). State, such as that of workers
// and budgets, is read on each scrape.
package metrics
