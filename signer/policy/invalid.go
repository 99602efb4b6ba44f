package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is what [*InvalidError] unwraps to.
var ErrInvalid = errors.New("invalid policy")

// InvalidError lists all that [New] found wrong.
type InvalidError struct{ Problems []Problem }

// Problem is one thing wrong, with its place among the arguments of [New] so that a configuration can name a line.
type Problem struct {
	Client  int    // position of the client
	Grant   int    // position of the grant within the client; -1 where it is the client's
	Setting string // what is wrong: "name", "match", "audiences" …
	Message string // a sentence that names client, grant and setting, and says what to do
}

// Error lists the problems, one a line.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		lines[i] = problem.Message
	}
	return ErrInvalid.Error() + ": " + strings.Join(lines, "\n")
}

// Unwrap returns [ErrInvalid].
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// reporter adds problems of one client or of one of its grants.
type reporter struct {
	invalid               *InvalidError
	client, grant         int
	clientName, grantName string
}

func (r reporter) forGrant(place int, name string) reporter {
	r.grant, r.grantName = place, name
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
