package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/assertd/assertd/hsm"
)

// FD is the descriptor on which the child reports. Standard output belongs to
// the module, which may write anything to it.
const FD = 3

// Request is what the child is asked: JSON on its standard input, followed by
// the PIN.
type Request struct {
	Module string
	// Try asks for trials on the token with the label or serial number.
	Try           bool
	Label, Serial string
	RetryPIN      bool
	// Discard names the pairs that trials left behind: they are destroyed
	// instead of new trials. Often another process can do that.
	Discard []hsm.Trial
	// Login is how to log in, if not with the PIN: Pad or None.
	Login hsm.PINSource
}

// message is a line of the child's report: a step that it is about to take, or
// what it found.
type message struct {
	Step        string           `json:",omitempty"`
	Description *hsm.Description `json:",omitempty"`
	Trial       *hsm.Trial       `json:",omitempty"`
	Token       *hsm.TokenInfo   `json:",omitempty"`
	Discarded   []byte           `json:",omitempty"` // the ID of a pair
	Problem     string           `json:",omitempty"`
}

// Serve is the child's whole life. The caller exits when it returns: the module
// may have failed.
func Serve(in io.Reader, out *os.File) error {
	requests := json.NewDecoder(in)
	var r Request
	if err := requests.Decode(&r); err != nil {
		return fmt.Errorf("hsm/probe: the request: %w; only assertd hsm probe can start this", err)
	}
	c := child{json.NewEncoder(out)}
	if !r.Try {
		return c.describe(r)
	}
	raw, err := io.ReadAll(io.MultiReader(requests.Buffered(), in))
	if err != nil {
		return err
	}
	defer clear(raw)
	pin, err := r.pin(raw[1:]) // after the line break that ends the request
	if err != nil {
		return err
	}
	defer pin.Zero()
	return c.try(r, pin)
}

func (r Request) pin(raw []byte) (*hsm.PIN, error) {
	if r.Login.Pad || r.Login.None {
		return r.Login.Read(context.Background())
	}
	return hsm.NewPIN(raw), nil
}

type child struct{ out *json.Encoder }

// step says what comes next. A parent that is gone doesn't care.
func (c child) step(name string) { _ = c.out.Encode(message{Step: name}) }

func (c child) describe(r Request) error {
	d, err := hsm.Describe(r.Module, c.step)
	if err != nil {
		return c.out.Encode(message{Problem: err.Error()})
	}
	err = c.out.Encode(message{Description: &d})
	c.step(done)
	return err
}

func (c child) try(r Request, pin *hsm.PIN) error {
	c.step("logging in")
	token, err := hsm.Open(hsm.Config{Module: r.Module, Label: r.Label, Serial: r.Serial, Sessions: 1, RetryPIN: r.RetryPIN}, pin)
	if err != nil {
		return c.out.Encode(message{Problem: err.Error()})
	}
	info := token.Info()
	err = c.out.Encode(message{Token: &info})
	if r.Discard == nil {
		err = errors.Join(err, c.trials(token))
	} else {
		err = errors.Join(err, c.discard(token, r.Discard))
	}
	c.step("in C_Finalize")
	err = errors.Join(err, token.Close())
	c.step(done)
	return err
}

func (c child) trials(token *hsm.Token) (err error) {
	for _, typ := range hsm.TrialTypes() {
		c.step(fmt.Sprintf("trying %s", typ))
		trial := token.Try(typ)
		err = errors.Join(err, c.out.Encode(message{Trial: &trial}))
	}
	return err
}

// discard destroys what it can. What it can't is in the report already.
func (c child) discard(token *hsm.Token, left []hsm.Trial) (err error) {
	for _, trial := range left {
		c.step(fmt.Sprintf("destroying %q", trial.Left))
		if token.Discard(trial.Left, trial.LeftID) == nil {
			err = errors.Join(err, c.out.Encode(message{Discarded: trial.LeftID}))
		}
	}
	return err
}
