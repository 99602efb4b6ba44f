package metrics

import "github.com/prometheus/client_golang/prometheus"

// Type is a Prometheus metric type.
type Type string

// The types that are used.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Metric is one row of the table: a metric, its labels and its meaning. Times
// are in seconds since 1970, durations in seconds.
type Metric struct {
	Name   string
	Type   Type
	Labels []string
	Help   string
}

var (
	buildInfo = Metric{"assertd_build_info", Gauge, []string{"version", "go_version"}, "Always 1. The labels identify the running build."}
	ready     = Metric{"assertd_ready", Gauge, nil, "1 if the daemon could sign with any key set when it last tried, and can record decisions; otherwise 0."}

	freezes        = Metric{"assertd_freezes", Gauge, nil, "Freezes in force: what operators have frozen with assertctl freeze, and nothing is signed for."}
	frozen         = Metric{"assertd_frozen", Gauge, []string{"scope", "client", "grant", "key"}, "1 for each freeze. scope: all, client, grant or key. The other labels name what is frozen."}
	frozenUntil    = Metric{"assertd_frozen_until_timestamp_seconds", Gauge, []string{"scope", "client", "grant", "key"}, "When the freeze ends. Absent if it lasts until somebody thaws it."}
	freezesUnsaved = Metric{"assertd_freezes_unsaved", Gauge, nil, "1 if a restart would lose a freeze, or bring back one that was thawed, because the freezes are not saved; otherwise 0."}

	storeUp       = Metric{"assertd_store_up", Gauge, nil, "1 if the server that the fleet shares (budgets.shared) answers, otherwise 0. Absent without one."}
	storeClock    = Metric{"assertd_store_clock_seconds", Gauge, nil, "How far the clock of the fleet's server is ahead of this host's. Absent before it has answered."}
	sharedState   = Metric{"assertd_shared_budgets", Gauge, []string{"state"}, "1 for the state of the rate windows with scope: fleet, 0 for the others: joining, shared, reporting or away. Absent without budgets.shared, or if no window has this scope."}
	sharedDaemons = Metric{"assertd_shared_budgets_daemons", Gauge, nil, "Daemons that the fleet's server heard of in the last seconds, with this one."}
	sharedCalls   = Metric{"assertd_shared_budgets_calls_total", Counter, []string{"result"}, "Calls of the fleet's server for shared budgets, by result: answered or failed."}
	sharedEpochs  = Metric{"assertd_shared_budgets_epochs_total", Counter, nil, "How often the fleet's server had nothing of what this daemon knew of shared budgets: once when it joined, and each time that the server lost its data."}

	policyInfo = Metric{"assertd_policy_info", Gauge, []string{"digest"}, "Always 1. The digest of the clients and key sets in force, which is the same on daemons that have the same."}

	requestsTotal   = Metric{"assertd_requests_total", Counter, []string{"route", "status"}, "Requests on the callers' sockets, by API path (none if no path matched) and HTTP status."}
	requestProblems = Metric{"assertd_request_problems_total", Counter, []string{"code"}, "Requests that returned a problem, by API code. A batch counts as one successful request, whatever its results are."}
	requestDuration = Metric{"assertd_request_duration_seconds", Histogram, []string{"route"}, "Time from a request's header to the last byte of its response."}
	connections     = Metric{"assertd_connections", Gauge, nil, "Connections that callers have open."}
	ownRefused      = Metric{"assertd_own_connections_refused_total", Counter, nil, "Connections of the daemon's own descendants that it refused. Only the code of a PKCS#11 module makes them."}
	connectionLimit = Metric{"assertd_connections_limit", Gauge, nil, "Maximum number of connections that callers can have open (limits.connections)."}

	assertionsTotal = Metric{"assertd_assertions_total", Counter, []string{"client", "grant", "key"}, "Assertions released. Those of a grant that a reload has just removed have empty labels."}
	signaturesTotal = Metric{"assertd_raw_signatures_total", Counter, []string{"client", "grant", "key"}, "Raw signatures released, with the same labels as assertd_assertions_total."}
	kubernetesTotal = Metric{"assertd_kubernetes_tokens_total", Counter, []string{"client", "grant", "key"}, "Tokens of Kubernetes service accounts signed for kube-apiserver, with the same labels as assertd_assertions_total."}
	refusalsTotal   = Metric{"assertd_refusals_total", Counter, []string{"client", "code"}, "Requests refused by policy or a limit, by API code. The client is empty if policy refused before it reached a client's grant."}
	failuresTotal   = Metric{"assertd_failures_total", Counter, []string{"client", "code"}, "Requests that were allowed but failed, by API code: problems for operators to fix."}
	budgetRemaining = Metric{"assertd_rate_budget_remaining", Gauge, []string{"client", "grant", "key", "window"}, "Signatures left in a rate window. A grant's window has the labels client and grant, a key set's has key."}
	budgetLimit     = Metric{"assertd_rate_budget_limit", Gauge, []string{"client", "grant", "key", "window"}, "Maximum number of signatures left in the same window: its burst, or its limit if it has no burst."}

	signDuration = Metric{"assertd_sign_duration_seconds", Histogram, []string{"key", "stage"}, "Time spent on a signature, by stage, including the daemon's own probes and checkpoint signatures. queue: waiting for a worker. worker: from then until the response, which includes session: waiting for a free PKCS#11 session, and module: inside the PKCS#11 module."}
	signErrors   = Metric{"assertd_sign_errors_total", Counter, []string{"key"}, "Signatures that failed, including the daemon's own probes and checkpoint signatures."}

	workers        = Metric{"assertd_workers", Gauge, []string{"token", "state"}, "Worker processes, by state: starting, ready, waiting, refused (the token doesn't take the PIN) or stopped."}
	tokenPIN       = Metric{"assertd_token_pin", Gauge, []string{"token", "state"}, "1 for the state of the token's PIN, otherwise 0: unknown, ok, count-low (wrong PINs were entered), final-try (the next wrong one locks the token), refused or locked."}
	workerInFlight = Metric{"assertd_worker_requests_in_flight", Gauge, []string{"token"}, "Requests in flight in a token's workers."}
	workerRestarts = Metric{"assertd_worker_restarts_total", Counter, []string{"token"}, "Worker processes that became ready as a replacement for another."}
	workerEvents   = Metric{"assertd_worker_events_total", Counter, []string{"token", "event"}, "Worker events: ready, exit, kill (hung past the deadline), corrupt (a signature that did not verify), failed (did not start), refused (the token doesn't take the PIN), pin (the token reports wrong PINs), resend and move (a signature sent to another worker)."}

	keySigning     = Metric{"assertd_key_signing", Gauge, []string{"key"}, "1 if a version of the key set can sign now, otherwise 0."}
	keyReady       = Metric{"assertd_key_ready", Gauge, []string{"key"}, "1 if the daemon could sign with the key set when it last tried, otherwise 0. Absent if no grant uses the key set."}
	keyRefused     = Metric{"assertd_key_refused", Gauge, []string{"key"}, "Key pairs of the key set that are not used because something is wrong with them. assertctl status says what."}
	keyVersions    = Metric{"assertd_key_versions", Gauge, []string{"key", "state"}, "Versions of the key set, by state."}
	keyCreated     = Metric{"assertd_key_version_created_timestamp_seconds", Gauge, []string{"key", "kid", "state"}, "When a version was created; its age is the time since then. Absent if the age of an adopted key is unknown."}
	keyNextChange  = Metric{"assertd_key_next_change_timestamp_seconds", Gauge, []string{"key"}, "When a version's state next changes on schedule. Absent if no change is scheduled."}
	keyDue         = Metric{"assertd_key_due_timestamp_seconds", Gauge, []string{"key"}, "Deadline for generating the next version so that it takes over on time. Absent if none is due."}
	keyLate        = Metric{"assertd_key_late", Gauge, []string{"key"}, "1 if the next version is overdue, otherwise 0. The current one continues to sign."}
	keyLost        = Metric{"assertd_key_lost", Gauge, []string{"key"}, "Published versions of the key set that disappeared from the token and are not revoked."}
	keyUncertified = Metric{"assertd_key_uncertified", Gauge, []string{"key"}, "Versions of the key set that sign or will sign and lack the certificate that a grant's profile needs. While an older version has one, it continues to sign."}
	jwksPublished  = Metric{"assertd_jwks_published_timestamp_seconds", Gauge, nil, "When the JWKS was last computed and published, which is at least once a minute; its age is the time since then."}
	jwksKeys       = Metric{"assertd_jwks_keys", Gauge, nil, "Keys in the JWKS."}
	jwksInfo       = Metric{"assertd_jwks_info", Gauge, []string{"digest"}, "Always 1. The digest of the JWKS, which is the same on daemons that publish the same keys. Absent before the first one is published."}
	jwksFailing    = Metric{"assertd_jwks_failing", Gauge, nil, "1 if the last attempt to publish the JWKS failed, otherwise 0. Receivers then still have the previous keys."}
	auditUp        = Metric{"assertd_audit_up", Gauge, nil, "1 if decisions can be recorded, otherwise 0."}
	auditRecords   = Metric{"assertd_audit_records_total", Counter, nil, "Records written to the audit log."}
	auditRefused   = Metric{"assertd_audit_refused_total", Counter, nil, "Records that could not be written. With audit.required, their requests were refused."}
	auditDuration  = Metric{"assertd_audit_append_duration_seconds", Histogram, nil, "How long a decision waits for its audit record."}
	auditPending   = Metric{"assertd_audit_pending", Gauge, nil, "Records waiting to be written."}
	auditUnsynced  = Metric{"assertd_audit_unsynced_seconds", Gauge, nil, "Age of the oldest record that is written but not yet synced to disk. Always 0 with sync: never."}
	auditBytes     = Metric{"assertd_audit_file_bytes", Gauge, nil, "Size of the audit log's current file."}
	auditLines     = Metric{"assertd_audit_lines", Gauge, nil, "Lines in all files of the audit log."}
	auditUncovered = Metric{"assertd_audit_uncovered_lines", Gauge, nil, "Lines after the latest signed checkpoint, which it does not cover. Absent without audit.checkpoint_key."}
	auditCovered   = Metric{"assertd_audit_checkpoint_timestamp_seconds", Gauge, nil, "When the latest checkpoint was signed. Absent if there is none."}
	auditSignFails = Metric{"assertd_audit_checkpoint_failing", Gauge, nil, "1 if the last attempt to sign a checkpoint failed, otherwise 0. Absent without audit.checkpoint_key."}
	auditAnchor    = Metric{"assertd_audit_anchor_failing", Gauge, nil, "1 if the newest checkpoint could not be stored in audit.anchor, otherwise 0. Absent without audit.checkpoint_key."}
	auditWitness   = Metric{"assertd_audit_witness_up", Gauge, []string{"witness"}, "1 if the witness has cosigned the newest checkpoint sent to it, otherwise 0."}
	auditCosigned  = Metric{"assertd_audit_witness_timestamp_seconds", Gauge, []string{"witness"}, "When the witness last cosigned a checkpoint. Absent if it has not since startup."}
	auditQuorum    = Metric{"assertd_audit_quorum_timestamp_seconds", Gauge, nil, "When audit.quorum witnesses had last cosigned a checkpoint. Absent if they have not since startup."}
	auditWitnessed = Metric{"assertd_audit_witnessed_lines", Gauge, nil, "Lines of the audit log that audit.quorum witnesses have cosigned since startup. Absent without witnesses."}
	auditShipUp    = Metric{"assertd_audit_ship_up", Gauge, []string{"destination"}, "1 if the audit log is being shipped to the destination, otherwise 0."}
	auditUnshipped = Metric{"assertd_audit_ship_pending_lines", Gauge, []string{"destination"}, "Lines of the audit log that have not arrived at the destination."}
	auditShipLag   = Metric{"assertd_audit_ship_lag_seconds", Gauge, []string{"destination"}, "Age of the oldest line that has not arrived at the destination. 0 if all have."}
	auditShipGap   = Metric{"assertd_audit_ship_missing_lines_total", Counter, []string{"destination"}, "Lines of the audit log that the destination never gets: removed or damaged before they were shipped, or rejected by it."}
	reloadSuccess  = Metric{"assertd_reload_success_timestamp_seconds", Gauge, nil, "When the current configuration was loaded: at startup, or at the last successful reload."}
	reloadFailure  = Metric{"assertd_reload_failure_timestamp_seconds", Gauge, nil, "When a reload was last refused. Absent if none was."}
	reloadFailed   = Metric{"assertd_reload_failed", Gauge, nil, "1 if the last reload was refused and the previous configuration is still in use, otherwise 0."}
)

// All returns the table in the order of docs/metrics.md.
func All() []Metric {
	return []Metric{
		buildInfo, policyInfo, ready, freezes, frozen, frozenUntil, freezesUnsaved, storeUp, storeClock,
		sharedState, sharedDaemons, sharedCalls, sharedEpochs,
		requestsTotal, requestProblems, requestDuration, connections, connectionLimit, ownRefused,
		assertionsTotal, signaturesTotal, kubernetesTotal, refusalsTotal, failuresTotal, budgetRemaining, budgetLimit,
		signDuration, signErrors,
		workers, tokenPIN, workerInFlight, workerRestarts, workerEvents,
		keySigning, keyReady, keyRefused, keyVersions, keyCreated, keyNextChange, keyDue, keyLate, keyLost, keyUncertified,
		jwksPublished, jwksKeys, jwksInfo, jwksFailing,
		auditUp, auditRecords, auditRefused, auditDuration, auditPending, auditUnsynced, auditBytes, auditLines,
		auditUncovered, auditCovered, auditSignFails, auditAnchor,
		auditWitness, auditCosigned, auditQuorum, auditWitnessed,
		auditShipUp, auditUnshipped, auditShipLag, auditShipGap,
		reloadSuccess, reloadFailure, reloadFailed,
	}
}

func (m Metric) counters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

// buckets range from a fast software token to a request that timed out.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func (m Metric) histograms() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: buckets}, m.Labels)
}

func (m Metric) describe() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
}
