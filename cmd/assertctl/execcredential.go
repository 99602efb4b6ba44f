package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
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

// kubernetesCredential is the output that kubectl and client-go expect of a
// credential plugin. All versions of its API since v1beta1 have these members.
type kubernetesCredential struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     struct {
		ExpirationTimestamp time.Time `json:"expirationTimestamp"`
		Token               string    `json:"token"`
	} `json:"status"`
}

// kubernetesVersions are the versions of the credential plugin API, the default
// first.
var kubernetesVersions = []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}

// credentialFormat writes the outcome of a request for the tool that runs this
// command. The error that it returns decides the exit code.
type credentialFormat func(out io.Writer, answer ipc.AssertionResponse, refused error) error

func credentialFormatOf(name string) (credentialFormat, error) {
	switch name {
	case "google":
		return printGoogle, nil
	case "kubernetes":
		version, err := kubernetesVersion(os.Getenv("KUBERNETES_EXEC_INFO"))
		return func(out io.Writer, answer ipc.AssertionResponse, refused error) error {
			return printKubernetes(out, version, answer, refused)
		}, err
	}
	return nil, fmt.Errorf("--format %s: want google or kubernetes", name)
}

func (a *app) execCredentialCommand() *cobra.Command {
	format := "google"
	cmd := &cobra.Command{
		Use:   "exec-credential",
		Short: "act as a credential plugin for Google's libraries or kubectl",
		Long: "Prints a fresh assertion in the format of an executable-sourced credential for\n" +
			"Google's libraries, which also need GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1,\n" +
			"or of an exec credential plugin for kubectl (--format kubernetes), in the API\n" +
			"version that KUBERNETES_EXEC_INFO asks for.\n\n" +
			"Google's libraries show people the reason for a failure only if the command\n" +
			"exits with 0. So in their format, a refusal is printed with exit code 0.",
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
		print, err := credentialFormatOf(format)
		if err != nil {
			return cli.UsageError(cmd, err)
		}
		answer, err := a.credential(cmd.Context(), req)
		return print(terminal.Data(cmd.OutOrStdout()), answer, err)
	}
	cmd.Flags().StringVar(&format, "format", format, "output for this `tool`: google or kubernetes")
	complete(cmd, "format", cobra.FixedCompletions([]string{"google", "kubernetes"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) credential(ctx context.Context, req ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	c, err := a.client()
	if err != nil {
		return ipc.AssertionResponse{}, err
	}
	return c.Assert(ctx, req)
}

// printGoogle writes the token type that the libraries ask for, by default a
// JWT. It leaves their cache in GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE empty: each
// exchange needs a fresh assertion. It reports no error to exit with: after
// another exit code than 0, the Go and C++ libraries ignore the message, and
// the Python library shows the raw JSON.
func printGoogle(out io.Writer, answer ipc.AssertionResponse, refused error) error {
	if refused != nil {
		return json.NewEncoder(out).Encode(googleToken{Version: 1, Code: strconv.Itoa(exitCode(refused)), Message: refused.Error()})
	}
	return json.NewEncoder(out).Encode(googleToken{
		Version: 1, Success: true, IDToken: answer.Assertion, ExpirationTime: answer.ExpiresAt,
		TokenType: cmp.Or(os.Getenv("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE"), "urn:ietf:params:oauth:token-type:jwt"),
	})
}

// printKubernetes writes nothing after a refusal: kubectl shows what the
// command writes to its standard error.
func printKubernetes(out io.Writer, version string, answer ipc.AssertionResponse, refused error) error {
	if refused != nil {
		return refused
	}
	credential := kubernetesCredential{APIVersion: version, Kind: "ExecCredential"}
	credential.Status.Token = answer.Assertion
	credential.Status.ExpirationTimestamp = time.Unix(answer.ExpiresAt, 0).UTC()
	return json.NewEncoder(out).Encode(credential)
}

// kubernetesVersion is the API version that an ExecCredential in
// KUBERNETES_EXEC_INFO asks for. client-go refuses an answer in another one.
func kubernetesVersion(info string) (string, error) {
	if info == "" {
		return kubernetesVersions[0], nil
	}
	var asked struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal([]byte(info), &asked); err != nil {
		return "", fmt.Errorf("KUBERNETES_EXEC_INFO is not JSON: %w; run this command from kubectl, or unset it", err)
	}
	if !slices.Contains(kubernetesVersions, asked.APIVersion) {
		return "", fmt.Errorf("KUBERNETES_EXEC_INFO asks for API version %q; set apiVersion in the kubeconfig's exec section to %s",
			asked.APIVersion, strings.Join(kubernetesVersions, " or "))
	}
	return asked.APIVersion, nil
}
