package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/internal/trustpath"
)

// maxCertificate limits a certificate on standard input, in bytes.
const maxCertificate = 1 << 20

func (k *keyTool) csrCommand() *cobra.Command {
	var names keyadmin.Names
	var selfSigned lifetime
	cmd := &cobra.Command{
		Use:   "csr KEY --subject NAME",
		Short: "print a certificate request or self-signed certificate",
		Long: "Prints a certificate signing request (PKCS #10, PEM), signed by the HSM. With\n" +
			"--self-signed it prints a certificate instead, for receivers that take keys only\n" +
			"in that form.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.find(cmd.Context(), args[0], func(_ *keyadmin.Admin, _ *keyadmin.Inventory, key keyadmin.Key) error {
				text, err := certify(key, names, selfSigned)
				if err != nil {
					return err
				}
				_, err = terminal.Data(cmd.OutOrStdout()).Write(text)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&names.Subject, "subject", "", "subject `name`, such as \"CN=payments,O=Example Ltd,C=GB\" or \"/C=GB/O=Example Ltd/CN=payments\"")
	flags.StringSliceVar(&names.DNS, "dns", nil, "alternative DNS `name`; may be repeated")
	flags.StringSliceVar(&names.URIs, "uri", nil, "alternative `URI`; may be repeated")
	flags.StringSliceVar(&names.Emails, "email", nil, "alternative email `address`; may be repeated")
	flags.StringSliceVar(&names.IPs, "ip", nil, "alternative IP `address`; may be repeated")
	flags.Var(&selfSigned, "self-signed", "print a self-signed certificate, valid for this `duration`, such as 365d")
	_ = cmd.MarkFlagRequired("subject")
	return cmd
}

func certify(key keyadmin.Key, names keyadmin.Names, selfSigned lifetime) ([]byte, error) {
	if selfSigned.Duration == 0 {
		return key.CSR(names)
	}
	return key.SelfSigned(names, selfSigned.Std(), now())
}

// lifetime is a flag that takes durations as the configuration does, with days.
type lifetime struct{ config.Duration }

// Set implements pflag.Value.
func (l *lifetime) Set(text string) error {
	if err := l.UnmarshalText([]byte(text)); err != nil || l.Duration > 0 {
		return err
	}
	return errors.New("want a duration above zero")
}

// String implements pflag.Value.
func (l *lifetime) String() string {
	if l.Duration == 0 {
		return ""
	}
	return l.Duration.String()
}

// Type implements pflag.Value.
func (*lifetime) Type() string { return "duration" }

func (k *keyTool) importCommand() *cobra.Command {
	var toFile bool
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "import-cert KEY [CERTIFICATE]",
		Short: "check a certificate and store it with its key",
		Long: "Reads a certificate in PEM or DER, with its issuers if given, from a file or\n" +
			"standard input. It must be for this key and valid now. Stores it on the token or,\n" +
			"with --file, in the file that keys.*.certificate names, with its issuers. Reload\n" +
			"the daemon to use it.",
		Args: cli.Args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := certificateText(cmd.InOrStdin(), args[1:])
			if err != nil {
				return err
			}
			return k.find(cmd.Context(), args[0], func(a *keyadmin.Admin, inv *keyadmin.Inventory, key keyadmin.Key) error {
				if toFile {
					return importToFile(cmd.OutOrStdout(), output, a, inv, key, text)
				}
				return importToToken(cmd.OutOrStdout(), output, a, key, text)
			})
		},
	}
	cmd.Flags().BoolVar(&toFile, "file", false, "store it in the file that keys.*.certificate names")
	output.Register(cmd)
	return cmd
}

func certificateText(stdin io.Reader, paths []string) ([]byte, error) {
	if len(paths) == 1 {
		return trustpath.ReadRegular(paths[0])
	}
	return io.ReadAll(io.LimitReader(stdin, maxCertificate))
}

// storedCertificate is the result of import-cert.
type storedCertificate struct {
	Kid            string    `json:"kid"`
	Subject        string    `json:"subject"`
	NotAfter       time.Time `json:"not_after"`
	File           string    `json:"file,omitempty"` // empty if it is on the token
	IssuersLeftOut int       `json:"issuers_left_out,omitempty"`
}

func importToToken(out io.Writer, output cli.Output, a *keyadmin.Admin, key keyadmin.Key, text []byte) error {
	certificate, left, err := a.ImportToToken(key, text)
	if err != nil {
		return err
	}
	result := storedCertificate{Kid: key.Kid, Subject: certificate.Subject.String(), NotAfter: certificate.NotAfter.UTC(), IssuersLeftOut: left}
	return output.Print(out, result, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "stored %s for key %s on the token; valid until %s\n",
			keyadmin.Printable(result.Subject), key.Kid, result.NotAfter.Format(time.RFC3339))
		if left > 0 {
			fmt.Fprintf(out, "The token does not store %s of it. If a receiver needs %s in x5c, use --file.\n",
				plural.Of(left, "issuer"), plural.Verb(left, "that", "those"))
		}
		return err
	})
}

func importToFile(out io.Writer, output cli.Output, a *keyadmin.Admin, inv *keyadmin.Inventory, key keyadmin.Key, text []byte) error {
	path, err := inv.CertificateFile(key)
	if err != nil {
		return err
	}
	certificate, err := a.ImportToFile(key, text, path)
	if err != nil {
		return err
	}
	result := storedCertificate{Kid: key.Kid, Subject: certificate.Subject.String(), NotAfter: certificate.NotAfter.UTC(), File: path}
	return output.Print(out, result, func(out io.Writer) error {
		_, err = fmt.Fprintf(out, "wrote %s for key %s to %s; valid until %s. Now reload the daemon: systemctl reload assertd\n",
			keyadmin.Printable(result.Subject), key.Kid, path, result.NotAfter.Format(time.RFC3339))
		return err
	})
}
