package main

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
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
	facts.Add("uid", userName(c.UID))
	facts.Add("gid", groupName(c.GID))
	var groups []string
	for _, gid := range c.Groups {
		groups = append(groups, groupName(gid))
	}
	facts.Add("groups", strings.Join(groups, " "))
	facts.Add("pid", fmt.Sprint(c.PID))
	facts.Add("executable", c.Executable)
	facts.Add("SHA-256", c.ExecutableSHA256)
	facts.Add("unit", c.Unit)
	facts.Add("container", c.Container)
	facts.Add("socket", c.Listener)
	return facts.Write(out)
}

// userName is a uid with its name. The number is the daemon's: in a container,
// the name that this process has for it is another user's, unless it is also
// the number of this process here.
func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if int64(uid) != int64(os.Getuid()) {
		return number
	}
	u, err := user.LookupId(number)
	if err != nil {
		return number
	}
	return number + " (" + u.Username + ")"
}

// groupName is the same of a gid.
func groupName(gid uint32) string {
	number := strconv.FormatUint(uint64(gid), 10)
	own, err := os.Getgroups()
	if err != nil || int(gid) != os.Getgid() && !slices.Contains(own, int(gid)) {
		return number
	}
	g, err := user.LookupGroupId(number)
	if err != nil {
		return number
	}
	return number + " (" + g.Name + ")"
}
