package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// patience is how long top waits for one answer before it says that there is
// none.
const patience = 5 * time.Second

func topCommand() *cobra.Command {
	var socket operatorFlag
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "watch daemon status (operators)",
		Long: "Shows the daemon's status on the whole terminal and refreshes it, with each\n" +
			"client's signing rate since the previous refresh. Keys: q quits, s sorts, space\n" +
			"pauses, arrows scroll, ? explains the rest. If the daemon goes away, the last\n" +
			"status stays on the screen until it is back.",
		Args: cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if interval < 100*time.Millisecond {
			return cli.UsageError(cmd, errors.New("want an --interval of at least 100ms"))
		}
		keyboard, ok := cmd.InOrStdin().(*os.File)
		display, shows := terminal.File(cmd.OutOrStdout())
		if !ok || !shows || !term.IsTerminal(int(keyboard.Fd())) {
			return fmt.Errorf("%w: top needs a terminal for its input and output; elsewhere, use assertctl status, or assertctl status -o json for programs", cli.ErrUsage)
		}
		return socket.run(func(o *client.Operator) error {
			return runTop(cmd.Context(), o, &screen{keyboard: keyboard, display: display}, interval)
		})
	}
	socket.register(cmd)
	cmd.Flags().DurationVarP(&interval, "interval", "i", time.Second, "time between refreshes")
	return cmd
}

// runTop shows the status until the user quits or ctx ends. The first status
// comes before the screen changes: without a daemon there is only an error.
func runTop(ctx context.Context, operator *client.Operator, s *screen, interval time.Duration) (err error) {
	status, err := operator.Status(ctx)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	t := &top{operator: operator, screen: s, view: newTopView(status, time.Now()), answers: make(chan topAnswer, 1)}
	t.wait = background.Go
	keys := make(chan key)
	background.Go(func() { s.read(ctx, keys) })
	return t.loop(ctx, keys, interval)
}

// top is the loop behind the screen. It asks for one status at a time, and
// obeys keys while it waits.
type top struct {
	operator *client.Operator
	screen   *screen
	view     *topView
	wait     func(func()) // runs a function that ends before the command does
	answers  chan topAnswer
	asking   bool
}

type topAnswer struct {
	status ipc.StatusResponse
	err    error
}

func (t *top) loop(ctx context.Context, keys <-chan key, interval time.Duration) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(signals)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := t.screen.show(t.view); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case answer := <-t.answers:
			t.asking = false
			t.view.update(answer, time.Now())
		case <-ticker.C:
			t.ask(ctx)
		case s := <-signals:
			if s == syscall.SIGCONT { // the shell has used the terminal
				if err := t.screen.enter(); err != nil {
					return err
				}
			}
		case k, ok := <-keys:
			switch {
			case !ok || k == keyQuit:
				return nil
			case k == keySuspend:
				if err := t.screen.suspend(); err != nil {
					return err
				}
			default:
				t.view.press(k)
			}
		}
	}
}

func (t *top) ask(ctx context.Context) {
	if t.asking || t.view.paused {
		return
	}
	t.asking = true
	t.wait(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var a topAnswer
		a.status, a.err = t.operator.Status(ctx)
		t.answers <- a
	})
}
