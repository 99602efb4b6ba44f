package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/sdnotify"
)

const defaultConfig = "/etc/assertd/assertd.yaml"

func serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon",
		Long: "Runs the daemon until SIGTERM or SIGINT, then answers what is in flight and stops.\n" +
			"SIGHUP reads the configuration again; a bad file changes nothing.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), path, nil)
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", defaultConfig, "the configuration `file`")
	cmd.MarkFlagFilename("config", "yaml", "yml")
}

// serve runs the daemon with the configuration at path. ready, which may be
// nil, is called once callers are served.
func serve(ctx context.Context, path string, ready func()) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before anything else: unhandled, it would end the process
	defer signal.Stop(hangups)
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	manager, err := sdnotify.FromEnvironment()
	if err != nil {
		return err
	}
	collectLater()
	logger := newLogger(c.Log)
	confined, err := confine(path, c, logger)
	if err != nil {
		return err
	}
	d, err := daemon.New(daemon.Options{
		Config: c, Reread: func() (*config.Config, error) { return confined.reread(path) },
		Logger: logger, Version: version, WorkerCommand: confined.workerCommand(), Now: now,
		Ready: func() {
			logger.Info("ready", "version", version, "config", path)
			tell(logger, manager.Ready("serving"))
			if ready != nil {
				ready()
			}
		},
	})
	if err != nil {
		return err
	}
	return confined.explain(attend(ctx, d, hangups, manager, logger))
}

// collectLater has the garbage collector wait until the heap is five times what
// is in use. That is a few megabytes: at the runtime's default the collector
// would run some fifty times a second under load, for a tenth of the front's
// CPU time. GOGC in the environment overrules it.
func collectLater() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// attend runs the daemon, and keeps the service manager informed.
func attend(ctx context.Context, d *daemon.Daemon, hangups chan os.Signal, manager *sdnotify.Notifier, logger hclog.Logger) error {
	defer reloadOnHangup(d, hangups, manager, logger)()
	defer context.AfterFunc(ctx, func() { tell(logger, manager.Stopping()) })()
	watched, stop := context.WithCancel(context.WithoutCancel(ctx)) // a drain is watched too
	var watching sync.WaitGroup
	watching.Go(func() { manager.Watch(watched) })
	defer watching.Wait()
	defer stop()
	return d.Run(ctx)
}

// tell logs news that did not reach the service manager: the daemon works without.
func tell(logger hclog.Logger, err error) {
	if err != nil {
		logger.Warn("the service manager was not told", "error", err)
	}
}

// reloadOnHangup reloads the configuration at each SIGHUP until it is stopped.
func reloadOnHangup(d *daemon.Daemon, hangups chan os.Signal, manager *sdnotify.Notifier, logger hclog.Logger) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			tell(logger, manager.Reloading())
			status := "serving"
			if err := d.Reload(); err != nil { // it has been logged
				status = "serving; the last reload was refused, see the log"
			}
			tell(logger, manager.Ready(status))
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

func newLogger(settings config.Log) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "assertd", Level: hclog.LevelFromString(string(settings.Level)),
		JSONFormat: settings.Format == "json", Output: os.Stderr,
		TimeFormat: "2006-01-02T15:04:05.000Z07:00", TimeFn: func() time.Time { return time.Now().UTC() },
	})
}

// workerCommandLine is how the daemon starts itself as a worker: by the file
// that is running now, even if a newer one has taken its place on disk.
func workerCommandLine() []string { return []string{"/proc/self/exe", workerName} }
