// Package dev sets up a directory in which a developer can run assertd: a
// SoftHSM token with a random PIN, keys, and a configuration that lets the
// current user sign for an example audience.
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
	"github.com/assertd/assertd/internal/trustpath"
)

// The names in a development directory.
const (
	TokenLabel = "assertd-dev"
	KeySet     = "dev"
	RawKeySet  = "dev-raw"     // ECDSA on P-256
	RSAKeySet  = "dev-rsa"     // raw, 2048-bit RSA
	EdKeySet   = "dev-ed25519" // raw
	AuditKey   = "dev-audit"   // signs the checkpoints of the audit log
	Audience   = "https://as.example"
)

// Layout is the absolute paths of the files in a development directory.
type Layout struct {
	Dir, Config, Socket, Operator, Audit, PIN, SoftHSMConf, Tokens string
}

// LayoutOf returns the paths of a development directory's files, which need not
// exist.
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

// modules are the paths where distributions install SoftHSM.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

// FindModule returns the path of this machine's SoftHSM module.
func FindModule() (string, error) {
	for _, path := range modules {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("SoftHSM is not installed; run apt-get install softhsm2, or set --module to the path of its module")
}

// Prepare creates whatever is missing in the directory and leaves the rest
// alone, so that another run finds its token, keys and configuration again. It
// loads the module into this process, so run it in a process of its own.
func Prepare(ctx context.Context, l Layout, module string, now time.Time) error {
	for _, step := range []func() error{
		func() error { return makeDirectories(l) },
		func() error { return writeOnce(l.PIN, 0o600, []byte(rand.Text()+"\n")) },
		func() error { return writeOnce(l.SoftHSMConf, 0o600, softhsmConf(l)) },
		func() error { return writeOnce(l.Config, 0o600, configuration(l, module, os.Getuid())) },
		func() error { return prepareToken(ctx, l, module, now) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("prepare %s: %w", l.Dir, err)
		}
	}
	return nil
}

// makeDirectories refuses a directory in which someone else could have put
// files, or could put them.
func makeDirectories(l Layout) error {
	for _, dir := range []string{l.Dir, l.Tokens} {
		if err := makeDirectory(dir, trustpath.Private); err != nil {
			return err
		}
	}
	return nil
}

// makeDirectory makes a directory and those on the way to it. It judges each
// one before it makes the next.
func makeDirectory(dir string, kind trustpath.Kind) error {
	_, err := trustpath.Rules{}.Check(dir, kind)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDirectory(filepath.Dir(dir), trustpath.Directory); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		_, err = trustpath.Rules{}.Check(dir, kind)
	}
	if errors.Is(err, trustpath.ErrUntrusted) {
		return fmt.Errorf("%w; or choose another directory", err)
	}
	return err
}

// writeOnce atomically writes a file that doesn't exist yet, and judges one
// that does.
func writeOnce(path string, mode fs.FileMode, content []byte) error {
	if _, err := os.Lstat(path); err == nil {
		_, err = trustpath.Rules{}.Check(path, trustpath.File)
		return err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.Replace(path, content, mode)
}

// prepareToken initializes the token unless it exists, and generates the first
// version of each key set that has none.
func prepareToken(ctx context.Context, l Layout, module string, now time.Time) error {
	if err := os.Setenv("SOFTHSM2_CONF", l.SoftHSMConf); err != nil {
		return err
	}
	pin, err := hsm.PINSource{File: l.PIN}.Read(ctx)
	if err != nil {
		return err
	}
	defer pin.Zero()
	if stored, err := os.ReadDir(l.Tokens); err != nil {
		return err
	} else if len(stored) == 0 {
		// The security officer's PIN is thrown away: it is never needed here.
		if _, err := hsm.InitToken(module, TokenLabel, hsm.NewPIN([]byte(rand.Text())), pin); err != nil {
			return err
		}
	}
	token, err := hsm.OpenRetrying(context.Background(), hsm.Config{Module: module, Label: TokenLabel}, pin)
	if err != nil {
		return err
	}
	return errors.Join(prepareKeys(token, now), token.Close())
}

// keySets are the key sets of a development directory: one for assertions, a
// raw one for each key type that TLS and SSH use, and one for the audit log.
var keySets = []struct {
	name string
	kind hsm.KeyType
}{
	{KeySet, hsm.P256}, {RawKeySet, hsm.P256}, {RSAKeySet, hsm.RSA2048}, {EdKeySet, hsm.Ed25519}, {AuditKey, hsm.Ed25519},
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
