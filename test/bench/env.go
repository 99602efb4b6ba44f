package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/dev"
	"github.com/assertd/assertd/internal/keyset"
)

// env is the temporary directory of a run. It holds a token with one key for
// each algorithm, and the daemon's binary.
type env struct {
	Dir, Binary string
	Module      string
	SoftHSMConf string
	PINFile     string
	Created     time.Time // creation time in the keys' labels

	// These differ from section to section.
	Environment map[string]string // of the module, besides SOFTHSM2_CONF
	Sessions    int               // of each worker; 0 for the default
}

const tokenLabel = "bench"

// algorithms lists the algorithms to measure and their key types.
var algorithms = []struct {
	alg string
	typ hsm.KeyType
}{{"ES256", hsm.P256}, {"RS256", hsm.RSA2048}, {"EdDSA", hsm.Ed25519}}

// setOf names the key set of an algorithm.
func setOf(alg string) string { return strings.ToLower(alg) }

// labelOf returns the label of an algorithm's key on the token.
func (e env) labelOf(alg string) string { return keyset.Label(setOf(alg), e.Created) }

func newEnv(ctx context.Context) (e env, err error) {
	if e.Module, err = dev.FindModule(); err != nil {
		return e, err
	}
	if e.Dir, err = os.MkdirTemp("", "assertd-bench-"); err != nil {
		return e, err
	}
	defer func() {
		if err != nil {
			e.remove()
		}
	}()
	e.Binary, e.PINFile, e.SoftHSMConf = e.file("assertd"), e.file("pin"), e.file("softhsm2.conf")
	e.Created = time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := e.write(); err != nil {
		return e, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", e.Binary, "github.com/assertd/assertd/cmd/assertd")
	if out, err := build.CombinedOutput(); err != nil {
		return e, fmt.Errorf("build the daemon: %w\n%s", err, out)
	}
	return e, e.setUp(ctx)
}

func (e env) file(name string) string { return filepath.Join(e.Dir, name) }

func (e env) write() error {
	tokens := e.file("tokens")
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", tokens)
	return errors.Join(
		os.Mkdir(tokens, 0o700),
		os.WriteFile(e.SoftHSMConf, []byte(conf), 0o600),
		os.WriteFile(e.PINFile, []byte(rand.Text()), 0o600),
	)
}

// setUp makes the token and its keys in a child, so this process never loads
// the module.
func (e env) setUp(ctx context.Context) error {
	c, err := startChild(ctx, e, "setup")
	if err != nil {
		return err
	}
	_, err = c.do(task{})
	return errors.Join(err, c.stop())
}

func (e env) remove() { _ = os.RemoveAll(e.Dir) }

// setUp is the role that makes the token and its keys.
func setUp(e env) (prepare, error) {
	pin, err := e.pin()
	if err != nil {
		return nil, err
	}
	if _, err := hsm.InitToken(e.Module, tokenLabel, hsm.NewPIN([]byte(rand.Text())), pin); err != nil {
		return nil, err
	}
	token, err := e.open(false)
	if err != nil {
		return nil, err
	}
	for _, a := range algorithms {
		if _, err := token.Generate(hsm.Spec{Label: e.labelOf(a.alg), Type: a.typ}); err != nil {
			return nil, err
		}
	}
	if _, err := token.Generate(hsm.Spec{Label: keyset.Label(ledger, e.Created), Type: hsm.Ed25519}); err != nil {
		return nil, err
	}
	return func(task) (operation, error) { return func() (int, error) { return 0, nil }, nil }, token.Close()
}

func (e env) pin() (*hsm.PIN, error) {
	return hsm.PINSource{File: e.PINFile}.Read(context.Background())
}

// open opens the token with package hsm.
func (e env) open(copies bool) (*hsm.Token, error) {
	pin, err := e.pin()
	if err != nil {
		return nil, err
	}
	defer pin.Zero()
	return hsm.Open(hsm.Config{Module: e.Module, Label: tokenLabel, SessionCopies: copies}, pin)
}
