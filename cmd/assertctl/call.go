package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
)

// callFlags describe the request to an API.
type callFlags struct {
	method, body, contentType string
}

func (a *app) callCommand() *cobra.Command {
	var flags tokenFlags
	var call callFlags
	cmd := &cobra.Command{
		Use:   "call URL",
		Short: "call an API with an access token obtained with an assertion",
		Long: "Gets an access token like assertctl token, sends one request to an API with it,\n" +
			"and prints the response. With --dpop the token is bound to a key and the request\n" +
			"has a DPoP proof. Does not follow redirects.",
		Example: "  assertctl call --grant github https://api.github.com/app\n" +
			"  assertctl call --url https://as.example/token --dpop my-dpop-grant \\\n" +
			"    https://api.example/accounts",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.read(cmd, request); err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		tokens, err := c.TokenSource(flags.TokenRequest)
		if err != nil {
			return err
		}
		target, err := url.Parse(args[0])
		if err != nil {
			return cli.UsageError(cmd, err)
		}
		base, err := flags.ca.transport()
		if err != nil {
			return cli.UsageError(cmd, err)
		}
		transport, err := tokens.Transport(target.Scheme+"://"+target.Host, base)
		if err != nil {
			return cli.UsageError(cmd, err)
		}
		return call.send(cmd, transport, target.String())
	}
	flags.register(a, cmd)
	cmd.Flags().StringVarP(&call.method, "method", "X", http.MethodGet, "HTTP `method`")
	cmd.Flags().StringVar(&call.body, "body", "", "`file` to send as the body")
	cmd.Flags().StringVar(&call.contentType, "content-type", "application/json", "media `type` of the body")
	return cmd
}

func (f callFlags) send(cmd *cobra.Command, transport http.RoundTripper, target string) error {
	request, closing, err := f.request(cmd, target)
	if err != nil {
		return err
	}
	defer closing()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(terminal.Data(cmd.OutOrStdout()), response.Body); err != nil {
		return err
	}
	if response.StatusCode < 300 {
		return nil
	}
	if target, err := response.Location(); err == nil {
		target.RawQuery, target.Fragment = "", "" // often a signature
		return fmt.Errorf("the API returned HTTP %s, a redirect to %s; call that URL if you trust it", statusLine(response), target.Redacted())
	}
	return fmt.Errorf("the API returned HTTP %s", statusLine(response))
}

// statusLine is a response's status code with its standard text. The text that
// the server sent could be anything.
func statusLine(response *http.Response) string {
	return fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
}

func (f callFlags) request(cmd *cobra.Command, target string) (*http.Request, func(), error) {
	if f.body == "" {
		request, err := http.NewRequestWithContext(cmd.Context(), f.method, target, nil)
		return request, func() {}, err
	}
	file, err := os.Open(f.body)
	if err != nil {
		return nil, nil, cli.UsageError(cmd, err)
	}
	closing := func() { file.Close() }
	request, err := http.NewRequestWithContext(cmd.Context(), f.method, target, file)
	if err != nil {
		return nil, closing, err
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		request.ContentLength = info.Size()
	}
	request.Header.Set("Content-Type", f.contentType)
	// Lets the transport repeat the request with a DPoP nonce.
	request.GetBody = func() (io.ReadCloser, error) { return os.Open(f.body) }
	return request, closing, nil
}
