package main

import (
	"fmt"
	"strings"
)

// cell is a line of a table: what one child does, with a daemon or without.
type cell struct {
	name   string
	role   string
	task   task
	daemon *variant
}

// section is a table. The cells of a section are measured in turns, round after round.
type section struct {
	name, title string
	// base is the cell to which ratios are given; "" stands for the raw module with one thread, measured before each slice.
	base  string
	cells []cell
	turns []cell // in the order of the present round
}

var callers = []int{1, 8, 32}

// sections is everything there is to measure.
func sections() []section {
	return []section{
		{name: "baseline", title: "In one process, one thread", cells: baselineCells()},
		{name: "assertions", title: "Full assertions over the socket, verified and recorded (w: workers, c: callers)", cells: assertionCells()},
		{name: "batches", title: "Batches of 32, verified and recorded (each assertion counted; p50 and p99 of a whole batch)", cells: batchCells()},
		{name: "hop", title: "The hop to a worker: the key in this process, and by way of the pool; nothing verified", cells: hopCells()},
		{name: "pieces", title: "Pieces: one verification in Go; a call over the socket that signs nothing (GET /v1/grants)", cells: pieceCells()},
		{name: "audit", title: "The price of the audit log (ES256, 8 callers, 2 workers)", base: "off", cells: auditCells()},
		{name: "decide", title: "Clients configured: policy.Decide (p50 and p99 of 64 decisions)", base: "10 clients", cells: decideCells()},
		{name: "clients", title: "Clients configured: full assertions (ES256, 8 callers, 2 workers)", base: "10 clients", cells: clientCells()},
	}
}

func baselineCells() (cells []cell) {
	for _, a := range algorithms {
		add := func(name, role, do string) {
			cells = append(cells, cell{name: a.alg + " " + name, role: role, task: task{Do: do, Alg: a.alg}})
		}
		add("raw PKCS#11", "pkcs11", "raw")
		add("raw PKCS#11, session copy", "pkcs11", "copy")
		if a.alg != "EdDSA" { // crypto11 has no Ed25519
			add("crypto11", "crypto11", "")
		}
	}
	return cells
}

func assertionCells() (cells []cell) {
	for _, a := range algorithms {
		for workers := 1; workers <= 3; workers++ {
			for _, c := range callers {
				cells = append(cells, assertion(fmt.Sprintf("%s w%d c%d", a.alg, workers, c), a.alg, c, variant{workers, usual.audit, usual.clients}))
			}
		}
	}
	return cells
}

func assertion(name, alg string, callers int, v variant) cell {
	return cell{name: name, role: "load", task: task{Do: "assert", Alg: alg, Callers: callers}, daemon: &v}
}

func batchCells() (cells []cell) {
	for _, a := range algorithms {
		for _, n := range []int{1, 8} {
			cells = append(cells, cell{
				name: fmt.Sprintf("%s w%d c%d", a.alg, usual.workers, n), role: "load",
				task: task{Do: "batch", Alg: a.alg, Callers: n}, daemon: &usual,
			})
		}
	}
	return cells
}

func hopCells() (cells []cell) {
	for _, n := range callers {
		cells = append(cells, cell{name: fmt.Sprintf("ES256 hsm.Key c%d", n), role: "worker", task: task{Do: "key", Alg: "ES256", Callers: n}})
		for _, workers := range []int{1, 2} {
			cells = append(cells, cell{
				name: fmt.Sprintf("ES256 pool w%d c%d", workers, n), role: "worker",
				task: task{Do: "pool", Alg: "ES256", Callers: n, Workers: workers},
			})
		}
	}
	return cells
}

func pieceCells() (cells []cell) {
	for _, a := range algorithms {
		cells = append(cells, cell{name: "verify " + a.alg, role: "verify", task: task{Alg: a.alg}})
	}
	for _, n := range []int{1, 8} {
		cells = append(cells, cell{name: fmt.Sprintf("unsigned call c%d", n), role: "load", task: task{Do: "grants", Alg: "ES256", Callers: n}, daemon: &usual})
	}
	return cells
}

func auditCells() (cells []cell) {
	for _, sync := range []string{"off", "interval", "always", "never"} {
		cells = append(cells, assertion(sync, "ES256", 8, variant{usual.workers, sync, usual.clients}))
	}
	return cells
}

var populations = []int{10, 1_000, 10_000}

func nameOf(clients int) string {
	text := fmt.Sprint(clients)
	if at := len(text) - 3; at > 0 {
		text = text[:at] + "," + text[at:]
	}
	return text + " clients"
}

func decideCells() (cells []cell) {
	for _, n := range populations {
		cells = append(cells, cell{name: nameOf(n), role: "policy", task: task{Clients: n}})
	}
	return cells
}

func clientCells() (cells []cell) {
	for _, n := range populations {
		cells = append(cells, assertion(nameOf(n), "ES256", 8, variant{usual.workers, usual.audit, n}))
	}
	return cells
}

// chosen is the section with the cells that the person at the keyboard wants, and the base that their ratios need.
func (s section) chosen(o settings) section {
	all := s.cells
	s.cells = nil
	for _, c := range all {
		if o.only.MatchString(s.name+"/"+c.name) || o.only.MatchString(strings.ReplaceAll(s.name+"/"+c.name, " ", "_")) {
			s.cells = append(s.cells, c)
		}
	}
	if s.base != "" && len(s.cells) > 0 && s.cells[0].name != s.base {
		s.cells = append([]cell{all[0]}, s.cells...)
	}
	return s
}
