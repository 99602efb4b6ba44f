package cli

import (
	"testing"

	"github.com/spf13/cobra"
)

// TestFlagErrorsArePlain: cobra's own wording of them is for programmers.
func TestFlagErrorsArePlain(t *testing.T) {
	for want, args := range map[string][]string{
		"usage: set --client, --grant or --key; see freeze --help":       {"--reason", "x"},
		"usage: --client and --key can't be combined; see freeze --help": {"--reason", "x", "--key", "k", "--client", "c"},
		"usage: set --reason; see freeze --help":                         {"--client", "c"},
		"usage: --from and --to go together; see freeze --help":          {"--client", "c", "--reason", "x", "--to", "b"},
	} {
		cmd := &cobra.Command{Use: "freeze", Args: Args(cobra.NoArgs), Run: func(*cobra.Command, []string) {}, SilenceErrors: true, SilenceUsage: true}
		for _, name := range []string{"client", "grant", "key", "reason", "from", "to"} {
			cmd.Flags().String(name, "", "")
		}
		cmd.MarkFlagsMutuallyExclusive("client", "grant", "key")
		cmd.MarkFlagsOneRequired("client", "grant", "key")
		cmd.MarkFlagsRequiredTogether("from", "to")
		if err := cmd.MarkFlagRequired("reason"); err != nil {
			t.Fatal(err)
		}
		cmd.SetArgs(args)
		if err := cmd.Execute(); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}
