package server

import (
	"crypto"
	"slices"

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

// decodeBatch decodes the body of POST /v1/assertions/batch. One malformed request
// makes the whole batch malformed.
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

// digestSizes has the size in bytes of each hash's digest, and 0 for any size, where
// the digest is the message itself.
var digestSizes = map[string]int{
	ipc.HashSHA256: crypto.SHA256.Size(),
	ipc.HashSHA384: crypto.SHA384.Size(),
	ipc.HashSHA512: crypto.SHA512.Size(),
	ipc.HashNone:   0,
}

var paddings = []string{"", ipc.PaddingPKCS1v15, ipc.PaddingPSS}

// checkSign checks what decoding a single member can't.
func checkSign(r ipc.SignRequest) error {
	size, known := digestSizes[r.Hash]
	switch {
	case r.Key == "":
		return ipc.NewProblem(ipc.CodeMalformedRequest, `Member "key" is missing. Name a key set from GET /v1/keys.`)
	case !known:
		return ipc.Problemf(ipc.CodeMalformedRequest, `Member "hash" must be one of %q, %q, %q and %q.`, ipc.HashSHA256, ipc.HashSHA384, ipc.HashSHA512, ipc.HashNone)
	case r.Digest == nil:
		return ipc.NewProblem(ipc.CodeMalformedRequest, `Member "digest" is missing.`)
	case size != 0 && len(r.Digest) != size:
		return ipc.Problemf(ipc.CodeMalformedRequest, `Member "digest" has %d bytes, but a %s digest has %d.`, len(r.Digest), r.Hash, size)
	case !slices.Contains(paddings, r.Padding):
		return ipc.Problemf(ipc.CodeMalformedRequest, `Member "padding" must be %q or %q. Leave it out for keys other than RSA keys.`, ipc.PaddingPKCS1v15, ipc.PaddingPSS)
	}
	return nil
}
