package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// googleToken is the output that Google's libraries expect (AIP-4117).
type googleToken struct {
	Version        int    `json:"version"`
	Success        bool   `json:"success"`
	TokenType      string `json:"token_type,omitempty"`
	IDToken        string `json:"id_token,omitempty"`
	ExpirationTime int64  `json:"expiration_time,omitempty"`
	Code           string `json:"code,omitempty"`
	Message        string `json:"message,omitempty"`
}

// kubernetesCredential is the output that kubectl expects of a credential
// plugin.
type kubernetesCredential struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     struct {
		ExpirationTimestamp time.Time `json:"expirationTimestamp"`
		Token               string    `json:"token"`
	} `json:"status"`
}

// credentialFormats are the output formats, by the tool that runs this command.
var credentialFormats = map[string]func(ipc.AssertionResponse) any{
	"google":     googleCredential,
	"kubernetes": kubernetesCredentialOf,
}

func (a *app) execCredentialCommand() *cobra.Command {
	format := "google"
	cmd := &cobra.Command{
		Use:   "exec-credential",
		Short: "act as a credential plugin for Google's libraries or kubectl",
		Long: "Prints a fresh assertion in the format of an executable-sourced credential for\n" +
			"Google's libraries, which also need GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1,\n" +
			"or of an exec credential plugin for kubectl (--format kubernetes).",
		Example: "  \"credential_source\": {\"executable\": {\n" +
			"    \"command\": \"/usr/bin/assertctl exec-credential --grant google\"}}",
		Args: cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		req, err := request.request(cmd)
		if err != nil {
			return err
		}
		if credentialFormats[format] == nil {
			return cli.UsageError(cmd, fmt.Errorf("--format %s: want google or kubernetes", format))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return execCredential(cmd.Context(), cmd.OutOrStdout(), c, req, format)
	}
	cmd.Flags().StringVar(&format, "format", format, "output for this `tool`: google or kubernetes")
	complete(cmd, "format", cobra.FixedCompletions([]string{"google", "kubernetes"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// execCredential prints the credential. For Google's libraries it prints a
// failure as well, since they show its message.
func execCredential(ctx context.Context, out io.Writer, c *client.Client, req ipc.AssertionRequest, format string) error {
	answer, err := c.Assert(ctx, req)
	var printed any
	switch {
	case err == nil:
		printed = credentialFormats[format](answer)
	case format == "google":
		printed = googleToken{Version: 1, Code: strconv.Itoa(exitCode(err)), Message: err.Error()}
	default:
		return err
	}
	text, encodeErr := json.Marshal(printed)
	if encodeErr != nil {
		return encodeErr
	}
	if _, printErr := fmt.Fprintf(out, "%s\n", text); printErr != nil {
		return printErr
	}
	return err
}

// googleCredential has the token type that the libraries ask for, by default a
// JWT. It leaves their cache in GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE empty: each
// exchange needs a fresh assertion.
func googleCredential(answer ipc.AssertionResponse) any {
	kind := os.Getenv("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE")
	if kind == "" {
		kind = "urn:ietf:params:oauth:token-type:jwt"
	}
	return googleToken{Version: 1, Success: true, TokenType: kind, IDToken: answer.Assertion, ExpirationTime: answer.ExpiresAt}
}

func kubernetesCredentialOf(answer ipc.AssertionResponse) any {
	credential := kubernetesCredential{APIVersion: "client.authentication.k8s.io/v1", Kind: "ExecCredential"}
	credential.Status.Token = answer.Assertion
	credential.Status.ExpirationTimestamp = time.Unix(answer.ExpiresAt, 0).UTC()
	return credential
}
