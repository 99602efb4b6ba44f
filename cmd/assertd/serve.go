package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
)

const defaultConfig = "/etc/assertd/assertd.yaml"

func serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon",
		Long: "Runs the daemon until SIGTERM or SIGINT, then answers what is in flight and stops.\n" +
			"SIGHUP reads the configuration again; a bad file changes nothing.",
		Args: usage(cobra.NoArgs),
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
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	logger := newLogger(c.Log)
	d, err := daemon.New(daemon.Options{
		Config: c, Reread: func() (*config.Config, error) { return config.Load(path) },
		Logger: logger, Version: version, WorkerCommand: workerCommandLine(), Now: time.Now,
		Ready: func() {
			logger.Info("ready", "version", version, "config", path)
			if ready != nil {
				ready()
			}
		},
	})
	if err != nil {
		return err
	}
	stop := reloadOnHangup(d)
	defer stop()
	return d.Run(ctx)
}

// reloadOnHangup reloads the configuration at each SIGHUP until it is stopped.
func reloadOnHangup(d *daemon.Daemon) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			_ = d.Reload() // a refusal has been logged
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
