// Package dev makes, from nothing, a directory in which assertd runs for a
// developer: a SoftHSM token with a random PIN, a key, and a configuration that
// lets the present user sign for an example audience.
package dev

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/keyset"
)

// The names that a development directory uses.
const (
	TokenLabel = "assertd-dev"
	KeySet     = "dev"
	RawKeySet  = "dev-raw"     // ECDSA on P-256
	RSAKeySet  = "dev-rsa"     // raw, RSA of 2048 bits
	EdKeySet   = "dev-ed25519" // raw
	Audience   = "https://as.example"
)

// Layout is where everything of a development directory lies, by absolute path.
type Layout struct {
	Dir, Config, Socket, Operator, Audit, PIN, SoftHSMConf, Tokens string
}

// LayoutOf names the files of a development directory. None need exist.
func LayoutOf(dir string) (Layout, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	return Layout{
		Dir: dir, Config: in("assertd.yaml"), Socket: in("assertd.sock"), Operator: in("operator.sock"), Audit: in("audit.jsonl"),
		PIN: in("pin"), SoftHSMConf: in("softhsm2.conf"), Tokens: in("tokens"),
	}, nil
}

// modules are the places where distributions put SoftHSM.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

// FindModule returns the path of the SoftHSM module of this machine.
func FindModule() (string, error) {
	for _, path := range modules {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("SoftHSM is not installed: apt-get install softhsm2, or name its module with --module")
}

// Prepare makes whatever of the directory is missing and leaves the rest as it
// is, so that a second run finds its token, keys and configuration again. It
// loads the module into this process: run it in one of its own.
func Prepare(_ context.Context, l Layout, module string, now time.Time) error {
	for _, step := range []func() error{
		func() error { return makeDirectories(l) },
		func() error { return writeOnce(l.PIN, 0o600, []byte(rand.Text()+"\n")) },
		func() error { return writeOnce(l.SoftHSMConf, 0o600, softhsmConf(l)) },
		func() error { return writeOnce(l.Config, 0o600, configuration(l, module, os.Getuid())) },
		func() error { return prepareToken(l, module, now) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("prepare %s: %w", l.Dir, err)
		}
	}
	return nil
}

func makeDirectories(l Layout) error {
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return err
	}
	return os.MkdirAll(l.Tokens, 0o700)
}

// writeOnce writes a file that is not there yet, whole or not at all.
func writeOnce(path string, mode fs.FileMode, content []byte) error {
	if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.Replace(path, content, mode)
}

// prepareToken initialises the token unless it is there, and gives each key set
// its first version unless it has one.
func prepareToken(l Layout, module string, now time.Time) error {
	if err := os.Setenv("SOFTHSM2_CONF", l.SoftHSMConf); err != nil {
		return err
	}
	pin, err := hsm.PINSource{File: l.PIN}.Read(context.Background())
	if err != nil {
		return err
	}
	defer pin.Zero()
	settings := hsm.Config{Module: module, Label: TokenLabel}
	token, err := hsm.Open(settings, pin)
	if errors.Is(err, hsm.ErrTokenNotFound) {
		// The security officer's PIN is thrown away: nobody needs it here.
		if _, err := hsm.InitToken(module, TokenLabel, hsm.NewPIN([]byte(rand.Text())), pin); err != nil {
			return err
		}
		token, err = hsm.Open(settings, pin)
	}
	if err != nil {
		return err
	}
	return errors.Join(prepareKeys(token, now), token.Close())
}

// keySets are the key sets of a development directory: one for assertions, and
// a raw one of each kind that TLS and SSH know.
var keySets = []struct {
	name string
	kind hsm.KeyType
}{
	{KeySet, hsm.P256}, {RawKeySet, hsm.P256}, {RSAKeySet, hsm.RSA2048}, {EdKeySet, hsm.Ed25519},
}

func prepareKeys(token *hsm.Token, now time.Time) error {
	keys, err := token.Keys()
	if err != nil {
		return err
	}
	for _, set := range keySets {
		if hasVersion(keys, set.name) {
			continue
		}
		if _, err := token.Generate(hsm.Spec{Label: keyset.Label(set.name, now), Type: set.kind}); err != nil {
			return err
		}
	}
	return nil
}

func hasVersion(keys []*hsm.Key, set string) bool {
	for _, key := range keys {
		if strings.HasPrefix(key.Label(), set+"/") {
			return true
		}
	}
	return false
}
