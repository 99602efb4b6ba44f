package ipc

import (
	"crypto"
	"slices"
)

// decodeAssertion reads the body of POST /v1/assertions.
func decodeAssertion(body []byte) (AssertionRequest, error) {
	var req AssertionRequest
	err := decodeBody(body, func(d *decoder) error { return d.assertion(&req) })
	return req, err
}

func (d *decoder) assertion(req *AssertionRequest) error {
	return d.object(func(name string) error {
		switch name {
		case "grant":
			return d.text(&req.Grant, MaxNameBytes)
		case "audience":
			return d.text(&req.Audience, MaxAudienceBytes)
		case "claims":
			return d.claims(&req.Claims)
		case "lifetime_seconds":
			return d.seconds(&req.LifetimeSeconds)
		}
		return d.unknown("grant, audience, claims and lifetime_seconds")
	})
}

// decodeBatch reads the body of POST /v1/assertions/batch. One malformed request
// makes the whole batch malformed.
func decodeBatch(body []byte) (BatchRequest, error) {
	var req BatchRequest
	err := decodeBody(body, func(d *decoder) error { return d.batch(&req) })
	if err == nil && len(req.Requests) == 0 {
		err = NewProblem(CodeMalformedRequest, `"requests" must hold at least one request`)
	}
	return req, err
}

func (d *decoder) batch(req *BatchRequest) error {
	return d.object(func(name string) error {
		if name != "requests" {
			return d.unknown("requests")
		}
		return d.array(func() error {
			if len(req.Requests) == MaxBatch {
				return Problemf(CodeBatchTooLarge, "a batch takes at most %d requests; send several", MaxBatch)
			}
			var one AssertionRequest
			if err := d.assertion(&one); err != nil {
				return err
			}
			req.Requests = append(req.Requests, one)
			return nil
		})
	})
}

// decodeSign reads the body of POST /v1/sign.
func decodeSign(body []byte) (SignRequest, error) {
	var req SignRequest
	err := decodeBody(body, func(d *decoder) error { return d.sign(&req) })
	if err == nil {
		err = req.check()
	}
	return req, err
}

func (d *decoder) sign(req *SignRequest) error {
	return d.object(func(name string) error {
		switch name {
		case "key":
			return d.text(&req.Key, MaxNameBytes)
		case "hash":
			return d.text(&req.Hash, MaxNameBytes)
		case "digest":
			return d.bytes(&req.Digest, MaxMessageBytes)
		case "padding":
			return d.text(&req.Padding, MaxNameBytes)
		}
		return d.unknown("key, hash, digest and padding")
	})
}

// digestSizes are the hashes of a SignRequest and their digests' sizes in bytes; 0
// is any size, since the digest is the message.
var digestSizes = map[string]int{
	HashSHA256: crypto.SHA256.Size(),
	HashSHA384: crypto.SHA384.Size(),
	HashSHA512: crypto.SHA512.Size(),
	HashNone:   0,
}

var paddings = []string{"", PaddingPKCS1v15, PaddingPSS}

func (r SignRequest) check() error {
	size, known := digestSizes[r.Hash]
	switch {
	case r.Key == "":
		return NewProblem(CodeMalformedRequest, `"key" is missing; name a key set of GET /v1/keys`)
	case !known:
		return Problemf(CodeMalformedRequest, `"hash" must be one of %q, %q, %q and %q`, HashSHA256, HashSHA384, HashSHA512, HashNone)
	case r.Digest == nil:
		return NewProblem(CodeMalformedRequest, `"digest" is missing`)
	case size != 0 && len(r.Digest) != size:
		return Problemf(CodeMalformedRequest, `"digest" has %d bytes, a %s digest has %d`, len(r.Digest), r.Hash, size)
	case !slices.Contains(paddings, r.Padding):
		return Problemf(CodeMalformedRequest, `"padding" must be %q or %q, for an RSA key alone`, PaddingPKCS1v15, PaddingPSS)
	}
	return nil
}
