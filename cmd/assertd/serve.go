package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/internal/memory"
	"github.com/assertd/assertd/internal/sdnotify"
	"github.com/assertd/assertd/internal/terminal"
)

const defaultConfig = "/etc/assertd/assertd.yaml"

func serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon",
		Long: "Runs the daemon. SIGTERM or SIGINT makes it finish in-flight requests, then stop.\n" +
			"SIGHUP reloads the configuration; if it is wrong, the daemon keeps the old one.\n" +
			"SIGUSR1 reopens the log files, for logrotate.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), path, nil)
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func configFlag(cmd *cobra.Command, path *string) {
	configFlagIn(cmd.Flags(), path)
	cmd.MarkFlagFilename("config", "yaml", "yml")
}

func configFlagIn(flags *pflag.FlagSet, path *string) {
	flags.StringVarP(path, "config", "c", defaultConfig, "configuration `file`; overrides ASSERTD_CONFIG")
	cli.FromEnvironment(path, "ASSERTD_CONFIG")
}

// serve runs the daemon with the configuration at path. It calls ready, if not
// nil, once the daemon serves callers.
func serve(ctx context.Context, path string, ready func()) error {
	signals := catchSignals() // first, since an unhandled one kills the process
	defer signals.stop()
	limit := memory.HonorCgroup()
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	manager, err := sdnotify.FromEnvironment()
	if err != nil {
		return err
	}
	logger := newLogger(c.Log)
	logger.Debug("memory limit of the Go runtime, from the cgroup; 0 for none", "bytes", limit)
	confined, err := confine(path, c, logger)
	if err != nil {
		return err
	}
	family, err := descent.Adopt(confined.module.User.IDs()...)
	if err != nil {
		return errors.Join(err, confined.close())
	}
	defer family.End()
	defer confined.close()
	defer reap(ctx, family)()
	d, err := daemon.New(daemon.Options{
		Config: c, Reread: func() (*config.Config, error) { return confined.reread(path) },
		Logger: logger, Version: version, Now: now, Family: family, Sandbox: confined.status, Explain: confined.explain,
		WorkerCommand: confined.workerCommand(), WriterCommand: []string{self, writeFileName},
		Status: func(text string) { warn(logger, manager.Status(text)) },
		Ready: func() {
			logger.Info("started", "version", version, "config", path)
			warn(logger, manager.Ready(""))
			if ready != nil {
				ready()
			}
		},
	})
	if err != nil {
		return err
	}
	memory.Settle()
	return runDaemon(ctx, d, signals, manager, logger)
}

// reap reaps the family's orphans until stop is called, also during a drain.
func reap(ctx context.Context, family *descent.Family) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var reaping sync.WaitGroup
	reaping.Go(func() { family.Reap(ctx) })
	return func() { cancel(); reaping.Wait() }
}

// runDaemon runs the daemon and keeps the service manager informed.
func runDaemon(ctx context.Context, d *daemon.Daemon, s *signals, manager *sdnotify.Notifier, logger hclog.Logger) error {
	defer s.handle(d, manager, logger)()
	defer context.AfterFunc(ctx, func() { warn(logger, manager.Stopping()) })()
	watched, stop := context.WithCancel(context.WithoutCancel(ctx)) // the watchdog also covers a drain
	var watching sync.WaitGroup
	watching.Go(func() { manager.Watch(watched) })
	defer watching.Wait()
	defer stop()
	return d.Run(ctx)
}

// warn logs an error of the service manager. The daemon works without it.
func warn(logger hclog.Logger, err error) {
	if err != nil {
		logger.Warn("cannot notify the service manager", "error", err)
	}
}

func newLogger(settings config.Log) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "assertd", Level: hclog.LevelFromString(string(settings.Level)),
		JSONFormat: settings.Format == "json", Output: terminal.NewWriter(os.Stderr),
		TimeFormat: "2006-01-02T15:04:05.000Z07:00", TimeFn: func() time.Time { return time.Now().UTC() },
	})
}

// self is this executable: the file that is running now, even if an upgrade has
// replaced it on disk.
const self = "/proc/self/exe"
