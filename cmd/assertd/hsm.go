package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/probe"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/progress"
)

// hsmCommand is for people who meet a module for the first time, or who report
// a bug about one.
func hsmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hsm",
		Short: "look at PKCS#11 modules",
		Long:  "Looks at PKCS#11 modules and their tokens.",
	}
	cli.Group(cmd)
	cmd.AddCommand(probeCommand())
	return cmd
}

// probing is what hsm probe was asked for. The token and its PIN are found as
// the key commands find them.
type probing struct {
	keyTool
	try    bool
	output cli.Output
	step   time.Duration
}

func probeCommand() *cobra.Command {
	p := &probing{}
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "show what a module has and what assertd could do with it",
		Long: "Lists a module's slots, tokens, mechanisms and known quirks, and what assertd could\n" +
			"do with each token. Needs no PIN and no configuration, and changes nothing. With\n" +
			"--try, it logs in to one token, makes a key pair of each type, signs with it and\n" +
			"destroys it. Include the output if you report a bug about an HSM.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	p.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&p.try, "try", false, "make, use and destroy a key pair of each type")
	p.output.Register(cmd)
	flags.DurationVar(&p.step, "timeout", time.Minute, "how `long` the module can take over one step")
	return cmd
}

func (p *probing) run(ctx context.Context, out io.Writer) error {
	place, err := p.target()
	if err != nil {
		return err
	}
	settings := probe.Settings{Command: []string{self, probeName}, Environment: environ(place.environment), Step: p.step}
	request := probe.Request{Module: place.hsm.Module, Try: p.try, Label: place.hsm.Label, Serial: place.hsm.Serial, RetryPIN: p.retryPIN,
		Login: hsm.PINSource{Pad: place.pin.Pad, None: place.pin.None}}
	var pin *hsm.PIN
	if p.try {
		if pin, err = p.readPIN(ctx, place.pin); err != nil {
			return err
		}
		defer pin.Zero()
	}
	line := progress.Show(ctx, p.progressOut(pin), progress.Task{Name: "probing the module"})
	report, err := settings.Run(ctx, request, pin)
	line.Stop()
	if err != nil {
		return err
	}
	return p.print(out, report)
}

// target is the token, or with --module and without --try only the module.
func (p *probing) target() (place, error) {
	if p.module != "" && !p.try {
		return place{hsm: hsm.Config{Module: p.module}}, nil
	}
	_, found, err := p.place()
	if errors.Is(err, fs.ErrNotExist) && p.module == "" {
		return found, fmt.Errorf("%w: no module named, and no configuration at %s; use --module%s", cli.ErrUsage, p.path, installed())
	}
	return found, err
}

// installed names the modules where distributions put them.
func installed() string {
	var found []string
	for _, pattern := range []string{"/usr/lib/*/pkcs11/*.so", "/usr/lib64/pkcs11/*.so", "/usr/lib/softhsm/*.so"} {
		paths, _ := filepath.Glob(pattern) // the pattern is good
		found = append(found, paths...)
	}
	if found == nil {
		return ""
	}
	return "; this machine has " + strings.Join(found, ", ")
}

// print fails if the probe ended early, so that a script notices.
func (p *probing) print(out io.Writer, report probe.Report) error {
	if err := p.output.Print(out, report, report.WriteText); err != nil {
		return err
	}
	if report.Problem != "" || report.Trial != nil && report.Trial.Problem != "" {
		return errSilent
	}
	return nil
}

// environ adds variables to this process's own.
func environ(more map[string]string) []string {
	all := os.Environ()
	for name, value := range more {
		all = append(all, name+"="+value)
	}
	return all
}

const probeName = "hsm-probe"

// probeChildCommand is the process that loads the module for hsm probe. Only
// that command starts it.
func probeChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:    probeName,
		Short:  "host a PKCS#11 module for hsm probe",
		Hidden: true,
		Args:   cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return probe.Serve(cmd.InOrStdin(), os.NewFile(probe.FD, "report"))
		},
	}
}
