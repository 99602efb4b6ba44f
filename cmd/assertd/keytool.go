package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
)

// keyTool is what every key command shares: which token, and its PIN.
type keyTool struct {
	path, on              string
	module, label, serial string
	pinFile               string
	pinPrompt             bool
	config                *config.Config    // nil with --module
	unconfigured          []keyadmin.KeySet // key sets of which only the command line tells
}

func (k *keyTool) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVarP(&k.path, "config", "c", defaultConfig, "the configuration `file`")
	flags.StringVar(&k.on, "on", "", "which token of hsm.tokens, by `name` (default: the first)")
	flags.StringVar(&k.module, "module", "", "go without a configuration: the PKCS#11 `module`")
	flags.StringVar(&k.label, "token", "", "with --module: the token's `label`")
	flags.StringVar(&k.serial, "serial", "", "with --module: the token's serial `number`")
	flags.StringVar(&k.pinFile, "pin-file", "", "read the PIN from this `file`, which only you may read")
	flags.BoolVar(&k.pinPrompt, "pin-prompt", false, "ask for the PIN on the terminal, whatever the configuration says")
	_ = cmd.MarkPersistentFlagFilename("config", "yaml", "yml")
	cmd.MarkFlagsMutuallyExclusive("pin-file", "pin-prompt")
}

// work opens the token, does the work and closes the token again.
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
	pin, err := place.pin.Read(ctx)
	if err != nil {
		return fmt.Errorf("%w; or give --pin-file or --pin-prompt", err)
	}
	token, err := open(ctx, place.hsm, pin)
	pin.Zero()
	if err != nil {
		return err
	}
	return errors.Join(do(keyadmin.New(token, sets, now)), token.Close())
}

// open opens the token, and tries once more where SoftHSM may have been read
// while another process, such as a daemon that starts, was writing. No PIN
// was refused then.
func open(ctx context.Context, settings hsm.Config, pin *hsm.PIN) (*hsm.Token, error) {
	token, err := hsm.Open(settings, pin)
	if !errors.Is(err, hsm.ErrTokenNotFound) && !errors.Is(err, hsm.ErrPINNotInitialized) {
		return token, err
	}
	select {
	case <-time.After(300 * time.Millisecond):
		return hsm.Open(settings, pin)
	case <-ctx.Done():
		return nil, err
	}
}

// place is a token and how to get at it.
type place struct {
	hsm         hsm.Config
	pin         hsm.PINSource
	environment map[string]string
}

func (k *keyTool) place() ([]keyadmin.KeySet, place, error) {
	if k.module == "" {
		return k.configured()
	}
	if k.label == "" && k.serial == "" {
		return nil, place{}, fmt.Errorf("%w: --module needs --token or --serial beside it", cli.ErrUsage)
	}
	p := place{hsm: hsm.Config{Module: k.module, Label: k.label, Serial: k.serial, Sessions: 1}}
	p.pin = k.pinSource(hsm.PINSource{Prompt: true})
	return k.unconfigured, p, nil
}

func (k *keyTool) configured() ([]keyadmin.KeySet, place, error) {
	if k.label != "" || k.serial != "" {
		return nil, place{}, fmt.Errorf("%w: --token and --serial go with --module; with a configuration use --on", cli.ErrUsage)
	}
	c, err := config.Load(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, place{}, fmt.Errorf("%w; name another with --config, or a token with --module and --token", err)
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
	return sets, place{
		hsm:         hsm.Config{Module: token.Module, Label: token.Label, Serial: token.Serial, Sessions: 1},
		pin:         k.pinSource(hsm.PINSource{File: token.PIN.File, Credential: token.PIN.Credential, Command: token.PIN.Command, Prompt: token.PIN.Prompt}),
		environment: token.Environment,
	}, nil
}

// choose gives the token with the name, or the first: the one on which the
// daemon generates.
func choose(tokens []config.NamedToken, name string) (config.NamedToken, error) {
	var names []string
	for _, token := range tokens {
		if name == "" || token.Name == name {
			return token, nil
		}
		names = append(names, token.Name)
	}
	return config.NamedToken{}, fmt.Errorf("%w: the configuration has no token %q; there are %s", cli.ErrUsage, name, strings.Join(names, ", "))
}

// pinSource prefers what the command line says.
func (k *keyTool) pinSource(otherwise hsm.PINSource) hsm.PINSource {
	switch {
	case k.pinFile != "":
		return hsm.PINSource{File: k.pinFile}
	case k.pinPrompt:
		return hsm.PINSource{Prompt: true}
	}
	return otherwise
}

// find opens the token for work on one key.
func (k *keyTool) find(ctx context.Context, name string, do func(*keyadmin.Admin, *keyadmin.Inventory, keyadmin.Key) error) error {
	return k.work(ctx, func(a *keyadmin.Admin) error {
		inv, err := a.Inventory()
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
