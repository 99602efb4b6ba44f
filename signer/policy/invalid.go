package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is what [*InvalidError] unwraps to.
var ErrInvalid = errors.New("invalid policy")

// InvalidError lists everything that [New] found wrong.
type InvalidError struct{ Problems []Problem }

// Problem is one mistake, with its position in the arguments of [New] so that a
// configuration can report the line.
type Problem struct {
	Client  int    // index of the client
	Grant   int    // index of the grant within the client; -1 if the client itself is wrong
	Setting string // the setting that is wrong: "name", "match", "audiences" …
	Message string // names the client, grant and setting, and says what to do
}

// Error lists the problems, one per line.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		lines[i] = problem.Message
	}
	return ErrInvalid.Error() + ": " + strings.Join(lines, "\n")
}

// Unwrap returns [ErrInvalid].
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// reporter collects the problems of one client or one of its grants.
type reporter struct {
	invalid               *InvalidError
	client, grant         int
	clientName, grantName string
}

func (r reporter) forGrant(index int, name string) reporter {
	r.grant, r.grantName = index, name
	return r
}

func (r reporter) problem(setting, format string, args ...any) {
	where := fmt.Sprintf("client %q", r.clientName)
	if r.grant >= 0 {
		where += fmt.Sprintf(", grant %q", r.grantName)
	}
	message := fmt.Sprintf("%s, %s: %s", where, setting, fmt.Sprintf(format, args...))
	r.invalid.Problems = append(r.invalid.Problems, Problem{r.client, r.grant, setting, message})
}
