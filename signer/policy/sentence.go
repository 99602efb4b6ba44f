package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/ipc/caller"
)

// A refusal's detail is bounded, whatever the caller sends and however much it has.
const (
	maxNames = 16 // things named in an enumeration
	maxCited = 4  // refusals cited when several grants refuse
	maxText  = 64 // bytes of a name that the caller chose
)

func refuse(code Reason, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func unknownCaller(c *caller.Caller) *Refusal {
	if c.Client != "" {
		return refuse(UnknownCaller, "this socket is for one client, and your process (%s) does not have what that client requires; "+
			"use your own socket, or ask the administrator of assertd, who can see why with assertd explain", ids(c))
	}
	return refuse(UnknownCaller, "no client of the policy matches your process (%s); "+
		"ask the administrator of assertd, who can see why with assertd explain", ids(c))
}

// ids are the numbers of a caller, without those that are not known.
func ids(c *caller.Caller) string {
	text := fmt.Sprintf("uid %d", c.UID)
	if gid := formatID(c.GID); gid != "" {
		text += ", gid " + gid
	}
	if c.PID > 0 {
		text += fmt.Sprintf(", pid %d", c.PID)
	}
	return text
}

func grantNotFound(name string, own []candidate) *Refusal {
	if len(own) == 0 {
		return refuse(GrantNotFound, "you have no grant %s for assertions, and no other; ask the administrator of assertd for one", clip(name))
	}
	return refuse(GrantNotFound, "you have no grant %s for assertions; yours are %s", clip(name), enumerate(qualifyAll(own)))
}

func ambiguous(fitting []Grant) *Refusal {
	own := make([]candidate, len(fitting))
	for i, g := range fitting {
		own[i] = candidate{g.client, g.rule}
	}
	return refuse(GrantAmbiguous, "%d of your grants allow this: %s; name one of them as the grant", len(own), enumerate(qualifyAll(own)))
}

func ambiguousRaw(fitting []RawGrant) *Refusal {
	names := make([]string, len(fitting))
	for i, g := range fitting {
		names[i] = candidate{g.client, g.rule}.qualified()
	}
	return refuse(GrantAmbiguous, "%d of your grants allow this: %s; ask the administrator of assertd to leave one", len(names), enumerate(names))
}

func keyNotAllowed(clients []*client, key string) *Refusal {
	var own []string
	for _, c := range clients {
		for _, r := range c.rules {
			if r.Raw != nil && !slices.Contains(own, r.Key) {
				own = append(own, r.Key)
			}
		}
	}
	if len(own) == 0 {
		return refuse(KeyNotAllowed, "you have no grant for raw signatures; ask for an assertion, or ask the administrator of assertd for a grant")
	}
	return refuse(KeyNotAllowed, "you have no grant for raw signatures with key set %s; you may use %s", clip(key), enumerate(own))
}

// combine makes one refusal of those of several grants: of the grant with which the request came furthest.
func combine(misses []miss) *Refusal {
	furthest := misses[0].step
	for _, m := range misses {
		furthest = max(furthest, m.step)
	}
	misses = slices.DeleteFunc(misses, func(m miss) bool { return m.step < furthest })
	if len(misses) == 1 {
		only := misses[0]
		only.refusal.Client, only.refusal.Grant = only.candidate.client.Name, only.candidate.rule.Name
		return only.refusal
	}
	var cited []string
	for _, m := range misses[:min(maxCited, len(misses))] {
		cited = append(cited, m.refusal.Detail)
	}
	if more := len(misses) - maxCited; more > 0 {
		cited = append(cited, fmt.Sprintf("and %d more grants refuse", more))
	}
	return refuse(misses[0].refusal.Code, "none of your grants allows this: %s", strings.Join(cited, "; "))
}

// enumerate joins names, and counts those beyond the first few.
func enumerate(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

func qualifyAll(candidates []candidate) []string {
	names := make([]string, len(candidates))
	for i, c := range candidates {
		names[i] = c.qualified()
	}
	return names
}

func quoteAll(texts []string) []string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return quoted
}

// clip quotes a text that the caller chose, up to a length that fits a sentence.
func clip(text string) string {
	if len(text) <= maxText {
		return strconv.Quote(text)
	}
	return strconv.Quote(strings.ToValidUTF8(text[:maxText], "")) + "…"
}

func formatValues(values []any) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = formatValue(value)
	}
	return texts
}

// formatValue writes a normalized value as JSON.
func formatValue(value any) string {
	text, err := json.Marshal(value)
	if err != nil { // normalized values have no way to fail
		return fmt.Sprintf("%T", value)
	}
	return string(text)
}
