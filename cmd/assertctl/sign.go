package main

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash.New
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// signFlags say what to sign, and how.
type signFlags struct {
	key, hash, digest, padding, format string
}

// hashes are the names of the hashes that a key may sign.
var hashes = []string{ipc.HashSHA256, ipc.HashSHA384, ipc.HashSHA512}

// signatureFormats write a signature.
var signatureFormats = map[string]func(out io.Writer, signature []byte) error{
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
		Use:   "sign --key KEY_SET [FILE]",
		Short: "sign a file or digest with a raw key set",
		Long: "Signs a file, standard input, or an existing digest (--digest) with a key set\n" +
			"whose use is raw. ECDSA signatures are ASN.1 DER; RSA and Ed25519 signatures are\n" +
			"plain bytes.",
		Example: "  assertctl sign --key release build.tar.gz > build.tar.gz.sig\n" +
			"  assertctl sign --key release --format raw build.tar.gz > sig\n" +
			"  openssl dgst -sha256 -verify public.pem -signature sig build.tar.gz",
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
			return signatureFormats[flags.format](terminal.Data(cmd.OutOrStdout()), signature)
		},
	}
	flags.register(a, cmd)
	return cmd
}

func (f *signFlags) register(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.key, "key", "k", "", "`name` of the raw key set")
	cmd.Flags().StringVar(&f.hash, "hash", "", "`hash` of the file: SHA-256, SHA-384 or SHA-512 (default: the first that the key allows; not for Ed25519)")
	cmd.Flags().StringVar(&f.digest, "digest", "", "digest to sign instead of a file, in `hex`")
	cmd.Flags().StringVar(&f.padding, "padding", "", "RSA `padding`: pkcs1v15 or pss (default: the first that the key allows)")
	cmd.Flags().StringVar(&f.format, "format", "base64", "signature `format`: base64, hex or raw")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // the flag is defined above
	}
	complete(cmd, "key", a.completion(rawKeys))
	for flag, values := range map[string][]string{
		"hash": hashes, "padding": {ipc.PaddingPKCS1v15, ipc.PaddingPSS}, "format": {"base64", "hex", "raw"},
	} {
		complete(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (f *signFlags) check(args []string) error {
	switch {
	case f.digest != "" && len(args) > 0:
		return errors.New("want a file or --digest, not both")
	case f.hash != "" && !slices.Contains(hashes, f.hash):
		return fmt.Errorf("--hash %s: want SHA-256, SHA-384 or SHA-512", f.hash)
	case f.padding != "" && f.padding != ipc.PaddingPKCS1v15 && f.padding != ipc.PaddingPSS:
		return fmt.Errorf("--padding %s: want pkcs1v15 or pss", f.padding)
	case signatureFormats[f.format] == nil:
		return fmt.Errorf("--format %s: want base64, hex or raw", f.format)
	}
	return nil
}

func (f *signFlags) sign(cmd *cobra.Command, signer *client.Signer, args []string) ([]byte, error) {
	if err := f.checkKey(signer.Public()); err != nil {
		return nil, cli.UsageError(cmd, err)
	}
	f.setDefaults(signer.Info())
	opts, err := f.options(signer.Public())
	if err != nil {
		return nil, err
	}
	input, err := f.input(cmd.InOrStdin(), opts.HashFunc(), args)
	if err != nil {
		return nil, err
	}
	return signer.SignContext(cmd.Context(), input, opts)
}

// checkKey rejects flags that do not apply to the key. To ignore them would
// make a different signature from the one that the user asked for.
func (f *signFlags) checkKey(public crypto.PublicKey) error {
	_, isRSA := public.(*rsa.PublicKey)
	switch {
	case f.padding != "" && !isRSA:
		return fmt.Errorf("--padding applies only to RSA keys, and key set %q has none; leave it out", f.key)
	case f.hash != "" && jose.KindOf(public).SignsMessages():
		return fmt.Errorf("--hash does not apply to the %s key of key set %q; leave it out", jose.KindOf(public).Crv, f.key)
	}
	return nil
}

// setDefaults fills in the hash and padding from what the key allows.
func (f *signFlags) setDefaults(key ipc.KeyInfo) {
	if f.hash == "" && len(key.Hashes) > 0 {
		f.hash = key.Hashes[0]
	}
	if f.padding == "" && len(key.Paddings) > 0 {
		f.padding = key.Paddings[0]
	}
}

// options are the arguments for crypto.Signer. Ed25519 and ML-DSA keys have no
// hash.
func (f *signFlags) options(public crypto.PublicKey) (crypto.SignerOpts, error) {
	if jose.KindOf(public).SignsMessages() {
		return crypto.Hash(0), nil
	}
	hash, known := jose.HashByName(f.hash)
	if !known || hash == 0 {
		return nil, fmt.Errorf("unknown hash %q for key set %q; upgrade assertctl", f.hash, f.key)
	}
	if _, ok := public.(*rsa.PublicKey); ok && f.padding == ipc.PaddingPSS {
		return jose.PSS(hash), nil
	}
	return hash, nil
}

// input is what the key signs: a digest, or the message itself without a hash.
func (f *signFlags) input(stdin io.Reader, hash crypto.Hash, args []string) ([]byte, error) {
	if f.digest != "" {
		return f.givenDigest(hash)
	}
	in, closing, err := open(stdin, args)
	if err != nil {
		return nil, err
	}
	defer closing()
	if hash == 0 {
		// One byte more than the maximum, so that the signer rejects a longer
		// file.
		return io.ReadAll(io.LimitReader(in, ipc.MaxMessageBytes+1))
	}
	digest := hash.New()
	_, err = io.Copy(digest, in)
	return digest.Sum(nil), err
}

func (f *signFlags) givenDigest(hash crypto.Hash) ([]byte, error) {
	if hash == 0 {
		return nil, errors.New("the key signs the message itself; give the file, not its digest")
	}
	digest, err := hex.DecodeString(strings.TrimSpace(f.digest))
	if err != nil {
		return nil, fmt.Errorf("--digest: %w", err)
	}
	return digest, nil
}

// open opens the file on the command line, or standard input.
func open(stdin io.Reader, args []string) (io.Reader, func(), error) {
	if len(args) == 0 || args[0] == "-" {
		return stdin, func() {}, nil
	}
	file, err := os.Open(args[0])
	return file, func() { file.Close() }, err
}
