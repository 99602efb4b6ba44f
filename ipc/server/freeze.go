package server

import (
	"errors"
	"io"
	"net/http"

	"github.com/assertd/assertd/ipc"
)

// maxFreezeBody limits the body of a freeze, in bytes.
const maxFreezeBody = 16 << 10

func (s *OperatorServer) freeze(w http.ResponseWriter, r *http.Request) error {
	var req ipc.FreezeRequest
	if err := decodeOperator(w, r, func(d *decoder) error { return d.freeze(&req) }); err != nil {
		return err
	}
	response, err := s.operator.Freeze(r.Context(), operatorOf(r), req)
	return answerFreeze(w, response, err)
}

func (s *OperatorServer) thaw(w http.ResponseWriter, r *http.Request) error {
	var target ipc.FreezeTarget
	err := decodeOperator(w, r, func(d *decoder) error {
		return d.object(func(name string) error { return d.target(&target, name, "client, grant, key and all") })
	})
	if err != nil {
		return err
	}
	response, err := s.operator.Thaw(r.Context(), operatorOf(r), target)
	return answerFreeze(w, response, err)
}

func answerFreeze(w http.ResponseWriter, response any, err error) error {
	if err != nil {
		return ipc.NewProblem(ipc.CodeFreezeRefused, err.Error())
	}
	writeJSON(w, http.StatusOK, jsonType, response)
	return nil
}

// decodeOperator reads the body of an operator's request.
func decodeOperator(w http.ResponseWriter, r *http.Request, read func(*decoder) error) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFreezeBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return ipc.Problemf(ipc.CodeRequestTooLarge, "The body may have at most %d bytes.", tooLarge.Limit)
	case err != nil:
		return ipc.NewProblem(ipc.CodeMalformedRequest, "The body could not be read.")
	}
	return decodeBody(body, read)
}

func (d *decoder) freeze(req *ipc.FreezeRequest) error {
	return d.object(func(name string) error {
		switch name {
		case "for_seconds":
			return d.seconds(&req.ForSeconds)
		case "reason":
			return d.text(&req.Reason, ipc.MaxFreezeReason)
		}
		return d.target(&req.FreezeTarget, name, "client, grant, key, all, for_seconds and reason")
	})
}

// target reads one member of a freeze's target.
func (d *decoder) target(into *ipc.FreezeTarget, name, known string) error {
	switch name {
	case "client":
		return d.text(&into.Client, ipc.MaxNameBytes)
	case "grant":
		return d.text(&into.Grant, ipc.MaxNameBytes)
	case "key":
		return d.text(&into.Key, ipc.MaxNameBytes)
	case "all":
		return d.boolean(&into.All)
	}
	return d.unknown(known)
}

func (d *decoder) boolean(into *bool) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 't', 'f':
		*into = token.Bool()
		return nil
	}
	return d.errorf("must be true or false")
}
