package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/server"
)

// operatorStub is a daemon's operator side that rejects reloads.
type operatorStub struct{ drained chan struct{} }

func (o operatorStub) Fleet(context.Context) ipc.FleetResponse {
	return ipc.FleetResponse{Daemons: []ipc.FleetDaemon{}}
}

func (o operatorStub) Status(context.Context) (ipc.StatusResponse, error) {
	return ipc.StatusResponse{Version: "v1", Ready: ipc.ReadyResponse{Ready: true}}, nil
}
func (o operatorStub) Reload(context.Context) error { return errors.New("assertd.yaml:3:1: no") }
func (o operatorStub) RetryPIN(context.Context, caller.Caller) error {
	return errors.New("assertd.yaml:3:1: no PIN")
}
func (o operatorStub) ReopenLogs(context.Context) error { return nil }
func (o operatorStub) Freeze(_ context.Context, _ caller.Caller, req ipc.FreezeRequest) (ipc.FreezeResponse, error) {
	return ipc.FreezeResponse{Freeze: ipc.Freeze{FreezeTarget: req.FreezeTarget, Reason: req.Reason}, Warnings: []string{"careful"}}, nil
}
func (o operatorStub) Thaw(_ context.Context, _ caller.Caller, target ipc.FreezeTarget) (ipc.ThawResponse, error) {
	return ipc.ThawResponse{}, errors.New(target.String() + " is not frozen")
}
func (o operatorStub) Drain(context.Context) { close(o.drained) }

// serveOperator serves the operator's socket until the test ends.
func serveOperator(t *testing.T, side operatorStub, metrics string) *client.Operator {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "operator.sock")
	listener, err := peer.Listen(peer.Socket{Path: socket, Mode: server.OperatorMode})
	if err != nil {
		t.Fatal(err)
	}
	monitor := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, metrics) })
	operators := server.NewOperatorServer(side, server.OperatorOptions{Monitor: monitor})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- operators.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	o, err := client.NewOperator(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func TestOperator(t *testing.T) {
	side := operatorStub{make(chan struct{})}
	ctx, o := t.Context(), serveOperator(t, side, "up 1\n")
	if status, err := o.Status(ctx); err != nil || status.Version != "v1" || !status.Ready.Ready {
		t.Errorf("status %+v, %v", status, err)
	}
	if text, err := o.Metrics(ctx); err != nil || string(text) != "up 1\n" {
		t.Errorf("metrics %q, %v", text, err)
	}
	var problem *ipc.Problem
	if err := o.Reload(ctx); !errors.Is(err, ipc.CodeReloadRefused) || !errors.As(err, &problem) || problem.Detail != "assertd.yaml:3:1: no" {
		t.Errorf("reload: %v", err)
	}
	if err := o.RetryPIN(ctx); !errors.Is(err, ipc.CodeReloadRefused) || !errors.As(err, &problem) || problem.Detail != "assertd.yaml:3:1: no PIN" {
		t.Errorf("retry PIN: %v", err)
	}
	if err := o.ReopenLogs(ctx); err != nil {
		t.Errorf("reopen logs: %v", err)
	}
	target := ipc.FreezeTarget{Client: "a", Grant: "b"}
	frozen, err := o.Freeze(ctx, ipc.FreezeRequest{FreezeTarget: target, ForSeconds: 60, Reason: "why"})
	if err != nil || frozen.Freeze.FreezeTarget != target || frozen.Freeze.Reason != "why" || len(frozen.Warnings) != 1 {
		t.Errorf("freeze: %+v, %v", frozen, err)
	}
	if _, err := o.Thaw(ctx, target); !errors.Is(err, ipc.CodeFreezeRefused) || !errors.As(err, &problem) || problem.Detail != "grant a/b is not frozen" {
		t.Errorf("thaw: %v", err)
	}
	if err := o.Drain(ctx); err != nil {
		t.Errorf("drain: %v", err)
	}
	<-side.drained
}

// The status and the metrics of 10,000 clients are larger than any response to
// a caller.
func TestOperatorReadsLongResponses(t *testing.T) {
	metrics := strings.Repeat("up 1\n", 4<<20)
	o := serveOperator(t, operatorStub{}, metrics)
	if text, err := o.Metrics(t.Context()); err != nil || string(text) != metrics {
		t.Errorf("%d bytes of %d, %v", len(text), len(metrics), err)
	}
}

func TestOperatorWithoutDaemon(t *testing.T) {
	o, err := client.NewOperator(filepath.Join(t.TempDir(), "none.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Status(t.Context()); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
