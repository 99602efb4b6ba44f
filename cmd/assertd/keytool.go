package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/progress"
)

// keyTool is what the key commands share: the token and its PIN.
type keyTool struct {
	path, on              string
	module, label, serial string
	pinFlags
	retryPIN     bool
	warnings     io.Writer
	hint         func(note string) string // completes the commands in a note
	config       *config.Config           // nil with --module
	unconfigured []keyadmin.KeySet        // key sets from the command line
}

func (k *keyTool) register(cmd *cobra.Command) {
	cmd.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		k.warnings = cmd.ErrOrStderr()
		k.hint = func(note string) string { return keepPlace(cmd, note) }
	}
	flags := cmd.PersistentFlags()
	configFlagIn(flags, &k.path)
	flags.StringVar(&k.on, "on", "", "`name` of the token in hsm.tokens (default: the first)")
	flags.StringVar(&k.module, "module", "", "PKCS#11 `module`, to work without a configuration")
	flags.StringVar(&k.label, "token", "", "with --module: token `label`")
	flags.StringVar(&k.serial, "serial", "", "with --module: token serial `number`")
	k.pinFlags.register(cmd, flags)
	flags.BoolVar(&k.retryPIN, "retry-pin", false, "try the PIN even if the token locks when it is wrong")
	_ = cmd.MarkPersistentFlagFilename("config", "yaml", "yml")
}

// work opens the token, calls do, and closes the token.
func (k *keyTool) work(ctx context.Context, do func(*keyadmin.Admin) error) error {
	sets, place, err := k.place()
	if err != nil {
		return err
	}
	for name, value := range place.environment {
		// The module reads its environment from this process.
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	pin, err := k.readPIN(ctx, place.pin)
	if err != nil {
		return err
	}
	defer pin.Zero()
	token, err := k.open(ctx, place.hsm, pin)
	if err != nil {
		return err
	}
	err = errors.Join(do(keyadmin.New(token, sets, place.others, now)), token.Close())
	return place.destroyLeftover(ctx, pin, err)
}

// readPIN reads the PIN, or tells a person to enter it on the token's pad.
func (k *keyTool) readPIN(ctx context.Context, source hsm.PINSource) (*hsm.PIN, error) {
	pin, err := source.Read(ctx)
	if err != nil {
		return nil, k.advise(err)
	}
	if pin.OnPad() {
		fmt.Fprintln(k.warnings, "assertd: enter the PIN on the token's pad")
	}
	return pin, nil
}

// open opens the token, and warns of wrong PINs that it reports.
func (k *keyTool) open(ctx context.Context, settings hsm.Config, pin *hsm.PIN) (*hsm.Token, error) {
	settings.RetryPIN = k.retryPIN
	line := progress.Show(ctx, k.progressOut(pin), progress.Task{Name: "opening the token"})
	token, err := hsm.OpenRetrying(ctx, settings, pin)
	line.Stop()
	if err != nil {
		return nil, pool.OnlyToken(err)
	}
	info := token.Info()
	if info.PIN != hsm.PINOK {
		fmt.Fprintf(k.warnings, "assertd: warning: token %q reported wrong PINs before this login (%s); find out who enters them\n", info.Label, info.PIN)
	}
	if info.SharedLogin {
		fmt.Fprintf(k.warnings, "assertd: warning: token %q was already logged in by another process, so the PIN was not checked\n", info.Label)
	}
	return token, nil
}

// progressOut is where progress is shown, except while a person reads what the
// pad asks for.
func (k *keyTool) progressOut(pin *hsm.PIN) io.Writer {
	if pin != nil && pin.OnPad() {
		return io.Discard
	}
	return k.warnings
}

// inventory reads the keys, which takes a while if there are many.
func (k *keyTool) inventory(ctx context.Context, a *keyadmin.Admin) (*keyadmin.Inventory, error) {
	line := progress.Show(ctx, k.warnings, progress.Task{Name: readingTokens})
	defer line.Stop()
	return a.Inventory()
}

// place is a token and how to open it.
type place struct {
	hsm         hsm.Config
	pin         hsm.PINSource
	environment map[string]string
	others      []string // the configuration's other tokens
}

func (k *keyTool) place() ([]keyadmin.KeySet, place, error) {
	if k.module == "" {
		return k.configured()
	}
	if k.label == "" && k.serial == "" {
		return nil, place{}, fmt.Errorf("%w: --module needs --token or --serial", cli.ErrUsage)
	}
	p := place{hsm: hsm.Config{Module: k.module, Label: k.label, Serial: k.serial, Sessions: 1}}
	p.pin = k.pinFlags.source(hsm.PINSource{Prompt: true})
	return k.unconfigured, p, nil
}

func (k *keyTool) configured() ([]keyadmin.KeySet, place, error) {
	if k.label != "" || k.serial != "" {
		return nil, place{}, fmt.Errorf("%w: --token and --serial are only for --module; with a configuration, use --on", cli.ErrUsage)
	}
	c, err := config.Load(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, place{}, fmt.Errorf("%w; name another with --config, or name a token with --module and --token", err)
	}
	if err != nil {
		return nil, place{}, err
	}
	k.config = c
	sets, err := keyadmin.Configured(c)
	if err != nil {
		return nil, place{}, err
	}
	token, err := choose(c.HSM.All(), k.on)
	if err != nil {
		return nil, place{}, err
	}
	pin := daemon.PINSource(*token.PIN)
	pin.Trust = c.Trust()
	return sets, place{
		hsm: hsm.Config{
			Module: token.Module, Label: token.Label, Serial: token.Serial, Sessions: 1,
			AcceptUnknown: token.Custody.AcceptUnknown, AlwaysAuthenticate: token.AlwaysAuthenticate, Trust: c.TokenTrust(),
		},
		pin:         k.pinFlags.source(pin),
		environment: token.Environment,
		others:      slices.DeleteFunc(names(c.HSM.All()), func(name string) bool { return name == token.Name }),
	}, nil
}

// choose returns the token with the name, or else the first one, on which the
// daemon generates keys.
func choose(tokens []config.NamedToken, name string) (config.NamedToken, error) {
	for _, token := range tokens {
		if name == "" || token.Name == name {
			return token, nil
		}
	}
	return config.NamedToken{}, fmt.Errorf("%w: the configuration has no token %q; want one of %s", cli.ErrUsage, name, strings.Join(names(tokens), ", "))
}

func names(tokens []config.NamedToken) (all []string) {
	for _, token := range tokens {
		all = append(all, token.Name)
	}
	return all
}

// find opens the token and calls do with one key.
func (k *keyTool) find(ctx context.Context, name string, do func(*keyadmin.Admin, *keyadmin.Inventory, keyadmin.Key) error) error {
	return k.work(ctx, func(a *keyadmin.Admin) error {
		inv, err := k.inventory(ctx, a)
		if err != nil {
			return err
		}
		key, err := inv.Find(name)
		if err != nil {
			return err
		}
		return do(a, inv, key)
	})
}
