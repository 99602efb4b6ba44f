package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
)

// pinFlags say where a person has the PIN. A systemd credential, for example,
// can't be read outside the unit.
type pinFlags struct {
	file   string
	prompt bool
}

func (f *pinFlags) register(cmd *cobra.Command, flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "pin-file", "", "`file` with the PIN, which only you can read; overrides ASSERTD_PIN_FILE")
	flags.BoolVar(&f.prompt, "pin-prompt", false, "prompt for the PIN, regardless of the configuration")
	cmd.MarkFlagsMutuallyExclusive("pin-file", "pin-prompt")
	cli.FromEnvironment(&f.file, "ASSERTD_PIN_FILE")
}

// advise adds to a failure to read the PIN what the command line has not tried.
func (f *pinFlags) advise(err error) error {
	switch {
	case f.prompt:
		return err
	case f.file != "":
		return fmt.Errorf("%w; or use --pin-prompt", err)
	}
	return fmt.Errorf("%w; or use --pin-file or --pin-prompt", err)
}

// source prefers the command line.
func (f *pinFlags) source(fallback hsm.PINSource) hsm.PINSource {
	switch {
	case f.prompt:
		return hsm.PINSource{Prompt: true}
	case f.file != "":
		return hsm.PINSource{File: f.file}
	}
	return fallback
}

// apply makes a configuration's only token take the PIN from the command line.
func (f *pinFlags) apply(c *config.Config) error {
	pin := config.PIN{Prompt: f.prompt}
	if !f.prompt {
		if f.file == "" {
			return nil
		}
		path, err := filepath.Abs(f.file)
		if err != nil {
			return err
		}
		pin.File = path
	}
	if n := len(c.HSM.Tokens); n > 1 {
		return fmt.Errorf("%w: --pin-file and --pin-prompt are for one token, and the configuration has %d; "+
			"give each its own pin there", cli.ErrUsage, n)
	}
	c.HSM.PIN = pin
	for i := range c.HSM.Tokens {
		c.HSM.Tokens[i].PIN = nil
	}
	return nil
}
