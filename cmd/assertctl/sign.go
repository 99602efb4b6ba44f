package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash.New
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// signFlags say what is signed how.
type signFlags struct {
	key, hash, digest, padding, form string
}

var hashes = map[string]crypto.Hash{
	ipc.HashSHA256: crypto.SHA256, ipc.HashSHA384: crypto.SHA384, ipc.HashSHA512: crypto.SHA512,
}

// signatureForms write a signature out.
var signatureForms = map[string]func(out io.Writer, signature []byte) error{
	"base64": func(out io.Writer, signature []byte) error {
		_, err := fmt.Fprintln(out, base64.StdEncoding.EncodeToString(signature))
		return err
	},
	"hex": func(out io.Writer, signature []byte) error {
		_, err := fmt.Fprintln(out, hex.EncodeToString(signature))
		return err
	},
	"raw": func(out io.Writer, signature []byte) error {
		_, err := out.Write(signature)
		return err
	},
}

func (a *app) signCommand() *cobra.Command {
	var flags signFlags
	cmd := &cobra.Command{
		Use:   "sign --key KEY_SET [file]",
		Short: "sign a file or a digest with a raw key set",
		Long: "Signs a file, standard input, or with --digest a digest that was made elsewhere, with a key set whose use is raw.\n" +
			"The signature is ASN.1 DER for ECDSA, and the plain octets for RSA and Ed25519.",
		Example: "  assertctl sign --key release build.tar.gz >build.tar.gz.sig\n" +
			"  assertctl sign --key release --format raw build.tar.gz >sig && openssl dgst -sha256 -verify public.pem -signature sig build.tar.gz",
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(args); err != nil {
				return cli.UsageError(cmd, err)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			signer, err := c.Signer(cmd.Context(), flags.key)
			if err != nil {
				return err
			}
			signature, err := flags.sign(cmd, signer, args)
			if err != nil {
				return err
			}
			return signatureForms[flags.form](cmd.OutOrStdout(), signature)
		},
	}
	flags.register(a, cmd)
	return cmd
}

func (f *signFlags) register(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.key, "key", "k", "", "`name` of the raw key set")
	cmd.Flags().StringVar(&f.hash, "hash", "", "`hash` of the file: SHA-256, SHA-384 or SHA-512 (default: the key's first; Ed25519 has none)")
	cmd.Flags().StringVar(&f.digest, "digest", "", "sign this digest, in `hex`, instead of a file")
	cmd.Flags().StringVar(&f.padding, "padding", "", "`padding` of an RSA key: pkcs1v15 or pss (default: the key's first)")
	cmd.Flags().StringVar(&f.form, "format", "base64", "`format` of the signature: base64, hex or raw")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // the flag is defined above
	}
	complete(cmd, "key", a.completion(rawKeys))
	for flag, values := range map[string][]string{
		"hash": {ipc.HashSHA256, ipc.HashSHA384, ipc.HashSHA512}, "padding": {ipc.PaddingPKCS1v15, ipc.PaddingPSS}, "format": {"base64", "hex", "raw"},
	} {
		complete(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (f *signFlags) check(args []string) error {
	switch {
	case f.digest != "" && len(args) > 0:
		return errors.New("give a file or --digest, not both")
	case f.hash != "" && hashes[f.hash] == 0:
		return fmt.Errorf("--hash %s: want SHA-256, SHA-384 or SHA-512", f.hash)
	case f.padding != "" && f.padding != ipc.PaddingPKCS1v15 && f.padding != ipc.PaddingPSS:
		return fmt.Errorf("--padding %s: want pkcs1v15 or pss", f.padding)
	case signatureForms[f.form] == nil:
		return fmt.Errorf("--format %s: want base64, hex or raw", f.form)
	}
	return nil
}

func (f *signFlags) sign(cmd *cobra.Command, signer *client.Signer, args []string) ([]byte, error) {
	if err := f.fits(signer.Public()); err != nil {
		return nil, cli.UsageError(cmd, err)
	}
	f.complete(signer.Info())
	input, opts, err := f.input(cmd.InOrStdin(), signer.Public(), args)
	if err != nil {
		return nil, err
	}
	return signer.SignContext(cmd.Context(), input, opts)
}

// fits refuses what the key would leave unheeded: the signature would be another
// than the one that was asked for.
func (f *signFlags) fits(public crypto.PublicKey) error {
	_, isRSA := public.(*rsa.PublicKey)
	_, whole := public.(ed25519.PublicKey)
	switch {
	case f.padding != "" && !isRSA:
		return fmt.Errorf("--padding: %q has no RSA key", f.key)
	case f.hash != "" && whole:
		return fmt.Errorf("--hash: the Ed25519 key of %q signs the message itself", f.key)
	}
	return nil
}

// complete takes what was left open from what the key may sign.
func (f *signFlags) complete(key ipc.KeyInfo) {
	if f.hash == "" && len(key.Hashes) > 0 {
		f.hash = key.Hashes[0]
	}
	if f.padding == "" && len(key.Paddings) > 0 {
		f.padding = key.Paddings[0]
	}
}

// input is what the key signs: the digest of a file, or for Ed25519 the file.
func (f *signFlags) input(stdin io.Reader, public crypto.PublicKey, args []string) ([]byte, crypto.SignerOpts, error) {
	_, whole := public.(ed25519.PublicKey)
	if f.digest != "" {
		if whole {
			return nil, nil, errors.New("an Ed25519 key signs the message itself: give the file, not its digest")
		}
		digest, err := hex.DecodeString(strings.TrimSpace(f.digest))
		if err != nil {
			return nil, nil, fmt.Errorf("--digest: %w", err)
		}
		return digest, f.options(public), nil
	}
	in, closing, err := open(stdin, args)
	if err != nil {
		return nil, nil, err
	}
	defer closing()
	if whole {
		// One byte more than may be signed, so that the signer can say so.
		message, err := io.ReadAll(io.LimitReader(in, ipc.MaxMessageBytes+1))
		return message, crypto.Hash(0), err
	}
	hash := hashes[f.hash].New()
	_, err = io.Copy(hash, in)
	return hash.Sum(nil), f.options(public), err
}

func (f *signFlags) options(public crypto.PublicKey) crypto.SignerOpts {
	hash := hashes[f.hash]
	if _, ok := public.(*rsa.PublicKey); ok && f.padding == ipc.PaddingPSS {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	return hash
}

// open is the file of the command line, or standard input.
func open(stdin io.Reader, args []string) (io.Reader, func(), error) {
	if len(args) == 0 || args[0] == "-" {
		return stdin, func() {}, nil
	}
	file, err := os.Open(args[0])
	return file, func() { file.Close() }, err
}
