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

// googleToken is what Google's libraries read of an executable (AIP-4117).
type googleToken struct {
	Version        int    `json:"version"`
	Success        bool   `json:"success"`
	TokenType      string `json:"token_type,omitempty"`
	IDToken        string `json:"id_token,omitempty"`
	ExpirationTime int64  `json:"expiration_time,omitempty"`
	Code           string `json:"code,omitempty"`
	Message        string `json:"message,omitempty"`
}

// kubernetesCredential is what kubectl reads of a credential plugin.
type kubernetesCredential struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     struct {
		ExpirationTimestamp time.Time `json:"expirationTimestamp"`
		Token               string    `json:"token"`
	} `json:"status"`
}

// credentialForms are how the tools that run this command want its answer.
var credentialForms = map[string]func(ipc.AssertionResponse) any{
	"google":     googleCredential,
	"kubernetes": kubernetesCredentialOf,
}

func (a *app) execCredentialCommand() *cobra.Command {
	form := "google"
	cmd := &cobra.Command{
		Use:   "exec-credential",
		Short: "be the credential executable of Google's libraries, or of kubectl",
		Long: "Prints a fresh assertion as Google's libraries read it of an executable-sourced credential (set\n" +
			"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 for them), or with --format kubernetes as kubectl reads it of a plugin.",
		Example: `  "credential_source": {"executable": {"command": "/usr/bin/assertctl exec-credential --grant google"}}`,
		Args:    cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		req, err := request.request(cmd)
		if err != nil {
			return err
		}
		if credentialForms[form] == nil {
			return cli.UsageError(cmd, fmt.Errorf("--format %s: want google or kubernetes", form))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return execCredential(cmd.Context(), cmd.OutOrStdout(), c, req, form)
	}
	cmd.Flags().StringVar(&form, "format", form, "the `tool` that asks: google or kubernetes")
	complete(cmd, "format", cobra.FixedCompletions([]string{"google", "kubernetes"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// execCredential prints the credential. A failure is printed for Google's
// libraries, too, which show its message; the exit code says it to everyone.
func execCredential(ctx context.Context, out io.Writer, c *client.Client, req ipc.AssertionRequest, form string) error {
	answer, err := c.Assert(ctx, req)
	var printed any
	switch {
	case err == nil:
		printed = credentialForms[form](answer)
	case form == "google":
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

// googleCredential has the type that the libraries announce, or that of a JWT.
// The file in GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE is a cache of theirs, which is
// left alone: each exchange gets an assertion of its own.
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
