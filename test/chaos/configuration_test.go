package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// configuration is the daemon's YAML: two clients that call, each on a socket
// of its own, and others that never do. Whatever depends on revision changes
// with it, for reloads.
func (s *site) configuration(revision string) string { return s.configurationFor(revision, *clients) }

func (s *site) configurationFor(revision string, clients int) string {
	var y strings.Builder
	fmt.Fprintf(&y, "hsm:\n  workers: %d\n  tokens:\n", workers)
	s.steady.configure(&y, steady, s.steady.Module, nil)
	s.shaky.configure(&y, shaky, s.module.Path(), s.module.Environment())
	fmt.Fprintf(&y, "keys:\n  %s: {alg: ES256, use: assertion}\n  %s: {alg: ES256, use: assertion}\nclients:\n", steady, shaky)
	for _, name := range []string{steady, shaky} {
		fmt.Fprintf(&y, "  - {name: %s, grants: [%s]}\n", name, grant(name, "https://as.example/"+revision))
	}
	for i := range clients - 2 {
		name := []string{steady, shaky}[i%2]
		fmt.Fprintf(&y, "  - {name: other-%d, match: {uid: %d}, grants: [%s]}\n", i, 100_000+i,
			grant(name, fmt.Sprintf("https://as-%d.example/%s", i, revision)))
	}
	fmt.Fprintf(&y, "listen:\n")
	for _, name := range []string{steady, shaky} {
		fmt.Fprintf(&y, "  - {socket: %q, client: %s, mode: \"0600\"}\n", s.path(name+".sock"), name)
	}
	fmt.Fprintf(&y, "operator: {socket: %q}\n", s.path("operator.sock"))
	fmt.Fprintf(&y, "audit: {file: %q, timeout: %v, max_size: 1MiB}\n", s.disk.path("audit.jsonl"), auditTimeout)
	fmt.Fprintf(&y, "budgets: {file: %q}\njwks: {file: %q}\n", s.disk.path("budgets.json"), s.disk.path("jwks.json"))
	fmt.Fprintf(&y, "sandbox: {write: [%q]}\n", s.module.Environment()["FAULTY_CONTROL"])
	return y.String()
}

// configure writes the token's entry of hsm.tokens. module opens it, with extra
// variables in its environment.
func (k token) configure(y *strings.Builder, name, module string, extra map[string]string) {
	fmt.Fprintf(y, "    - name: %s\n      module: %q\n      label: %q\n      pin: {file: %q}\n      environment:\n", name, module, k.Label, k.pin)
	environment := k.Environment()
	maps.Copy(environment, extra)
	for _, variable := range slices.Sorted(maps.Keys(environment)) {
		fmt.Fprintf(y, "        %s: %q\n", variable, environment[variable])
	}
}

// grant is a grant with the usual two windows, too wide to ever refuse.
func grant(key, audience string) string {
	return fmt.Sprintf("{name: bank, key: %s, profile: private_key_jwt, client_id: id, audiences: [%q], "+
		"rate: [{limit: 1000000, per: 1s}, {limit: 1000000000, per: 24h}]}", key, audience)
}
