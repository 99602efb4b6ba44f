package server

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/ipc"
)

// decodeAssertion decodes the body of POST /v1/assertions.
func decodeAssertion(body []byte) (ipc.AssertionRequest, error) {
	var req ipc.AssertionRequest
	err := decodeBody(body, func(d *decoder) error { return d.assertion(&req) })
	return req, err
}

func (d *decoder) assertion(req *ipc.AssertionRequest) error {
	return d.object(func(name string) error {
		switch name {
		case "grant":
			return d.text(&req.Grant, ipc.MaxNameBytes)
		case "audience":
			return d.text(&req.Audience, ipc.MaxAudienceBytes)
		case "claims":
			return d.claims(&req.Claims)
		case "lifetime_seconds":
			return d.seconds(&req.LifetimeSeconds)
		}
		return d.unknown("grant, audience, claims and lifetime_seconds")
	})
}

// decodeBatch decodes the body of POST /v1/assertions/batch. One malformed
// request makes the whole batch malformed.
func decodeBatch(body []byte) (ipc.BatchRequest, error) {
	var req ipc.BatchRequest
	err := decodeBody(body, func(d *decoder) error { return d.batch(&req) })
	if err == nil && len(req.Requests) == 0 {
		err = ipc.NewProblem(ipc.CodeMalformedRequest, `Member "requests" must have at least one request.`)
	}
	return req, err
}

func (d *decoder) batch(req *ipc.BatchRequest) error {
	return d.object(func(name string) error {
		if name != "requests" {
			return d.unknown("requests")
		}
		return d.array(func() error {
			if len(req.Requests) == ipc.MaxBatch {
				return ipc.Problemf(ipc.CodeBatchTooLarge, "A batch may have at most %d requests. Send several batches.", ipc.MaxBatch)
			}
			var one ipc.AssertionRequest
			if err := d.assertion(&one); err != nil {
				return err
			}
			req.Requests = append(req.Requests, one)
			return nil
		})
	})
}

// decodeSign decodes the body of POST /v1/sign.
func decodeSign(body []byte) (ipc.SignRequest, error) {
	var req ipc.SignRequest
	err := decodeBody(body, func(d *decoder) error { return d.sign(&req) })
	if err == nil {
		err = checkSign(req)
	}
	return req, err
}

func (d *decoder) sign(req *ipc.SignRequest) error {
	return d.object(func(name string) error {
		switch name {
		case "key":
			return d.text(&req.Key, ipc.MaxNameBytes)
		case "hash":
			return d.text(&req.Hash, ipc.MaxNameBytes)
		case "digest":
			return d.bytes(&req.Digest, ipc.MaxMessageBytes)
		case "padding":
			return d.text(&req.Padding, ipc.MaxNameBytes)
		}
		return d.unknown("key, hash, digest and padding")
	})
}

var paddings = []string{"", ipc.PaddingPKCS1v15, ipc.PaddingPSS}

// checkSign checks what decoding a single member can't.
func checkSign(r ipc.SignRequest) error {
	hash, known := jose.HashByName(r.Hash) // 0 if the digest is the message itself
	switch {
	case r.Key == "":
		return ipc.NewProblem(ipc.CodeMalformedRequest, `Member "key" is missing. Name a key set from GET /v1/keys.`)
	case !known:
		return ipc.Problemf(ipc.CodeMalformedRequest, `Member "hash" must be %q, %q, %q or %q.`, ipc.HashSHA256, ipc.HashSHA384, ipc.HashSHA512, ipc.HashNone)
	case r.Digest == nil:
		return ipc.NewProblem(ipc.CodeMalformedRequest, `Member "digest" is missing.`)
	case hash != 0 && len(r.Digest) != hash.Size():
		return ipc.Problemf(ipc.CodeMalformedRequest, `Member "digest" has %d bytes, but a %s digest has %d.`, len(r.Digest), r.Hash, hash.Size())
	case !slices.Contains(paddings, r.Padding):
		return ipc.Problemf(ipc.CodeMalformedRequest, `Member "padding" must be %q or %q. Leave it out for keys other than RSA keys.`, ipc.PaddingPKCS1v15, ipc.PaddingPSS)
	}
	return nil
}

// buffers have room for the largest body and one byte more. What is decoded
// from a buffer does not refer to it.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, ipc.MaxBodyBytes+1)
	return &b
}}

// readBody reads the whole body of a POST into buffer.
func readBody(r *http.Request, buffer []byte) ([]byte, error) {
	if r.Method != http.MethodPost {
		if r.ContentLength != 0 {
			return nil, ipc.NewProblem(ipc.CodeMalformedRequest, "This call takes no body.")
		}
		return nil, nil
	}
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > ipc.MaxBodyBytes {
		return nil, tooLarge()
	}
	n, err := io.ReadFull(r.Body, buffer)
	var timeout net.Error
	switch {
	case err == nil:
		return nil, tooLarge()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && (r.ContentLength < 0 || int64(n) == r.ContentLength):
		return buffer[:n], nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, ipc.NewProblem(ipc.CodeTimeout, "The body did not arrive in time. Send it all at once.")
	}
	return nil, ipc.NewProblem(ipc.CodeMalformedRequest, "The body ends too early, or its framing is wrong.")
}

func tooLarge() error {
	return ipc.Problemf(ipc.CodeRequestTooLarge, "A body may have at most %d bytes.", ipc.MaxBodyBytes)
}

func checkMediaType(h http.Header) error {
	if h["Content-Encoding"] != nil {
		return ipc.NewProblem(ipc.CodeUnsupportedMediaType, "Send the body without Content-Encoding.")
	}
	given := h.Get("Content-Type")
	if given == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || kind != "application/json" || (params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
		return ipc.NewProblem(ipc.CodeUnsupportedMediaType, "Send the header Content-Type: application/json.")
	}
	return nil
}
