package main

import (
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/policytest"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/signer/policy"
)

// explainFlags describe a caller and its request.
type explainFlags struct {
	config         string
	caller         policytest.Process
	serviceAccount string // of a token that kube-apiserver asks for
	grant          string
	audiences      []string
	claims         []string
	lifetime       time.Duration
	all            bool
	output         cli.Output
}

func explainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "explain why a request would be allowed or refused",
		Long: "Evaluates a request as the daemon would, without an HSM. Prints the verdict, the rules of the\n" +
			"client that matches, whether each passed and why, and what the assertion would contain; values\n" +
			"that are only known at signing time are in angle brackets. Exits with status 0 if the request is\n" +
			"allowed, or 3 if it is refused.\n\n" +
			"With --service-account, the request is kube-apiserver's for a token of that service account.",
		Example: "  assertd explain --user payments --unit payments.service \\\n" +
			"    --audience https://as.bank-a.example --claim 'scope=read write'\n" +
			"  assertd explain --user root --service-account payments/api \\\n" +
			"    --audience sts.amazonaws.com",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.explain(cmd.OutOrStdout()) },
	}
	configFlag(cmd, &f.config)
	f.register(cmd)
	return cmd
}

func (f *explainFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.caller.User, "user", "u", "", "`user` that the process runs as, name or number (required)")
	flags.StringArrayVar(&f.caller.Groups, "group", nil, "`group` of the process, name or number, the primary first; repeatable (default: the user's groups on this machine)")
	flags.StringVar(&f.caller.Executable, "executable", "", "`path` of the executable")
	flags.StringVar(&f.caller.ExecutableSHA256, "sha256", "", "SHA-256 `digest` of the executable, in hex")
	flags.StringVar(&f.caller.Unit, "unit", "", "systemd `unit` of the process")
	flags.StringVar(&f.caller.Container, "container", "", "container `id` of the process")
	flags.StringVar(&f.caller.Listener, "listener", "", "`path` of the socket that it uses (default: the only one that isn't bound to a client, or is for kube-apiserver)")
	flags.StringVar(&f.grant, "grant", "", "`name` of the requested grant")
	flags.StringArrayVarP(&f.audiences, "audience", "a", nil, "requested audience, as a `uri`; repeatable with --service-account")
	flags.StringVar(&f.serviceAccount, "service-account", "", "Kubernetes service `account`, as namespace/name")
	flags.StringArrayVar(&f.claims, "claim", nil, "requested claim, as `name=value`; the value can be JSON; repeatable")
	flags.DurationVar(&f.lifetime, "lifetime", 0, "requested lifetime, such as 60s")
	flags.BoolVar(&f.all, "all", false, "show the clients that don't match the caller, too")
	f.output.RegisterWithJSON(cmd)
}

// errRefused exits with status 3. The refusal has been printed.
var errRefused = errors.New("refused")

func (f *explainFlags) explain(out io.Writer) error {
	if f.caller.User == "" {
		return fmt.Errorf("%w: --user is missing; set it to the user that the process runs as", cli.ErrUsage)
	}
	simulator, err := policytest.OpenSimulator(f.config)
	if err != nil {
		return err
	}
	if f.caller.Groups == nil {
		if err := simulator.CheckUser(f.caller.User); err != nil {
			return fmt.Errorf("%w: --user: %w", cli.ErrUsage, err)
		}
		f.caller.Groups = groupsOf(f.caller.User)
	}
	ask := f.askAssertion
	if f.serviceAccount != "" {
		ask = f.askKubernetes
	}
	answer, err := ask(simulator)
	if err != nil {
		return err
	}
	simulator.Names(answer.Clients)
	if err := f.print(answer, simulator.Describe(answer.Caller), out); err != nil {
		return err
	}
	if answer.Refusal != nil {
		return errRefused
	}
	return nil
}

func (f *explainFlags) askAssertion(simulator *policytest.Simulator) (answer, error) {
	var audience string
	switch len(f.audiences) {
	case 0:
	case 1:
		audience = f.audiences[0]
	default:
		return answer{}, fmt.Errorf("%w: an assertion has one audience; set --audience once", cli.ErrUsage)
	}
	claims, err := parseClaims(f.claims)
	if err != nil {
		return answer{}, err
	}
	caller, err := simulator.Caller(f.caller)
	if err != nil {
		return answer{}, err
	}
	got, err := simulator.Assert(caller, policy.Request{Grant: f.grant, Audience: audience, Claims: claims, Lifetime: f.lifetime})
	return answerOf(got), err
}

func (f *explainFlags) askKubernetes(simulator *policytest.Simulator) (answer, error) {
	if f.grant != "" || f.claims != nil {
		return answer{}, fmt.Errorf("%w: kube-apiserver names no grant and writes the claims itself; remove --grant and --claim, or --service-account", cli.ErrUsage)
	}
	caller, err := simulator.KubernetesCaller(f.caller)
	if err != nil {
		return answer{}, err
	}
	got, err := simulator.Kubernetes(caller, policytest.KubernetesRequest{
		ServiceAccount: f.serviceAccount, Audiences: f.audiences, Lifetime: config.Duration(f.lifetime),
	})
	if err != nil {
		return answer{}, err
	}
	return kubernetesAnswerOf(got), nil
}

func (f *explainFlags) print(a answer, caller string, out io.Writer) error {
	return f.output.Print(out, explanationOf(a), func(out io.Writer) error { return f.printText(a, caller, out) })
}

// printText prints the verdict first.
func (f *explainFlags) printText(a answer, caller string, out io.Writer) error {
	verdict, details, _ := strings.Cut(forAdministrators(a.outcome), "\n")
	color := terminal.Good
	if a.Refusal != nil {
		color = terminal.Bad
	}
	_ = terminal.Paint(out, color, verdict) // the writes below report it
	fmt.Fprintf(out, "\n%scaller: %s\n%s", details, caller, a.Text(f.all || f.output == cli.Wide))
	if a.Refusal != nil {
		return nil
	}
	fmt.Fprintln(out, "header")
	if err := cli.JSON.Print(out, a.token.Header, nil); err != nil {
		return err
	}
	fmt.Fprintln(out, "claims")
	return cli.JSON.Print(out, a.token.Claims, nil)
}

// groupsOf returns a user's groups on this machine, the primary one first. It
// returns none if there is no such user.
func groupsOf(name string) []string {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return nil
	}
	groups := []string{u.Gid}
	all, err := u.GroupIds()
	if err != nil {
		return groups
	}
	for _, gid := range all {
		if gid != u.Gid {
			groups = append(groups, gid)
		}
	}
	return groups
}

// parseClaims reads the --claim flags into the values that policy compares.
func parseClaims(flags []string) (map[string]any, error) {
	texts, err := cli.ParseClaims(flags)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	claims, err := policy.ParseClaims(texts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	return claims, nil
}
