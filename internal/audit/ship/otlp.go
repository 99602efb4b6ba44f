package ship

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	limit   int // bytes of lines that one request may have, once the collector found one too large; 0 before
	arrived int64
}

// send posts the lines in as few requests as the collector takes. It returns an
// error if the collector takes none of them: then its configuration or its URL
// is at fault, not the lines, so they wait.
func (c *collectorConnection) send(ctx context.Context, lines []audit.Line) (rejection, error) {
	lost, err := c.offer(ctx, lines)
	if err == nil && lost.refused == int64(len(lines)) {
		err = lost.why
	}
	if err != nil {
		return rejection{}, err
	}
	c.arrived += int64(len(lines))
	return rejection{lines: lost.refused + lost.rejected, why: lost.why}, nil
}

// unwanted is how many of the lines that were offered a collector will never
// take.
type unwanted struct {
	refused  int64 // each by itself, with a status
	rejected int64 // from requests that succeeded in part
	why      error // of the last one
}

// offer posts the lines. If the collector refuses them for what they are, it
// offers each half, down to the single lines that the collector refuses.
func (c *collectorConnection) offer(ctx context.Context, lines []audit.Line) (unwanted, error) {
	if len(lines) > 1 && c.limit > 0 && textSize(lines) > c.limit {
		return c.halves(ctx, lines)
	}
	lost, err := c.export(ctx, lines)
	var no *statusError
	if !errors.As(err, &no) || !no.refusal() {
		return lost, err
	}
	if len(lines) == 1 {
		return unwanted{refused: 1, why: fmt.Errorf("record %d: %w", lines[0].Seq, err)}, nil
	}
	if no.code == http.StatusRequestEntityTooLarge {
		c.limit = textSize(lines) / 2
	}
	return c.halves(ctx, lines)
}

func (c *collectorConnection) halves(ctx context.Context, lines []audit.Line) (unwanted, error) {
	first, err := c.offer(ctx, lines[:len(lines)/2])
	if err != nil {
		return first, err
	}
	second, err := c.offer(ctx, lines[len(lines)/2:])
	if second.why == nil {
		second.why = first.why
	}
	second.refused, second.rejected = second.refused+first.refused, second.rejected+first.rejected
	return second, err
}

func textSize(lines []audit.Line) (bytes int) {
	for _, line := range lines {
		bytes += len(line.Text)
	}
	return bytes
}

// export makes one request. A server error of a single line is not believed at
// once, since it may come from one of several collectors behind an address.
func (c *collectorConnection) export(ctx context.Context, lines []audit.Line) (unwanted, error) {
	body, err := json.Marshal(newExportRequest(c.to.Version, lines))
	if err != nil {
		return unwanted{}, err
	}
	answer, err := c.post(ctx, body)
	for range 2 {
		var no *statusError
		if len(lines) > 1 || !errors.As(err, &no) || !no.refusal() || no.code < 500 {
			break
		}
		answer, err = c.post(ctx, body)
	}
	if err != nil {
		return unwanted{}, err
	}
	lost, err := rejectedLines(answer)
	lost.rejected = min(lost.rejected, int64(len(lines)))
	return lost, err
}

func (c *collectorConnection) post(ctx context.Context, body []byte) (answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
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
	answer, err = io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 != 2 {
		return nil, newStatusError(response, answer)
	}
	return answer, err
}

// rejectedLines returns how many lines of a request the collector rejected. The
// protocol forbids to send them again.
func rejectedLines(answer []byte) (unwanted, error) {
	var r struct {
		PartialSuccess struct {
			RejectedLogRecords json.Number `json:"rejectedLogRecords"` // a 64-bit number, so a string
			ErrorMessage       string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if len(answer) == 0 {
		return unwanted{}, nil
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return unwanted{}, fmt.Errorf("the collector's answer is not OTLP in JSON: %w; check the URL", err)
	}
	p := r.PartialSuccess
	if p.RejectedLogRecords == "" || p.RejectedLogRecords == "0" {
		return unwanted{}, nil
	}
	lines, err := p.RejectedLogRecords.Int64()
	return unwanted{rejected: max(lines, 0), why: errors.New(excerpt(p.ErrorMessage))}, err
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
