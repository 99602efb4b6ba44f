package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/audit/ship"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

// TestShippedToCollector: every line arrives, in order and unchanged, although
// the collector is not there at first and then restarts.
func TestShippedToCollector(t *testing.T) {
	file, address := filepath.Join(t.TempDir(), "audit.jsonl"), freeAddress(t)
	l, shipper := own(t, file, "http://"+address+"/v1/logs")
	add(t, l, 200)
	await(t, "an error", func() bool { return state(shipper, l).Error != "" })
	first := receive(t, address)
	await(t, "all lines", func() bool { return state(shipper, l).Pending == 0 })
	check(t, first.receiver.Shutdown(t.Context()))
	add(t, l, 200)
	second := receive(t, address)
	await(t, "all lines", func() bool { return state(shipper, l).Pending == 0 })
	check(t, second.receiver.Shutdown(t.Context()))
	content, err := os.ReadFile(file)
	check(t, err)
	got := append(first.lines(t), second.lines(t)...)
	if want := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines arrived, %d are in the log", len(got), len(want))
	}
}

// TestRefusedByCollector: lines that a collector's pipeline refuses for good,
// and requests that it finds too large, don't hold up the other lines.
func TestRefusedByCollector(t *testing.T) {
	file, address := filepath.Join(t.TempDir(), "audit.jsonl"), freeAddress(t)
	l, shipper := own(t, file, "http://"+address+"/v1/logs")
	for i := range 300 {
		jti := fmt.Sprint(i)
		if i%100 == 50 {
			jti = "poison"
		}
		check(t, l.Append(t.Context(), audit.Record{Kind: audit.KindAssertion, JTI: jti, Outcome: audit.OutcomeAllowed}))
	}
	c := receiveWith(t, address, map[string]any{"max_request_body_size": 20_000}, func(logs plog.Logs) error {
		if text, _ := (&plog.JSONMarshaler{}).MarshalLogs(logs); bytes.Contains(text, []byte("poison")) {
			return consumererror.NewPermanent(errors.New("it has poison"))
		}
		return nil
	})
	await(t, "all lines", func() bool { return state(shipper, l).Pending == 0 })
	check(t, c.receiver.Shutdown(t.Context()))
	content, err := os.ReadFile(file)
	check(t, err)
	want := slices.DeleteFunc(strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"), func(line string) bool {
		return strings.Contains(line, "poison")
	})
	if got := c.lines(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines arrived, want %d", len(got), len(want))
	}
	if s := state(shipper, l); s.Missing != 3 || s.Error != "" {
		t.Errorf("%d lines are missing, error %q", s.Missing, s.Error)
	}
}

// collector is a running receiver and what it received.
type collector struct {
	receiver component.Component
	sink     consumertest.LogsSink
}

func receive(t *testing.T, address string) *collector {
	t.Helper()
	return receiveWith(t, address, map[string]any{}, func(plog.Logs) error { return nil })
}

// receiveWith runs a receiver with these settings, before a pipeline that takes
// what judge has no error for.
func receiveWith(t *testing.T, address string, http map[string]any, judge func(plog.Logs) error) *collector {
	t.Helper()
	factory := otlpreceiver.NewFactory()
	settings := factory.CreateDefaultConfig()
	http["endpoint"] = address
	check(t, confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": http}}).Unmarshal(settings))
	c := &collector{}
	pipeline, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		if err := judge(logs); err != nil {
			return err
		}
		return c.sink.ConsumeLogs(ctx, logs)
	})
	check(t, err)
	r, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(factory.Type()), settings, pipeline)
	check(t, err)
	check(t, r.Start(t.Context(), componenttest.NewNopHost()))
	c.receiver = r
	return c
}

// lines returns the bodies, each once, and checks what goes with them.
func (c *collector) lines(t *testing.T) (lines []string) {
	t.Helper()
	last := int64(-1)
	for _, logs := range c.sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			if name, _ := resource.Resource().Attributes().Get("service.name"); name.Str() != "assertd" {
				t.Errorf("service.name is %q", name.Str())
			}
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					seq, _ := record.Attributes().Get("audit.seq")
					if record.Timestamp() == 0 || record.SeverityText() != "INFO" || record.EventName() == "" {
						t.Errorf("record %d has time %s, severity %q, event %q", seq.Int(), record.Timestamp(), record.SeverityText(), record.EventName())
					}
					if seq.Int() > last {
						last, lines = seq.Int(), append(lines, record.Body().Str())
					}
				}
			}
		}
	}
	return lines
}

func own(t *testing.T, file, endpoint string) (*audit.Log, *ship.Shipper) {
	t.Helper()
	l, err := audit.Open(audit.Options{File: file, Interval: 50 * time.Millisecond})
	check(t, err)
	s := ship.New(ship.Options{
		File: file, Log: l, Destinations: []ship.Destination{ship.Collector{Endpoint: endpoint, Version: "test"}},
		Now: time.Now, Logger: logging.Discard,
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- l.Run(ctx) }()
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		check(t, errors.Join(<-ended, <-ended, l.Close()))
	})
	return l, s
}

func add(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		check(t, l.Append(t.Context(), audit.Record{Kind: audit.KindAssertion, JTI: fmt.Sprint("é\"", i), Outcome: audit.OutcomeAllowed}))
	}
}

func state(s *ship.Shipper, l *audit.Log) ipc.ShipStatus {
	status := l.Status().AuditStatus
	s.Report(&status)
	return status.Ship[0]
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
