// Command playground runs a development daemon beside an authorization server
// that knows its keys, and says what to try. Both listen on this machine only.
//
//	playground --assertd bin/assertd --dir .playground
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/assertd/assertd/internal/dev"
	"github.com/assertd/assertd/test/interop/authserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "playground:", err)
		os.Exit(1)
	}
}

// settings are where everything is.
type settings struct {
	assertd     string // the program
	dir         string
	server      string // address of the authorization server
	secure      string // its address with TLS
	jwksAddress string // address of the daemon's JWKS
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("playground", flag.ContinueOnError)
	flags.StringVar(&s.assertd, "assertd", "assertd", "`path` of the daemon's program")
	flags.StringVar(&s.dir, "dir", ".playground", "`directory` for the token, PIN, configuration and sockets")
	flags.StringVar(&s.server, "server", "127.0.0.1:9410", "`address` of the authorization server")
	flags.StringVar(&s.secure, "tls", "127.0.0.1:9412", "`address` of the authorization server with TLS")
	flags.StringVar(&s.jwksAddress, "jwks", "127.0.0.1:9411", "`address` at which the daemon publishes its keys")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	return s, err
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	layout, err := dev.LayoutOf(s.dir)
	if err != nil {
		return err
	}
	server, err := authserver.New(s.server)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --server", err)
	}
	defer server.Close()
	if err := server.ListenTLS(s.secure); err != nil {
		return fmt.Errorf("%w; choose another address with --tls", err)
	}
	module, err := dev.FindModule()
	if err != nil {
		return err
	}
	if err := configure(layout, s, module, server.TokenURL()); err != nil {
		return err
	}
	if err := s.prepare(ctx, layout, module); err != nil {
		return err
	}
	if err := os.WriteFile(caFile(layout.Dir), server.CA(), 0o600); err != nil {
		return err
	}
	jwksURL := "http://" + s.jwksAddress + "/.well-known/jwks.json"
	server.Register(clientID, "ES256", jwksURL)
	server.RegisterTLS(tlsClientID)
	server.Trust(issuer, jwksURL)
	return s.serve(ctx, layout, server)
}

// prepare creates the token and its keys with the daemon's own commands.
func (s settings) prepare(ctx context.Context, layout dev.Layout, module string) error {
	if err := s.command(ctx, "dev-prepare", "--dir", s.dir, "--module", module).Run(); err != nil {
		return fmt.Errorf("assertd dev-prepare: %w", err)
	}
	list, err := s.output(ctx, "key", "list", "--config", layout.Config)
	if err != nil {
		return err
	}
	if strings.Contains(list, dpopKeySet+"/") {
		return nil
	}
	_, err = s.output(ctx, "key", "generate", dpopKeySet, "--config", layout.Config)
	return err
}

func (s settings) output(ctx context.Context, args ...string) (string, error) {
	command := s.command(ctx, args...)
	command.Stdout = nil
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("assertd %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

func (s settings) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, s.assertd, args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command
}

// serve runs the daemon and the server until the context ends, or one of them.
func (s settings) serve(ctx context.Context, layout dev.Layout, server *authserver.Server) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(ctx) }()
	daemon := s.command(ctx, "serve", "--config", layout.Config)
	if err := daemon.Start(); err != nil {
		return err
	}
	go func() { ended <- daemon.Wait() }()
	ready := make(chan error, 1)
	go func() { ready <- awaitReady(ctx, layout.Socket) }()
	var err error
	running := 2
	for running == 2 && err == nil {
		select {
		case err = <-ready:
			if ready = nil; err == nil {
				err = greet(os.Stdout, s, server)
			}
		case err = <-ended:
			running--
		}
	}
	interrupted := ctx.Err() != nil
	stop()
	for ; running > 0; running-- {
		err = errors.Join(err, <-ended)
	}
	if interrupted { // what ended then was told to
		return nil
	}
	return err
}

func (s settings) assertctl() string {
	path := filepath.Join(filepath.Dir(s.assertd), "assertctl")
	if _, err := os.Stat(path); err != nil {
		return "assertctl"
	}
	return path
}
