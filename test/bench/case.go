package main

import (
	"context"
	"fmt"
	"strings"
)

// benchCase is a row of a table: the work of one child, with or without a
// daemon.
type benchCase struct {
	name   string
	role   string
	task   task
	daemon *variant
	peer   string // the program that is called in place of a daemon; "" for none
}

// section is a table. Its cases take turns, round after round.
type section struct {
	name, title string
	// base names the case that the ratios refer to. If it is empty they refer to
	// the raw module with one thread, measured before each slice.
	base  string
	cases []benchCase
	// setUp makes what the section needs in its environment; nil for nothing.
	setUp func(env, context.Context) (env, error)
	peers bool        // measured only with -peers
	order []benchCase // the cases in the order of the current round
}

var callers = []int{1, 8, 32}

// sections lists all tables.
func sections() []section {
	return []section{
		{name: "baseline", title: "In one process, one thread", cases: baselineCases()},
		{name: "assertions", title: "Full assertions over the socket, verified and recorded (w: workers, c: callers)", cases: assertionCases()},
		{name: "batches", title: "Batches of 32, verified and recorded (each assertion counted; p50 and p99 of a whole batch)", cases: batchCases()},
		{name: "hop", title: "The hop to a worker: the key in this process, and through the pool; nothing verified", cases: hopCases()},
		{name: "pieces", title: "Pieces: one verification in Go; a call over the socket that signs nothing (GET /v1/grants)", cases: pieceCases()},
		{name: "audit", title: "The cost of the audit log (ES256, 8 callers, 2 workers)", base: "off", cases: auditCases()},
		{name: "decide", title: "Clients configured: policy.Decide (p50 and p99 of 64 decisions)", base: "10 clients", cases: decideCases()},
		{name: "clients", title: "Clients configured: full assertions (ES256, 8 callers, 2 workers)", base: "10 clients", cases: clientCases()},
		{name: "slow", title: "A module that waits 2 ms for each signature, with 32 sessions", cases: slowCases(), setUp: env.withSlowModule},
		{name: "peers", title: "Others: a bare signature, not decided on, verified or recorded (c: callers)", cases: peerCases(), peers: true},
	}
}

func baselineCases() (cases []benchCase) {
	for _, a := range algorithms {
		add := func(name, role, do string) {
			cases = append(cases, benchCase{name: a.alg + " " + name, role: role, task: task{Do: do, Alg: a.alg}})
		}
		add("raw PKCS#11", "pkcs11", "raw")
		add("raw PKCS#11, session copy", "pkcs11", "copy")
		if a.alg != "EdDSA" { // crypto11 has no Ed25519
			add("crypto11", "crypto11", "")
		}
	}
	return cases
}

func assertionCases() (cases []benchCase) {
	for _, a := range algorithms {
		for workers := 1; workers <= 3; workers++ {
			for _, c := range callers {
				cases = append(cases, assertion(fmt.Sprintf("%s w%d c%d", a.alg, workers, c), a.alg, c, variant{workers, defaults.audit, defaults.clients}))
			}
		}
	}
	return cases
}

func assertion(name, alg string, callers int, v variant) benchCase {
	return benchCase{name: name, role: "load", task: task{Do: "assert", Alg: alg, Callers: callers}, daemon: &v}
}

func batchCases() (cases []benchCase) {
	for _, a := range algorithms {
		for _, n := range []int{1, 8} {
			cases = append(cases, benchCase{
				name: fmt.Sprintf("%s w%d c%d", a.alg, defaults.workers, n), role: "load",
				task: task{Do: "batch", Alg: a.alg, Callers: n}, daemon: &defaults,
			})
		}
	}
	return cases
}

func hopCases() (cases []benchCase) {
	for _, n := range callers {
		cases = append(cases, benchCase{name: fmt.Sprintf("ES256 hsm.Key c%d", n), role: "worker", task: task{Do: "key", Alg: "ES256", Callers: n}})
		for _, workers := range []int{1, 2} {
			cases = append(cases, benchCase{
				name: fmt.Sprintf("ES256 pool w%d c%d", workers, n), role: "worker",
				task: task{Do: "pool", Alg: "ES256", Callers: n, Workers: workers},
			})
		}
	}
	return cases
}

func pieceCases() (cases []benchCase) {
	for _, a := range algorithms {
		cases = append(cases, benchCase{name: "verify " + a.alg, role: "verify", task: task{Alg: a.alg}})
	}
	for _, n := range []int{1, 8} {
		cases = append(cases, benchCase{name: fmt.Sprintf("unsigned call c%d", n), role: "load", task: task{Do: "grants", Alg: "ES256", Callers: n}, daemon: &defaults})
	}
	return cases
}

func auditCases() (cases []benchCase) {
	for _, sync := range []string{"off", "interval", witnessed, "always", "never"} {
		cases = append(cases, assertion(sync, "ES256", 8, variant{defaults.workers, sync, defaults.clients}))
	}
	return cases
}

var populations = []int{10, 1_000, 10_000}

func nameOf(clients int) string {
	text := fmt.Sprint(clients)
	if at := len(text) - 3; at > 0 {
		text = text[:at] + "," + text[at:]
	}
	return text + " clients"
}

func decideCases() (cases []benchCase) {
	for _, n := range populations {
		cases = append(cases, benchCase{name: nameOf(n), role: "policy", task: task{Clients: n}})
	}
	return cases
}

func clientCases() (cases []benchCase) {
	for _, n := range populations {
		cases = append(cases, assertion(nameOf(n), "ES256", 8, variant{defaults.workers, defaults.audit, n}))
	}
	return cases
}

// chosen returns the section with only the cases that -run selects, and the
// base that their ratios need.
func (s section) chosen(o settings) section {
	all := s.cases
	s.cases = nil
	for _, c := range all {
		if o.only.MatchString(s.name+"/"+c.name) || o.only.MatchString(strings.ReplaceAll(s.name+"/"+c.name, " ", "_")) {
			s.cases = append(s.cases, c)
		}
	}
	if s.base != "" && len(s.cases) > 0 && s.cases[0].name != s.base {
		s.cases = append([]benchCase{all[0]}, s.cases...)
	}
	return s
}
