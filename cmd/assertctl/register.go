package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

// registerFlags describe the client and the server to register it with.
type registerFlags struct {
	client.Registration
	name, scope, metadata, kid, tokenFile, out string
	redirects                                  []string
	initial                                    tokenFlags // how to obtain the initial access token
}

func (a *app) registerCommand() *cobra.Command {
	var flags registerFlags
	cmd := &cobra.Command{
		Use:   "register --url REGISTRATION_ENDPOINT",
		Short: "register an OAuth client (RFC 7591)",
		Long: "Registers a client that authenticates with assertions (RFC 7591). The server\n" +
			"gets the daemon's public keys by reference (--jwks-uri) or in the request.\n" +
			"Prints the server's response; --out also stores it in a file with mode 0600,\n" +
			"since it may contain a registration access token. Put its client_id into the\n" +
			"grant.\n\n" +
			"If the server requires an initial access token, pass it with\n" +
			"--initial-token-file, or get one from --token-url with an assertion.",
		Example: "  assertctl register --url https://as.example/register --name payments \\\n" +
			"    --jwks-uri https://keys.example/jwks.json --alg ES256 --out client.json\n" +
			"  assertctl register --url https://as.example/register --kid KID \\\n" +
			"    --token-url https://as.example/token --token-scope dcr",
		Args: cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// The server sends its response only once: create the file first, and
		// print the response even if it can't be stored.
		store, err := createNew(flags.out)
		if err != nil {
			return cli.UsageError(cmd, err)
		}
		answer, err := a.registration(cmd, request, &flags)
		if err != nil {
			return errors.Join(err, store.discard())
		}
		_, err = fmt.Fprintf(terminal.Data(cmd.OutOrStdout()), "%s\n", answer)
		if stored := store.save(answer); stored != nil {
			return fmt.Errorf("the client is registered, but the response was not stored: %w; keep the printed copy", stored)
		}
		return err
	}
	flags.register(cmd)
	return cmd
}

func (f *registerFlags) register(cmd *cobra.Command) {
	text := cmd.Flags().StringVar
	text(&f.URL, "url", "", "`url` of the registration endpoint")
	text(&f.JWKSURI, "jwks-uri", "", "`url` where the daemon's keys are published (default: send the key itself, which does not follow rotations)")
	text(&f.kid, "kid", "", "send the key with this `kid` (default: the grant's signing key)")
	text(&f.Alg, "alg", "", "`alg` to send as token_endpoint_auth_signing_alg, such as ES256")
	text(&f.name, "name", "", "`name` to send as client_name")
	text(&f.scope, "scope", "", "`scopes` that the client may request")
	cmd.Flags().StringArrayVar(&f.redirects, "redirect-uri", nil, "redirect `uri`; may be repeated")
	text(&f.metadata, "metadata", "", "JSON `file` with additional client metadata")
	text(&f.tokenFile, "initial-token-file", "", "`file` with the initial access token")
	text(&f.initial.URL, "token-url", "", "`url` of the token endpoint for the initial access token")
	text(&f.initial.Scope, "token-scope", "", "`scopes` of the initial access token")
	text(&f.out, "out", "", "store the response in this new `file`")
	f.initial.ca.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("jwks-uri", "kid")
	cmd.MarkFlagsMutuallyExclusive("initial-token-file", "token-url")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is defined above
	}
}

func (a *app) registration(cmd *cobra.Command, request *requestFlags, flags *registerFlags) (json.RawMessage, error) {
	var err error
	if flags.HTTP, err = flags.initial.ca.client(); err != nil {
		return nil, cli.UsageError(cmd, err)
	}
	if flags.Metadata, err = flags.clientMetadata(); err != nil {
		return nil, cli.UsageError(cmd, err)
	}
	if flags.InitialToken, err = a.initialToken(cmd, request, flags); err != nil {
		return nil, err
	}
	if flags.JWKSURI == "" {
		if flags.JWKS, err = a.inlineKeys(cmd.Context(), request.grant, flags.kid); err != nil {
			return nil, err
		}
	}
	return client.Register(cmd.Context(), flags.Registration)
}

func (f *registerFlags) clientMetadata() (map[string]any, error) {
	metadata := make(map[string]any)
	if f.metadata != "" {
		text, err := trustpath.ReadRegular(f.metadata)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &metadata); err != nil {
			return nil, fmt.Errorf("--metadata %s: %w", f.metadata, err)
		}
	}
	if f.name != "" {
		metadata["client_name"] = f.name
	}
	if f.scope != "" {
		metadata["scope"] = f.scope
	}
	if f.redirects != nil {
		metadata["redirect_uris"] = f.redirects
	}
	return metadata, nil
}

// initialToken reads or obtains the initial access token, if the flags ask for
// one.
func (a *app) initialToken(cmd *cobra.Command, request *requestFlags, flags *registerFlags) (string, error) {
	if flags.tokenFile != "" {
		token, err := readSecret(flags.tokenFile)
		if err == nil && token == "" {
			err = fmt.Errorf("--initial-token-file %s is empty", flags.tokenFile)
		}
		return token, err
	}
	if flags.initial.URL == "" {
		return "", nil
	}
	token, err := a.token(cmd, request, &flags.initial)
	return token.AccessToken, err
}

// inlineKeys is a JWKS with only the key that the client signs with. The server
// has no need to know the daemon's other keys.
func (a *app) inlineKeys(ctx context.Context, grant, kid string) (json.RawMessage, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	if kid == "" {
		grants, err := c.Grants(ctx)
		if err != nil {
			return nil, err
		}
		if kid, err = signingKey(grants.Grants, grant); err != nil {
			return nil, err
		}
	}
	text, err := c.JWKS(ctx)
	if err != nil {
		return nil, err
	}
	all, err := jwks.ParseSet(text)
	if err != nil {
		return nil, err
	}
	key, found := all.Lookup(kid)
	if !found {
		return nil, fmt.Errorf("the daemon does not publish key %q", kid)
	}
	one, err := jwks.NewSet([]jwks.Key{key})
	if err != nil {
		return nil, err
	}
	return one.JSON(), nil
}

// signingKey returns the kid of the one key that a grant, or every grant, signs
// with.
func signingKey(grants []ipc.GrantInfo, name string) (string, error) {
	kids := make(map[string]bool)
	kid := ""
	for _, g := range grants {
		if g.Use == ipc.UseAssertion && (name == "" || g.Name == name) && g.Kid != "" {
			kids[g.Kid], kid = true, g.Kid
		}
	}
	switch len(kids) {
	case 0:
		return "", errors.New("none of your grants has a signing key; name one with --kid")
	case 1:
		return kid, nil
	}
	return "", errors.New("your grants use several keys; choose one with --grant or --kid")
}

// newFile is a new file with mode 0600, or no file.
type newFile struct{ file *os.File }

func createNew(path string) (newFile, error) {
	if path == "" {
		return newFile{}, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return newFile{}, fmt.Errorf("--out %s already exists, perhaps with the secrets of another client; choose a new file", path)
	case err != nil:
		return newFile{}, fmt.Errorf("--out: %w", err)
	}
	return newFile{file}, nil
}

func (f newFile) save(content []byte) error {
	if f.file == nil {
		return nil
	}
	_, err := f.file.Write(append(content, '\n'))
	return errors.Join(err, f.file.Chmod(0o600), f.file.Sync(), f.file.Close())
}

func (f newFile) discard() error {
	if f.file == nil {
		return nil
	}
	return errors.Join(f.file.Close(), os.Remove(f.file.Name()))
}
