package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

func (a *app) whoamiCommand() *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "show what the daemon knows about this process",
		Long: "Shows the client that this process is in the daemon's policy, and the attributes\n" +
			"that the daemon saw: user, group and process always, others only if policy needs\n" +
			"them. Give the output to the administrator who writes your grant.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			grants, err := c.Grants(cmd.Context())
			if err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), grants.Caller, func(out io.Writer) error { return printCaller(out, grants) })
		},
	}
	output.Register(cmd)
	return cmd
}

func printCaller(out io.Writer, g ipc.GrantsResponse) error {
	c := g.Caller
	client, color := strings.Join(c.Clients, ", "), terminal.Good
	if client == "" {
		client, color = "none: no client in the policy matches this process", terminal.Bad
	}
	var names []string
	for _, grant := range g.Grants {
		names = append(names, grant.Name)
	}
	var facts terminal.Facts
	facts.AddColored("client", client, color)
	facts.Add("grants", terminal.Dash(strings.Join(names, ", ")))
	facts.Add("uid", fmt.Sprint(c.UID))
	facts.Add("gid", fmt.Sprint(c.GID))
	facts.Add("groups", strings.Trim(fmt.Sprint(c.Groups), "[]"))
	facts.Add("pid", fmt.Sprint(c.PID))
	facts.Add("executable", c.Executable)
	facts.Add("SHA-256", c.ExecutableSHA256)
	facts.Add("unit", c.Unit)
	facts.Add("container", c.Container)
	facts.Add("socket", c.Listener)
	return facts.Write(out)
}
