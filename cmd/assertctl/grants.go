package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

func (a *app) grantsCommand() *cobra.Command {
	var output outputFlag
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
			return output.print(cmd.OutOrStdout(), grants, func(out io.Writer) error { return printGrants(out, grants) })
		},
	}
	output.register(cmd)
	return cmd
}

func printGrants(out io.Writer, g ipc.GrantsResponse) error {
	if len(g.Grants) == 0 {
		_, err := fmt.Fprintf(out, "The daemon sees this process as uid %d, gid %d. No client in its policy matches,\nso it has no grants.\n",
			g.Caller.UID, g.Caller.GID)
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GRANT\tCLIENT\tKEY\tALG\tPROFILE\tAUDIENCES\tLIFETIME\tCLAIMS\tLEFT")
	for _, grant := range g.Grants {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", grant.Name, grant.Client, grant.Key, dash(grant.Alg),
			dash(grant.Profile), dash(strings.Join(grant.Audiences, " ")), lifetimes(grant.Lifetime), claimNames(grant.Claims), budgets(grant.Budgets))
	}
	return table.Flush()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func lifetimes(l *ipc.Lifetime) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%ds, max %ds", l.DefaultSeconds, l.MaxSeconds)
}

func claimNames(c *ipc.ClaimsInfo) string {
	if c == nil {
		return "-"
	}
	return dash(strings.Join(slices.Sorted(maps.Keys(c.Allow)), " "))
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
	return dash(strings.Join(shown, ", "))
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
