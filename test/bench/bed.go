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

// bed is the temporary directory in which everything runs: a token with one key for each algorithm, and the daemon's binary.
type bed struct {
	Dir, Binary string
	Module      string
	SoftHSMConf string
	PINFile     string
	Created     time.Time // in the keys' labels
}

const tokenLabel = "bench"

// algorithms are what is measured, with the kind of key.
var algorithms = []struct {
	alg string
	typ hsm.KeyType
}{{"ES256", hsm.P256}, {"RS256", hsm.RSA2048}, {"EdDSA", hsm.Ed25519}}

// setOf names the key set of an algorithm.
func setOf(alg string) string { return strings.ToLower(alg) }

// labelOf is the label of its key on the token.
func (b bed) labelOf(alg string) string { return keyset.Label(setOf(alg), b.Created) }

func newBed(ctx context.Context) (b bed, err error) {
	if b.Module, err = dev.FindModule(); err != nil {
		return b, err
	}
	if b.Dir, err = os.MkdirTemp("", "assertd-bench-"); err != nil {
		return b, err
	}
	defer func() {
		if err != nil {
			b.remove()
		}
	}()
	b.Binary, b.PINFile, b.SoftHSMConf = b.file("assertd"), b.file("pin"), b.file("softhsm2.conf")
	b.Created = time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := b.write(); err != nil {
		return b, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.Binary, "github.com/assertd/assertd/cmd/assertd")
	if out, err := build.CombinedOutput(); err != nil {
		return b, fmt.Errorf("build the daemon: %w\n%s", err, out)
	}
	return b, b.setUp(ctx)
}

func (b bed) file(name string) string { return filepath.Join(b.Dir, name) }

func (b bed) write() error {
	tokens := b.file("tokens")
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", tokens)
	return errors.Join(
		os.Mkdir(tokens, 0o700),
		os.WriteFile(b.SoftHSMConf, []byte(conf), 0o600),
		os.WriteFile(b.PINFile, []byte(rand.Text()), 0o600),
	)
}

// setUp makes token and keys in a child, which leaves this process without a module.
func (b bed) setUp(ctx context.Context) error {
	c, err := startChild(ctx, b, "setup")
	if err != nil {
		return err
	}
	_, err = c.do(task{})
	return errors.Join(err, c.stop())
}

func (b bed) remove() { _ = os.RemoveAll(b.Dir) }

// setUp is the role of the child that makes the token and its keys.
func setUp(b bed) (prepare, error) {
	pin, err := b.pin()
	if err != nil {
		return nil, err
	}
	if _, err := hsm.InitToken(b.Module, tokenLabel, hsm.NewPIN([]byte(rand.Text())), pin); err != nil {
		return nil, err
	}
	token, err := b.open(false)
	if err != nil {
		return nil, err
	}
	for _, a := range algorithms {
		if _, err := token.Generate(hsm.Spec{Label: b.labelOf(a.alg), Type: a.typ}); err != nil {
			return nil, err
		}
	}
	return func(task) (operation, error) { return func() (int, error) { return 0, nil }, nil }, token.Close()
}

func (b bed) pin() (*hsm.PIN, error) {
	return hsm.PINSource{File: b.PINFile}.Read(context.Background())
}

// open opens the token through our own package.
func (b bed) open(copies bool) (*hsm.Token, error) {
	pin, err := b.pin()
	if err != nil {
		return nil, err
	}
	defer pin.Zero()
	return hsm.Open(hsm.Config{Module: b.Module, Label: tokenLabel, SessionCopies: copies}, pin)
}
