package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// Exit codes tell a script what to do next.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitDenied      = 3 // policy refuses: a retry will not help
	exitRateLimited = 4 // retry later
	exitUnavailable = 5 // no daemon, or its HSM is down
)

func exitCode(err error) int {
	var problem *ipc.Problem
	switch {
	case err == nil:
		return 0
	case errors.Is(err, cli.ErrUsage):
		return exitUsage
	case errors.Is(err, client.ErrUnavailable), errors.Is(err, errNotReady):
		return exitUnavailable
	case errors.Is(err, ipc.CodeReloadRefused), errors.Is(err, ipc.CodeFreezeRefused), errors.Is(err, client.ErrWrongSocket), errors.Is(err, client.ErrVersion):
		return exitFailure // policy refused nothing
	case errors.As(err, &problem):
		return exitCodeOf(problem.Status)
	}
	return exitFailure
}

func exitCodeOf(status int) int {
	switch status {
	case http.StatusTooManyRequests:
		return exitRateLimited
	case http.StatusServiceUnavailable, http.StatusInternalServerError:
		return exitUnavailable
	}
	return exitDenied
}

// saidOnce leaves out the title of a problem whose detail says the same, and
// names the code, which scripts and the documentation use.
func saidOnce(err error) error {
	var problem *ipc.Problem
	if !errors.As(err, &problem) || problem.Detail == "" || problem.Code == ipc.CodeReloadRefused {
		return err
	}
	return errors.New(strings.Replace(err.Error(), problem.Error(), fmt.Sprintf("%s (%s)", problem.Detail, string(problem.Code)), 1))
}
