package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

// fetchTimeout is twice the timeout of the most patient common verifier.
const fetchTimeout = 10 * time.Second

// errIncomplete means that a key is missing from the copy or differs.
var errIncomplete = errors.New("this copy cannot verify everything that the daemon signs now or will sign next")

// diffFlags say what to compare with.
type diffFlags struct {
	against string
	ca      caFlag
	output  outputFlag
}

func (a *app) jwksDiffCommand() *cobra.Command {
	var flags diffFlags
	cmd := &cobra.Command{
		Use:   "diff URL|FILE",
		Short: "compare a published or stored JWKS with the daemon's",
		Long: "Compares the JWKS at a URL or in a file with the daemon's. Exits with 0 if it\n" +
			"has every key of the daemon, unchanged. Extra keys are listed, but are not an\n" +
			"error.\n\n" +
			"Fetches a URL as verifiers do: no redirects, status 200, at most 1 MiB, within\n" +
			"10 seconds.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			want, err := a.keySet(cmd.Context(), flags.against)
			if err != nil {
				return err
			}
			have, err := readSet(cmd.Context(), args[0], flags.ca)
			if err != nil {
				return err
			}
			return flags.report(cmd.OutOrStdout(), jwks.Diff(have, want))
		},
	}
	cmd.Flags().StringVar(&flags.against, "jwks", "", "compare with the JWKS in this `file` (default: the daemon's)")
	flags.ca.register(cmd)
	flags.output.register(cmd)
	return cmd
}

func (f diffFlags) report(out io.Writer, d jwks.Difference) error {
	err := f.output.print(out, d, func(out io.Writer) error {
		_, err := io.WriteString(out, d.String())
		return err
	})
	if err == nil && !d.Complete() {
		err = errIncomplete
	}
	return err
}

// readSet reads the set at a URL or in a file.
func readSet(ctx context.Context, location string, ca caFlag) (jwks.Set, error) {
	if !strings.HasPrefix(location, "https://") && !strings.HasPrefix(location, "http://") {
		return readSetFile(location)
	}
	transport, err := ca.transport()
	if err != nil {
		return jwks.Set{}, err
	}
	defer transport.CloseIdleConnections()
	text, err := fetch(ctx, transport, location)
	if err != nil {
		return jwks.Set{}, fmt.Errorf("%s: %w", location, err)
	}
	set, err := jwks.ParseSet(text)
	if err != nil {
		return jwks.Set{}, fmt.Errorf("%s: %w", location, err)
	}
	return set, nil
}

func readSetFile(path string) (jwks.Set, error) {
	text, err := trustpath.ReadRegular(path)
	if err != nil {
		return jwks.Set{}, err
	}
	set, err := jwks.ParseSet(text)
	if err != nil {
		return jwks.Set{}, fmt.Errorf("%s: %w", path, err)
	}
	return set, nil
}

// fetch reads a URL like a verifier. Many verifiers do not follow redirects.
func fetch(ctx context.Context, transport http.RoundTripper, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := checkResponse(response); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(response.Body, jwks.MaxDocument+1)) // ParseSet rejects a longer one
}

func checkResponse(response *http.Response) error {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return fmt.Errorf("it redirects to %s, which many verifiers do not follow; give receivers that URL", response.Header.Get("Location"))
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("it returns HTTP %s", statusLine(response))
	case kind != "application/jwk-set+json" && kind != "application/json":
		return fmt.Errorf("its Content-Type is %q; serve it as application/jwk-set+json", kind)
	}
	return nil
}
