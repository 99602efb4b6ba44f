package ship

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/otlp"
)

// Collector is an OpenTelemetry collector that takes logs by OTLP over HTTP.
type Collector struct {
	Endpoint string // URL, which usually ends in /v1/logs
	TLS      Certificates
	Version  string // of this program
}

func (c Collector) String() string { return "otlp:" + c.Endpoint }

func (c Collector) connect(context.Context) (connection, error) {
	settings, err := c.TLS.config()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = settings
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &collectorConnection{to: c, client: http.Client{Transport: transport, CheckRedirect: noRedirect}}, nil
}

// collectorConnection has the answers of a collector: a line has arrived when
// its request is answered.
type collectorConnection struct {
	to      Collector
	client  http.Client
	arrived int64
}

// send posts the lines.
func (c *collectorConnection) send(ctx context.Context, lines []audit.Line) (rejected int64, err error) {
	body, err := json.Marshal(newExportRequest(c.to.Version, lines))
	if err != nil {
		return 0, err
	}
	answer, err := c.post(ctx, body)
	if err != nil {
		return 0, err
	}
	if rejected, err = rejectedLines(answer); err == nil {
		c.arrived += int64(len(lines))
	}
	return rejected, err
}

func (c *collectorConnection) post(ctx context.Context, body []byte) (answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.to.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the collector returned %s; check that the URL ends in /v1/logs and that it accepts OTLP over HTTP", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, 64<<10))
}

// rejectedLines returns how many lines the collector refused. The protocol
// forbids to send them again.
func rejectedLines(answer []byte) (int64, error) {
	var r struct {
		PartialSuccess struct {
			RejectedLogRecords json.Number `json:"rejectedLogRecords"` // a 64-bit number, so a string
		} `json:"partialSuccess"`
	}
	if len(answer) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return 0, fmt.Errorf("the collector's answer is not OTLP in JSON: %w", err)
	}
	if r.PartialSuccess.RejectedLogRecords == "" {
		return 0, nil
	}
	return r.PartialSuccess.RejectedLogRecords.Int64()
}

func (c *collectorConnection) delivered() (int64, error) { return c.arrived, nil }

func (c *collectorConnection) close() { c.client.CloseIdleConnections() }

// The types below are the OpenTelemetry protocol's ExportLogsServiceRequest in
// JSON, which has 64-bit numbers as strings.

type exportRequest struct {
	ResourceLogs []resourceLogs `json:"resourceLogs"`
}

type resourceLogs struct {
	Resource  otlp.Resource `json:"resource"`
	ScopeLogs []scopeLogs   `json:"scopeLogs"`
}

type scopeLogs struct {
	Scope struct {
		Name string `json:"name"`
	} `json:"scope"`
	LogRecords []logRecord `json:"logRecords"`
}

type logRecord struct {
	Time         string          `json:"timeUnixNano,omitempty"`
	Severity     int             `json:"severityNumber"`
	SeverityText string          `json:"severityText"`
	EventName    string          `json:"eventName"`
	Body         otlp.Value      `json:"body"`
	Attributes   []otlp.KeyValue `json:"attributes"`
}

const severityInfo = 9

func newExportRequest(version string, lines []audit.Line) exportRequest {
	scope := scopeLogs{}
	scope.Scope.Name = "assertd/audit"
	for _, line := range lines {
		scope.LogRecords = append(scope.LogRecords, newLogRecord(line))
	}
	return exportRequest{[]resourceLogs{{otlp.Assertd(version), []scopeLogs{scope}}}}
}

// newLogRecord makes the whole line the body, so that a receiver can verify it.
func newLogRecord(line audit.Line) logRecord {
	r := logRecord{
		Severity: severityInfo, SeverityText: "INFO", EventName: "assertd.audit." + line.Kind, Body: otlp.Value{Text: string(line.Text)},
		Attributes: []otlp.KeyValue{{Key: "audit.seq", Value: otlp.Value{Int: strconv.FormatInt(line.Seq, 10)}}},
	}
	if !line.Time.IsZero() {
		r.Time = strconv.FormatInt(line.Time.UnixNano(), 10)
	}
	return r
}
