package daemon

import (
	"context"
	"crypto/rand"

	"github.com/assertd/assertd/internal/tracing"
)

// newTracer makes the tracer of the configuration, nil if it has none.
func (d *Daemon) newTracer() (err error) {
	settings := d.Config.Tracing
	if settings.Endpoint == "" {
		return nil
	}
	d.tracer, err = tracing.New(tracing.Options{
		Endpoint: settings.Endpoint, Version: d.Version, SampleEvery: settings.SampleEvery,
		Now: d.Now, Random: rand.Reader, Logger: d.Logger,
	})
	return err
}

// runTracer sends spans while ctx runs.
func (d *Daemon) runTracer(ctx context.Context) error {
	if d.tracer == nil {
		return nil
	}
	return d.tracer.Run(ctx)
}
