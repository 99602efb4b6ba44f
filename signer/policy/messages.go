package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/ipc/caller"
)

// Bounds on a refusal's detail, whatever the caller sends and however many
// grants it has.
const (
	maxNames = 16 // names in a list
	maxCited = 4  // refusals cited if several grants refuse
	maxText  = 64 // bytes of a name that the caller chose
)

func refuse(code Reason, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func unknownCaller(c *caller.Caller) *Refusal {
	if c.Client != "" {
		return refuse(UnknownCaller, "This socket is reserved for one client, "+
			"and your process (%s) does not match its selectors. "+
			"Use your own socket, or ask your assertd administrator to run assertd explain.", ids(c))
	}
	return refuse(UnknownCaller, "No client in the policy matches your process (%s). "+
		"Ask your assertd administrator to run assertd explain.", ids(c))
}

// ids lists the caller's numeric IDs, without those that are not known.
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

func noGrants() *Refusal {
	return refuse(GrantNotFound, "You have no grants for assertions. Ask your assertd administrator for one.")
}

func grantNotFound(name string, own []clientRule) *Refusal {
	if len(own) == 0 {
		return noGrants()
	}
	names := qualifiedNames(own)
	for _, r := range own {
		names = append(names, r.Name())
	}
	return refuse(GrantNotFound, "You have no grant %s for assertions. %s", quoteShort(name), suggest(name, names, qualifiedNames(own)))
}

func ambiguous(grants []Grant) *Refusal {
	return refuse(GrantAmbiguous, "%d of your grants allow this request: %s. Set grant to one of them.",
		len(grants), enumerate(qualifiedNames(grants)))
}

func ambiguousRaw(grants []RawGrant) *Refusal {
	return refuse(GrantAmbiguous, "%d of your grants allow this request: %s. "+
		"Ask your assertd administrator to remove all but one.",
		len(grants), enumerate(qualifiedNames(grants)))
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
		return refuse(KeyNotAllowed, "You have no grants for raw signatures. "+
			"Request an assertion, or ask your assertd administrator for a grant.")
	}
	return refuse(KeyNotAllowed, "You have no grant for raw signatures with key set %s. %s", quoteShort(key), suggest(key, own, own))
}

// maxCompared limits what a wrong name in a request costs the daemon.
const maxCompared = 100

// suggest says what a caller may name, and what it most likely meant.
func suggest(wrong string, names, choices []string) string {
	use := "Use one of " + enumerate(choices) + "."
	if near := spelling.Nearest(wrong, names[:min(len(names), maxCompared)]); near != "" {
		return "Did you mean " + near + "? " + use
	}
	return use
}

// combine makes one refusal out of the rejections of several grants. It keeps
// those whose checks got furthest.
func combine(rejections []rejection) *Refusal {
	furthest := rejections[0].step
	for _, r := range rejections {
		furthest = max(furthest, r.step)
	}
	rejections = slices.DeleteFunc(rejections, func(r rejection) bool { return r.step < furthest })
	if len(rejections) == 1 {
		only := rejections[0]
		only.refusal.Client, only.refusal.Grant = only.Client(), only.Name()
		return only.refusal
	}
	var cited []string
	for _, r := range rejections[:min(maxCited, len(rejections))] {
		cited = append(cited, r.refusal.Detail)
	}
	if more := len(rejections) - maxCited; more > 0 {
		cited = append(cited, fmt.Sprintf("And %d more grants refuse it.", more))
	}
	return refuse(rejections[0].refusal.Code, "None of your grants allows this request. %s", strings.Join(cited, " "))
}

// enumerate joins names, and only counts those beyond the first few.
func enumerate(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

func qualifiedNames[G interface{ qualifiedName() string }](grants []G) []string {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = g.qualifiedName()
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

// quoteShort quotes text that the caller chose, and cuts it to a length that
// fits a message.
func quoteShort(text string) string {
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

// formatValue formats a normalized value as JSON.
func formatValue(value any) string {
	text, err := json.Marshal(value)
	if err != nil { // can't happen to a normalized value
		return fmt.Sprintf("%T", value)
	}
	return string(text)
}
