package ship

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

// Options configure a Shipper.
type Options struct {
	File         string // of the log
	Log          Log
	Destinations []Destination // at least one
	Now          func() time.Time
	Logger       logging.Logger
}

// Log is the log that writes the file.
type Log interface {
	// Status says up to which line the file is durable. It does not block.
	Status() audit.Status
}

// Destination is a place that gets the lines.
type Destination interface {
	// String names the destination, without secrets. The cursor goes by it.
	String() string
	// connect makes a connection. The context limits only the attempt.
	connect(ctx context.Context) (connection, error)
}

// connection is a way to a destination that works until its first error.
type connection interface {
	// send hands over lines, and gives up if that takes too long. It returns those
	// that the destination will never take.
	send(ctx context.Context, lines []audit.Line) (rejection, error)
	// delivered returns how many of the lines that were sent have arrived, or were
	// rejected.
	// After an error, the others must be sent again.
	delivered() (int64, error)
	close()
}

// limitWrites makes writes to a connection fail after sendTimeout, or as soon
// as ctx ends. Call stop after the last write.
func limitWrites(ctx context.Context, conn net.Conn) (stop func() bool, err error) {
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return nil, err
	}
	return context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) }), nil
}

// rejection is how many of the lines that were sent a destination will never
// take, and why.
type rejection struct {
	lines int64
	why   error
}

// Shipper ships the log to its destinations, each on its own.
type Shipper struct {
	routes []*route
}

// New prepares to ship. It reads and connects nothing; Run does.
func New(o Options) *Shipper {
	s := &Shipper{}
	for _, d := range o.Destinations {
		s.routes = append(s.routes, newRoute(&o, d))
	}
	return s
}

// stopTimeout limits how long the end of Run takes.
const stopTimeout = 3 * time.Second

// Run ships until ctx ends, and then for up to two seconds what is left. A disk
// that doesn't answer does not hold it up. It never fails: Report says what is
// wrong.
func (s *Shipper) Run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	var running sync.WaitGroup
	for _, r := range s.routes {
		running.Go(func() { r.run(ctx) })
	}
	<-ctx.Done()
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(stopTimeout): // what is left sends and saves nothing that a later start would not
	}
	return nil
}

// Report adds the state of the destinations to that of the log.
func (s *Shipper) Report(status *ipc.AuditStatus) {
	if s == nil {
		return
	}
	for _, r := range s.routes {
		status.Ship = append(status.Ship, r.status(status.Lines))
	}
}

// errorf is the reason why a route does not get on.
func errorf(d Destination, err error) error { return fmt.Errorf("ship to %s: %w", d, err) }
