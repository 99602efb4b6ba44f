package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/assertd/assertd/client"
)

// footprintGoals are those of a daemon's memory, and of reloads with many
// clients.
func footprintGoals() []goal {
	return []goal{
		{"idle", "RSS of the front and two workers, idle, MiB", 60, idleMemory},
		{"loaded", "the same after 64 callers, MiB", 90, loadedMemory},
		{"reload", "worst wait of one caller in a reload of 10,000 clients, ms", 10, reloadPause},
	}
}

func idleMemory(ctx context.Context, e env, _ settings) (mib float64, err error) {
	err = withDaemon(ctx, e, defaults, func(d *daemon, _ *child) (err error) {
		mib, err = d.memory()
		return err
	})
	return mib, err
}

func loadedMemory(ctx context.Context, e env, o settings) (mib float64, err error) {
	err = withDaemon(ctx, e, defaults, func(d *daemon, load *child) error {
		_, err := load.do(task{Alg: algorithms[0].alg, Callers: 64, Socket: d.socket, For: 4 * o.slice})
		if err != nil {
			return err
		}
		mib, err = d.memory()
		return err
	})
	return mib, err
}

// memory is the RSS of the front and of its workers, in MiB.
func (d *daemon) memory() (mib float64, err error) {
	for _, pid := range append(childrenOf(d.pid()), d.pid()) {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return 0, err
		}
		if pid != d.pid() && !bytes.Contains(command, []byte("hsm-worker")) {
			continue // a helper
		}
		var kib float64
		text := valueOf(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
		if _, err := fmt.Sscanf(text, "%f kB", &kib); err != nil {
			return 0, fmt.Errorf("VmRSS of process %d is %q: %w", pid, text, err)
		}
		mib += kib / 1024
	}
	return mib, nil
}

// manyClients has as many clients as a large site.
var manyClients = variant{workers: 2, audit: "interval", clients: 10_000}

// reloadPause returns the median of the longest waits of one caller, in
// milliseconds, over slices with one reload each.
func reloadPause(ctx context.Context, e env, o settings) (ms float64, err error) {
	err = withDaemon(ctx, e, manyClients, func(d *daemon, load *child) error {
		var worst []time.Duration
		for range o.rounds {
			end := d.reloadRepeatedly(ctx)
			result, err := load.do(task{Alg: algorithms[0].alg, Socket: d.socket, For: 4 * o.slice})
			if err != nil {
				return err
			}
			if err := end(); err != nil {
				return err
			}
			worst = append(worst, result.Worst)
		}
		ms = float64(median(worst).Microseconds()) / 1000
		return nil
	})
	return ms, err
}

// reloadRepeatedly has the daemon reload its configuration, one time after the
// other, until end is called.
func (d *daemon) reloadRepeatedly(ctx context.Context) (end func() error) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		operator, err := client.NewOperator(d.operator)
		if err != nil {
			ended <- err
			return
		}
		defer operator.Close()
		for ctx.Err() == nil {
			if err := operator.Reload(ctx); err != nil && ctx.Err() == nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	return func() error { stop(); return <-ended }
}
