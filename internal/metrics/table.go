package metrics

import "github.com/prometheus/client_golang/prometheus"

// Type is a type of metric, by Prometheus' name for it.
type Type string

// The types in use.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Metric is one row of the table: a metric with its labels and its meaning. Times
// are seconds since 1970, durations seconds.
type Metric struct {
	Name   string
	Type   Type
	Labels []string
	Help   string
}

var (
	buildInfo = Metric{"assertd_build_info", Gauge, []string{"version", "go_version"}, "Always 1; the labels say which build runs."}
	ready     = Metric{"assertd_ready", Gauge, nil, "1 if the daemon could sign when it last tried and can record decisions, else 0."}

	requestsTotal   = Metric{"assertd_requests_total", Counter, []string{"route", "status"}, "Requests answered on the callers' sockets, by path of the API (none where no path matched) and HTTP status."}
	requestProblems = Metric{"assertd_request_problems_total", Counter, []string{"code"}, "Requests answered with a problem, by the API's code. A batch is one request and answered whole, whatever its results are."}
	requestDuration = Metric{"assertd_request_duration_seconds", Histogram, []string{"route"}, "Time from a request's header to the last byte of its answer."}
	connections     = Metric{"assertd_connections", Gauge, nil, "Connections that callers hold open."}
	connectionLimit = Metric{"assertd_connections_limit", Gauge, nil, "Connections that callers may hold open (limits.connections)."}

	assertionsTotal = Metric{"assertd_assertions_total", Counter, []string{"client", "grant", "key"}, "Assertions released. Those of a grant that a reload has just removed are counted under empty labels."}
	signaturesTotal = Metric{"assertd_raw_signatures_total", Counter, []string{"client", "grant", "key"}, "Raw signatures released, labelled as assertd_assertions_total."}
	refusalsTotal   = Metric{"assertd_refusals_total", Counter, []string{"client", "code"}, "Decisions against the caller, by the API's code. The client is empty where policy refused before it came to one client's grant."}
	failuresTotal   = Metric{"assertd_failures_total", Counter, []string{"client", "code"}, "Decisions that the daemon could not carry out, by the API's code: what the operators have to mend."}
	budgetRemaining = Metric{"assertd_rate_budget_remaining", Gauge, []string{"client", "grant", "key", "window"}, "Signatures that a rate window has left at this moment. A grant's window has client and grant, a key set's has key."}
	budgetLimit     = Metric{"assertd_rate_budget_limit", Gauge, []string{"client", "grant", "key", "window"}, "Signatures that the same window can have left at most: its burst, or its limit where it has none."}

	signDuration = Metric{"assertd_sign_duration_seconds", Histogram, []string{"key", "stage"}, "Where a signature's time went, the daemon's own probes included. Stage queue: waiting for a worker. worker: from then until the answer was back, of which session: waiting for a free PKCS#11 session, and module: inside the PKCS#11 module."}
	signErrors   = Metric{"assertd_sign_errors_total", Counter, []string{"key"}, "Signatures that no worker made, the daemon's own probes included."}

	workers        = Metric{"assertd_workers", Gauge, []string{"token", "state"}, "Worker processes by state: starting, ready, waiting, refused (the token refused the PIN), stopped."}
	workerInFlight = Metric{"assertd_worker_requests_in_flight", Gauge, []string{"token"}, "Requests that the workers of a token hold."}
	workerRestarts = Metric{"assertd_worker_restarts_total", Counter, []string{"token"}, "Worker processes that became ready after the first in their place."}
	workerEvents   = Metric{"assertd_worker_events_total", Counter, []string{"token", "event"}, "What happened to workers: ready, exit, kill (hung past the deadline), corrupt (a signature that did not verify), failed (no start), refused (the PIN), resend and move (a signature given to another worker)."}

	keySigning     = Metric{"assertd_key_signing", Gauge, []string{"key"}, "1 if a version of the key set may sign now, else 0."}
	keyVersions    = Metric{"assertd_key_versions", Gauge, []string{"key", "state"}, "Versions of the key set by what they are at this moment."}
	keyCreated     = Metric{"assertd_key_version_created_timestamp_seconds", Gauge, []string{"key", "kid", "state"}, "When a version was made; its age is the time since. Left out where the age of an adopted key is unknown."}
	keyNextChange  = Metric{"assertd_key_next_change_timestamp_seconds", Gauge, []string{"key"}, "When time alone next changes the state of a version. Left out where it will not."}
	keyDue         = Metric{"assertd_key_due_timestamp_seconds", Gauge, []string{"key"}, "When the next version must have been made to take over in time. Left out where none is due."}
	keyLate        = Metric{"assertd_key_late", Gauge, []string{"key"}, "1 if the next version is overdue, else 0. The present one goes on signing."}
	keyLost        = Metric{"assertd_key_lost", Gauge, []string{"key"}, "Published versions of the key set that vanished from the token and are not revoked."}
	jwksPublished  = Metric{"assertd_jwks_published_timestamp_seconds", Gauge, nil, "When the JWKS was last computed and published; its age is the time since. Once a minute at least."}
	jwksKeys       = Metric{"assertd_jwks_keys", Gauge, nil, "Keys in the JWKS."}
	jwksFailing    = Metric{"assertd_jwks_failing", Gauge, nil, "1 if the last attempt to publish the JWKS failed, else 0. Receivers then have the former keys."}
	auditUp        = Metric{"assertd_audit_up", Gauge, nil, "1 if decisions can be recorded, else 0."}
	auditRecords   = Metric{"assertd_audit_records_total", Counter, nil, "Records written to the audit log."}
	auditRefused   = Metric{"assertd_audit_refused_total", Counter, nil, "Records that could not be written, and with audit.required the requests refused for it."}
	auditDuration  = Metric{"assertd_audit_append_duration_seconds", Histogram, nil, "The audit log's lag: how long a decision waits for its record."}
	auditPending   = Metric{"assertd_audit_pending", Gauge, nil, "Records that wait for the writer."}
	auditUnsynced  = Metric{"assertd_audit_unsynced_seconds", Gauge, nil, "Age of the oldest record that is written but not yet forced to the disk. With sync: never it stays 0, since nobody asks when the system writes."}
	auditBytes     = Metric{"assertd_audit_file_bytes", Gauge, nil, "Size of the current file of the audit log."}
	auditLines     = Metric{"assertd_audit_lines", Gauge, nil, "Lines of the whole series of files."}
	auditUncovered = Metric{"assertd_audit_uncovered_lines", Gauge, nil, "Lines after the newest signed checkpoint, which it does not prove. Left out without audit.checkpoint_key."}
	auditCovered   = Metric{"assertd_audit_checkpoint_timestamp_seconds", Gauge, nil, "When the newest checkpoint was signed. Left out where none was."}
	auditSignFails = Metric{"assertd_audit_checkpoint_failing", Gauge, nil, "1 if the last attempt to sign a checkpoint failed, else 0. Left out without audit.checkpoint_key."}
	reloadSuccess  = Metric{"assertd_reload_success_timestamp_seconds", Gauge, nil, "When the configuration in force was read: at start, or at the last reload that took effect."}
	reloadFailure  = Metric{"assertd_reload_failure_timestamp_seconds", Gauge, nil, "When a reload was last refused. Left out where none was."}
	reloadFailed   = Metric{"assertd_reload_failed", Gauge, nil, "1 if the last reload was refused and the former configuration is in force, else 0."}
)

// All returns the table in the order of the documentation.
func All() []Metric {
	return []Metric{
		buildInfo, ready,
		requestsTotal, requestProblems, requestDuration, connections, connectionLimit,
		assertionsTotal, signaturesTotal, refusalsTotal, failuresTotal, budgetRemaining, budgetLimit,
		signDuration, signErrors,
		workers, workerInFlight, workerRestarts, workerEvents,
		keySigning, keyVersions, keyCreated, keyNextChange, keyDue, keyLate, keyLost,
		jwksPublished, jwksKeys, jwksFailing,
		auditUp, auditRecords, auditRefused, auditDuration, auditPending, auditUnsynced, auditBytes, auditLines,
		auditUncovered, auditCovered, auditSignFails,
		reloadSuccess, reloadFailure, reloadFailed,
	}
}

func (m Metric) counters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

// buckets reach from a fast software token to a request that timed out.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func (m Metric) histograms() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: buckets}, m.Labels)
}

func (m Metric) describe() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
}
