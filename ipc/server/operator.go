package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
)

// OperatorMode is the mode of the operator's socket. Only the daemon's user and
// root may connect.
const OperatorMode = 0o600

// Operator handles the requests on the operator's socket. It must be safe for
// concurrent use.
type Operator interface {
	// Status describes the state of the daemon, with internal details.
	Status(ctx context.Context) (ipc.StatusResponse, error)
	// Fleet lists the daemons that share a server with this one.
	Fleet(ctx context.Context) ipc.FleetResponse
	// Reload reloads the configuration. The error says why the daemon refused it,
	// and is sent to the operator in full.
	Reload(ctx context.Context) error
	// RetryPIN is Reload, and tries each PIN once more that a token refused or
	// that could lock it. Who asked for that is recorded first.
	RetryPIN(ctx context.Context, from caller.Caller) error
	// ReopenLogs makes the daemon open its log files again, after something has
	// moved them away, and nothing else.
	ReopenLogs(ctx context.Context) error
	// Freeze stops signing for a client, a grant, a key set or all of them, at
	// once, and Thaw ends that. From is recorded. The error says why nothing has
	// changed, and is sent to the operator in full.
	Freeze(ctx context.Context, from caller.Caller, req ipc.FreezeRequest) (ipc.FreezeResponse, error)
	Thaw(ctx context.Context, from caller.Caller, target ipc.FreezeTarget) (ipc.ThawResponse, error)
	// Drain makes the daemon refuse new requests, finish those in flight, and
	// exit. It returns at once.
	Drain(ctx context.Context)
}

// OperatorOptions of an [OperatorServer].
type OperatorOptions struct {
	Logger logging.Logger // default: none
	// Monitor serves GET /metrics, /healthz and /readyz. Prometheus and load
	// balancers reach the same handler over TCP.
	Monitor http.Handler
	// Family is the daemon's descendants, who are refused; nil for none.
	Family *descent.Family
}

// OperatorServer serves the operator's API (operator.yaml) on its own socket.
// Make it with [NewOperatorServer].
type OperatorServer struct {
	operator Operator
	opts     OperatorOptions
	log      throttledLog
}

// NewOperatorServer makes a server; it starts nothing.
func NewOperatorServer(operator Operator, opts OperatorOptions) *OperatorServer {
	if opts.Logger == nil {
		opts.Logger = logging.Discard
	}
	if opts.Monitor == nil {
		opts.Monitor = http.NotFoundHandler()
	}
	return &OperatorServer{operator: operator, opts: opts, log: throttledLog{opts.Logger, logging.NewThrottle(time.Now)}}
}

// operatorRoute is one call of the operators' API.
type operatorRoute struct {
	method, path string
	handle       func(*OperatorServer, http.ResponseWriter, *http.Request) error
}

// operatorRoutes is the whole API for operators.
var operatorRoutes = []operatorRoute{
	{http.MethodGet, "/v1/status", (*OperatorServer).status},
	{http.MethodGet, "/v1/fleet", (*OperatorServer).fleet},
	{http.MethodGet, "/v1/metrics", (*OperatorServer).metrics},
	{http.MethodPost, "/v1/reload", (*OperatorServer).reload},
	{http.MethodPost, "/v1/retry-pin", (*OperatorServer).retryPIN},
	{http.MethodPost, "/v1/reopen-logs", (*OperatorServer).reopenLogs},
	{http.MethodPost, "/v1/freeze", (*OperatorServer).freeze},
	{http.MethodPost, "/v1/thaw", (*OperatorServer).thaw},
	{http.MethodPost, "/v1/drain", (*OperatorServer).drain},
	{http.MethodGet, "/metrics", (*OperatorServer).monitor},
	{http.MethodGet, "/healthz", (*OperatorServer).monitor},
	{http.MethodGet, "/readyz", (*OperatorServer).monitor},
}

func isOperatorPath(path string) bool {
	return slices.ContainsFunc(operatorRoutes, func(one operatorRoute) bool { return one.path == path })
}

// Serve serves the listener until ctx ends, and finishes requests in flight. It
// always closes the listener. Call it once.
func (s *OperatorServer) Serve(ctx context.Context, l *peer.Listener) error {
	web := &http.Server{
		Handler: s, ConnContext: connContext, ErrorLog: log.New(webLog{s.opts.Logger}, "", 0),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(operatorListener{l, s}) }()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve %s: %w", l.Path(), err), l.Close())
	case <-ctx.Done():
	}
	err := l.Close()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if web.Shutdown(ending) != nil {
		err = errors.Join(err, web.Close())
	}
	<-failed
	return err
}

// ServeHTTP answers one request.
func (s *OperatorServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if misframed(r) {
		w.Header()["Connection"] = closing
	}
	err := s.route(w, r)
	if err == nil {
		return
	}
	var problem *ipc.Problem
	if !errors.As(err, &problem) {
		s.opts.Logger.Error("operator request failed", "path", r.URL.Path, "error", err)
		problem = ipc.NewProblem(ipc.CodeInternal, "")
	}
	writeJSON(w, problem.Status, problemType, problem)
}

func (s *OperatorServer) route(w http.ResponseWriter, r *http.Request) error {
	for _, one := range operatorRoutes {
		if one.path != r.URL.Path {
			continue
		}
		if one.method != r.Method {
			w.Header().Set("Allow", one.method)
			return ipc.Problemf(ipc.CodeMethodNotAllowed, "Use %s for this path.", one.method)
		}
		return one.handle(s, w, r)
	}
	if slices.Contains(Routes(), r.URL.Path) {
		return ipc.NewProblem(ipc.CodeNotFound, "Only callers' sockets have this path, and this is the operator socket.")
	}
	return ipc.NewProblem(ipc.CodeNotFound, "The operator's API has /v1/status, /v1/fleet, /v1/metrics, /v1/reload, /v1/retry-pin, /v1/reopen-logs, /v1/freeze, /v1/thaw and /v1/drain. Callers have their own socket.")
}

func (s *OperatorServer) status(w http.ResponseWriter, r *http.Request) error {
	status, err := s.operator.Status(r.Context())
	if err == nil {
		writeJSON(w, http.StatusOK, jsonType, status)
	}
	return err
}

func (s *OperatorServer) fleet(w http.ResponseWriter, r *http.Request) error {
	writeJSON(w, http.StatusOK, jsonType, s.operator.Fleet(r.Context()))
	return nil
}

func (s *OperatorServer) metrics(w http.ResponseWriter, r *http.Request) error {
	http.StripPrefix("/v1", s.opts.Monitor).ServeHTTP(w, r)
	return nil
}

func (s *OperatorServer) monitor(w http.ResponseWriter, r *http.Request) error {
	s.opts.Monitor.ServeHTTP(w, r)
	return nil
}

func (s *OperatorServer) reload(w http.ResponseWriter, r *http.Request) error {
	s.opts.Logger.Info("reload requested on the operator socket", operatorFields(r)...)
	return reloaded(w, s.operator.Reload(r.Context()))
}

func (s *OperatorServer) retryPIN(w http.ResponseWriter, r *http.Request) error {
	s.opts.Logger.Info("another attempt with the PIN requested on the operator socket", operatorFields(r)...)
	return reloaded(w, s.operator.RetryPIN(r.Context(), operatorOf(r)))
}

func reloaded(w http.ResponseWriter, err error) error {
	if err != nil {
		return ipc.NewProblem(ipc.CodeReloadRefused, err.Error())
	}
	writeJSON(w, http.StatusOK, jsonType, ipc.ReloadResponse{Reloaded: true})
	return nil
}

func (s *OperatorServer) reopenLogs(w http.ResponseWriter, r *http.Request) error {
	if err := s.operator.ReopenLogs(r.Context()); err != nil {
		return ipc.NewProblem(ipc.CodeAuditUnavailable, err.Error())
	}
	writeJSON(w, http.StatusOK, jsonType, ipc.ReopenResponse{Reopened: true})
	return nil
}

func (s *OperatorServer) drain(w http.ResponseWriter, r *http.Request) error {
	s.opts.Logger.Info("drain requested on the operator socket", operatorFields(r)...)
	s.operator.Drain(r.Context())
	writeJSON(w, http.StatusAccepted, jsonType, ipc.DrainResponse{Draining: true})
	return nil
}

func writeJSON(w http.ResponseWriter, status int, mediaType []string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "can't encode the response", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = mediaType, noStore
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // an error means that the operator is gone
}

// operatorConn is the connection of an operator.
type operatorConn struct {
	*net.UnixConn
	from caller.Caller
}

func operatorOf(r *http.Request) caller.Caller {
	if c, ok := r.Context().Value(connKey{}).(*operatorConn); ok {
		return c.from
	}
	return caller.Caller{}
}

func operatorFields(r *http.Request) []any {
	from := operatorOf(r)
	return []any{"uid", from.UID, "pid", from.PID}
}

// operatorListener accepts only the daemon's user and root. The socket's mode
// does the same, unless somebody has changed it.
type operatorListener struct {
	*peer.Listener
	server *OperatorServer
}

var errNotOperator = errors.New("only root and the daemon's user are operators")

// admit returns who made a connection if that is an operator.
func (s *OperatorServer) admit(conn *net.UnixConn) (caller.Caller, error) {
	from, err := peer.Credentials(conn)
	if err == nil && from.UID != 0 && from.UID != uint32(os.Geteuid()) {
		err = errNotOperator
	}
	if err == nil {
		err = peer.RefuseDescendant(conn, from, s.opts.Family)
	}
	return from, err
}

// Accept returns the next connection of an operator.
func (l operatorListener) Accept() (net.Conn, error) {
	for {
		raw, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		c := &operatorConn{UnixConn: raw}
		if c.from, err = l.server.admit(raw); err == nil {
			return c, nil
		}
		l.server.log.warn("refused a connection to the operator socket", "uid", c.from.UID, "pid", c.from.PID, "error", err)
		raw.Close()
	}
}
