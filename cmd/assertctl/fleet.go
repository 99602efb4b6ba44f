package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// errFleet means that the daemon doesn't know of the others.
var errFleet = errors.New("the list is not complete")

func fleetCommand() *cobra.Command {
	var socket operatorFlag
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "list the daemons of the fleet (operators)",
		Long: "Lists the daemons that share a server (budgets.shared): state, version, digests of\n" +
			"policy and JWKS, signatures per second, and when each was last seen. A digest\n" +
			"that another daemon doesn't have stands out. Exits with 1 if the server does not\n" +
			"answer; the list then has this host's daemon only.",
		Args: cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return socket.run(func(o *client.Operator) error {
			fleet, err := o.Fleet(cmd.Context())
			if err != nil {
				return err
			}
			err = output.Print(cmd.OutOrStdout(), fleet, func(out io.Writer) error { return printFleet(out, fleet, output == cli.Wide) })
			if err == nil && fleet.Error != "" {
				err = fmt.Errorf("%w: %s", errFleet, fleet.Error)
			}
			return err
		})
	}
	socket.register(cmd)
	output.Register(cmd)
	return cmd
}

func printFleet(out io.Writer, fleet ipc.FleetResponse, wide bool) error {
	policy, jwks := usual(fleet, policyOf), usual(fleet, jwksOf)
	table := terminal.NewTable("HOST", "STATE", "FROZEN", "SIGNATURES/S", "POLICY", "JWKS", "VERSION", "CLOCK", "SEEN")
	table.Wide, table.Spare = wide, []string{"CLOCK", "VERSION"}
	for _, d := range fleet.Daemons {
		host := terminal.Dash(d.Host)
		if d.Self {
			host += " (this)"
		}
		table.Row(host, fleetState(d.State), frozenCell(d.Freezes), fmt.Sprintf("%.1f", d.PerSecond), digestCell(policyOf(d), policy), digestCell(jwksOf(d), jwks),
			d.Version, clockText(d.ClockSeconds), terminal.Ago(fleet.Now, d.Seen))
	}
	if err := table.Write(out); err != nil {
		return err
	}
	if fleet.Forged > 0 {
		printError(out, "FORGED", plural.Of(fleet.Forged, "daemon")+" at the server that nobody with the fleet key described")
	}
	return nil
}

func policyOf(d ipc.FleetDaemon) string { return d.PolicyDigest }
func jwksOf(d ipc.FleetDaemon) string   { return d.JWKSDigest }

// usual is the digest that most daemons have that are there; of several, the
// first in the alphabet.
func usual(fleet ipc.FleetResponse, of func(ipc.FleetDaemon) string) (most string) {
	counts := make(map[string]int)
	for _, d := range fleet.Daemons {
		if d.State != ipc.FleetGone {
			counts[of(d)]++
		}
	}
	for digest, n := range counts {
		if n > counts[most] || n == counts[most] && digest < most {
			most = digest
		}
	}
	return most
}

// digestCell is a digest, which stands out if it is not the usual one.
func digestCell(digest, usual string) terminal.Cell {
	cell := terminal.Kid(digest)
	if digest != usual {
		cell.Color = terminal.Bad
	}
	return cell
}

func fleetState(state string) terminal.Cell {
	cell := terminal.Cell{Text: state, Color: terminal.Bad}
	switch state {
	case ipc.FleetReady:
		cell.Color = terminal.Good
	case ipc.FleetDegraded:
		cell.Color = terminal.Warn
	}
	return cell
}

func frozenCell(n int) terminal.Cell {
	cell := terminal.Cell{Text: fmt.Sprint(n)}
	if n > 0 {
		cell.Color = terminal.Bad
	}
	return cell
}

// clockText says how far another clock is ahead of this one.
func clockText(ahead float64) string {
	switch d := time.Duration(ahead * float64(time.Second)); {
	case d >= time.Second:
		return terminal.Span(d) + " ahead"
	case d <= -time.Second:
		return terminal.Span(-d) + " behind"
	}
	return "the same"
}
