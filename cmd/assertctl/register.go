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
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

// registerFlags say what is registered where, and by whose leave.
type registerFlags struct {
	client.Registration
	name, scope, metadata, kid, tokenFile, out string
	redirects                                  []string
	initial                                    tokenFlags // how to get the initial access token
}

func (a *app) registerCommand() *cobra.Command {
	var flags registerFlags
	cmd := &cobra.Command{
		Use:   "register --url REGISTRATION_ENDPOINT",
		Short: "register a client that authenticates by assertions",
		Long: "Registers a client at an authorization server (RFC 7591) with the daemon's public keys, by --jwks-uri or in the\n" +
			"request itself. Prints the server's answer and with --out stores it, mode 0600: it may hold a registration access\n" +
			"token. Put the client_id that it gives into the grant.\n\n" +
			"A server that wants an initial access token gets the one of --initial-token-file, or one that is asked for at\n" +
			"--token-url by an assertion (of --grant, with --token-scope).",
		Example: "  assertctl register --url https://as.example/register --name payments --jwks-uri https://keys.example/jwks.json --alg ES256 --out client.json\n" +
			"  assertctl register --url https://as.example/register --token-url https://as.example/token --token-scope dcr --kid KID",
		Args: cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// The answer can't be had again: its file is there before it is asked for,
		// and it is printed even where it can't be stored.
		store, err := createNew(flags.out)
		if err != nil {
			return cli.UsageError(cmd, err)
		}
		answer, err := a.registration(cmd, request, &flags)
		if err != nil {
			return errors.Join(err, store.discard())
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", answer)
		if stored := store.keep(answer); stored != nil {
			return fmt.Errorf("the client is registered, but its answer was not stored: %w", stored)
		}
		return err
	}
	flags.register(cmd)
	return cmd
}

func (f *registerFlags) register(cmd *cobra.Command) {
	text := cmd.Flags().StringVar
	text(&f.URL, "url", "", "`url` of the registration endpoint")
	text(&f.JWKSURI, "jwks-uri", "", "where the daemon publishes its keys: `url` (default: the keys go into the request, and stay after a rotation)")
	text(&f.kid, "kid", "", "send the key with this `kid` (default: the one that the grant signs with now)")
	text(&f.Alg, "alg", "", "send this `alg` as token_endpoint_auth_signing_alg, such as ES256")
	text(&f.name, "name", "", "send this `name` as client_name")
	text(&f.scope, "scope", "", "the `scopes` that the client may ask for")
	cmd.Flags().StringArrayVar(&f.redirects, "redirect-uri", nil, "a redirect `uri`, may be repeated")
	text(&f.metadata, "metadata", "", "a JSON `file` of further client metadata")
	text(&f.tokenFile, "initial-token-file", "", "the `file` of an initial access token")
	text(&f.initial.URL, "token-url", "", "`url` of the token endpoint that gives the initial access token")
	text(&f.initial.Scope, "token-scope", "", "the `scopes` of the initial access token")
	text(&f.out, "out", "", "store the answer in this new `file`")
	cmd.MarkFlagsMutuallyExclusive("jwks-uri", "kid")
	cmd.MarkFlagsMutuallyExclusive("initial-token-file", "token-url")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is defined above
	}
}

func (a *app) registration(cmd *cobra.Command, request *requestFlags, flags *registerFlags) (json.RawMessage, error) {
	var err error
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
		text, err := os.ReadFile(f.metadata)
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

// initialToken reads the initial access token or gets one, if either is asked for.
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

// inlineKeys is a JWKS of the one key that the client will sign with. The keys
// of the daemon's other key sets are none of this server's business.
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
		return nil, fmt.Errorf("the daemon publishes no key %q", kid)
	}
	one, err := jwks.NewSet([]jwks.Key{key})
	if err != nil {
		return nil, err
	}
	return one.JSON(), nil
}

// signingKey finds the one key that a grant, or every grant, signs with.
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
		return "", errors.New("no grant of this user has a key for assertions: name one by --kid")
	case 1:
		return kid, nil
	}
	return "", errors.New("the grants of this user have several keys: name one by --grant or --kid")
}

// newFile is a file that was not there before, for its owner alone. Without a file
// it keeps nothing.
type newFile struct{ file *os.File }

func createNew(path string) (newFile, error) {
	if path == "" {
		return newFile{}, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return newFile{}, fmt.Errorf("--out %s is there already: it may hold another registration's secrets", path)
	case err != nil:
		return newFile{}, fmt.Errorf("--out: %w", err)
	}
	return newFile{file}, nil
}

func (f newFile) keep(content []byte) error {
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
