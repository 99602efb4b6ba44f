package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

func (a *app) grantsCommand() *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "grants",
		Short: "show your grants and what is left of each rate budget",
		Args:  cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			grants, err := c.Grants(cmd.Context())
			if err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), grants, func(out io.Writer) error { return printGrants(out, grants, output == cli.Wide) })
		},
	}
	output.Register(cmd)
	return cmd
}

func printGrants(out io.Writer, g ipc.GrantsResponse, wide bool) error {
	if len(g.Grants) == 0 {
		_, err := fmt.Fprintf(out, "The daemon sees this process as uid %d, gid %d. No client in its policy matches, so it has no grants. "+
			"Ask the administrator for one; assertd explain --user %d shows why none matches.\n", g.Caller.UID, g.Caller.GID, g.Caller.UID)
		return err
	}
	assertions := terminal.NewTable("GRANT", "CLIENT", "KEY", "ALG", "PROFILE", "AUDIENCES", "LIFETIME", "CLAIMS", "LEFT")
	assertions.Wide, assertions.Spare = wide, []string{"ALG", "CLIENT", "CLAIMS"}
	others := terminal.NewTable("GRANT", "CLIENT", "KEY", "ALG", "USE", "HASHES", "PADDINGS", "LEFT")
	others.Wide, others.Spare = wide, []string{"CLIENT", "ALG"}
	for _, grant := range g.Grants {
		if grant.Use == ipc.UseAssertion {
			assertions.Row(grant.Name, grant.Client, grant.Key, terminal.Dash(grant.Alg), terminal.Dash(grant.Profile),
				terminal.Dash(strings.Join(grant.Audiences, " ")), lifetimes(grant.Lifetime), claimNames(grant.Claims), budgets(grant.Budgets))
			continue
		}
		others.Row(grant.Name, grant.Client, grant.Key, terminal.Dash(grant.Alg), grant.Use,
			terminal.Dash(strings.Join(grant.Hashes, " ")), terminal.Dash(strings.Join(grant.Paddings, " ")), budgets(grant.Budgets))
	}
	return terminal.WriteTables(out, assertions, others)
}

func lifetimes(l *ipc.Lifetime) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%s, max %s", period(time.Duration(l.DefaultSeconds)*time.Second), period(time.Duration(l.MaxSeconds)*time.Second))
}

func claimNames(c *ipc.ClaimsInfo) string {
	if c == nil {
		return "-"
	}
	return terminal.Dash(strings.Join(slices.Sorted(maps.Keys(c.Allow)), " "))
}

// budgets shows what is left of each window, such as "96/100 per 1s".
func budgets(windows []ipc.BudgetInfo) string {
	var shown []string
	for _, w := range windows {
		size := w.Limit
		if w.Burst > 0 {
			size = w.Burst // the budget never holds more, even if the limit is higher
		}
		shown = append(shown, fmt.Sprintf("%d/%d per %s", w.Remaining, size, period(time.Duration(w.PerSeconds*float64(time.Second)))))
	}
	return terminal.Dash(strings.Join(shown, ", "))
}

// period writes a duration as the configuration does: 24h, not 24h0m0s.
func period(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}
