package hsm

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// The kinds of failure. Every error of this package that is one of these matches it with errors.Is; what the module
// itself answered, if it was asked, is in the *Error that errors.As finds.
var (
	// ErrModule: the module can't be loaded or initialised. Trying again doesn't help before somebody repairs it.
	ErrModule = errors.New("hsm: the PKCS#11 module can't be used")
	// ErrTokenNotFound: no token, or more than one, has the label and serial asked for.
	ErrTokenNotFound = errors.New("hsm: token not found")
	// ErrPINIncorrect: the token refused the PIN. One attempt was made; the next may lock the token.
	ErrPINIncorrect = errors.New("hsm: the token refused the PIN")
	// ErrPINLocked: the token takes no PIN any more until its security officer unlocks it.
	ErrPINLocked = errors.New("hsm: the PIN is locked")
	// ErrPINNotInitialized: the token has no user PIN yet. SoftHSM also says so when another process is logging in at
	// the same moment, so a start that failed with it deserves a second one.
	ErrPINNotInitialized = errors.New("hsm: the token has no user PIN")
	// ErrPINSource: the PIN could not be had from where the configuration says it is. The token wasn't asked.
	ErrPINSource = errors.New("hsm: the PIN can't be read")
	// ErrKeyNotFound: the token is there and answers, and has no such key.
	ErrKeyNotFound = errors.New("hsm: key not found")
	// ErrKeyExists: a key with this label or ID is there already.
	ErrKeyExists = errors.New("hsm: key exists")
	// ErrAmbiguous: two objects fit where one was asked for.
	ErrAmbiguous = errors.New("hsm: more than one matches")
	// ErrCustody: the key could leave the token, or may do more than sign, or the token doesn't say.
	ErrCustody = errors.New("hsm: the key isn't held as it must be")
	// ErrUnusable: the key can't be used for a reason other than its custody; Key.Problem has it.
	ErrUnusable = errors.New("hsm: the key can't be used")
	// ErrAlgorithm: this key doesn't sign with these options.
	ErrAlgorithm = errors.New("hsm: not an algorithm of this key")
	// ErrSignature: the token made a signature that doesn't verify, or isn't one.
	ErrSignature = errors.New("hsm: the token made a bad signature")
	// ErrTokenGone: the token vanished after it was opened. Nothing in this process brings it back.
	ErrTokenGone = errors.New("hsm: the token is gone")
	// ErrClosed: the Token was closed.
	ErrClosed = errors.New("hsm: the token is closed")
)

// Error is what a call into the module answered.
type Error struct {
	Op   string // the PKCS#11 function, such as C_SignInit
	Code uint   // the CKR_ value
}

// Error names the function and the code; it holds nothing that was passed to the module.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s", e.Op, CodeName(e.Code))
}

// Unwrap gives the kind that the code stands for, if it stands for one whatever the call was.
func (e *Error) Unwrap() error {
	switch e.Code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED:
		return ErrPINIncorrect
	case pkcs11.CKR_PIN_LOCKED:
		return ErrPINLocked
	case pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
		return ErrPINNotInitialized
	case pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED:
		return ErrTokenGone
	}
	return nil
}

// CodeName gives the name of a CKR_ value, or the number of one that isn't in the standard.
func CodeName(code uint) string {
	text := pkcs11.Error(code).Error() // "pkcs11: 0xA0: CKR_PIN_INCORRECT", empty at the end where unknown
	var number, name string
	if n, _ := fmt.Sscanf(text, "pkcs11: %s %s", &number, &name); n < 2 {
		return fmt.Sprintf("CKR 0x%X", code)
	}
	return name
}

// callError gives the module's answer to op its type; nil stays nil.
func callError(op string, err error) error {
	var code pkcs11.Error
	if errors.As(err, &code) {
		return &Error{Op: op, Code: uint(code)}
	}
	return err
}

// hasCode says whether the module answered with one of the codes.
func hasCode(err error, codes ...uint) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}

// failure is an error with a kind, a sentence for people and, often, a cause.
type failure struct {
	kind  error
	text  string
	cause error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return "hsm: " + f.text
	}
	return "hsm: " + f.text + ": " + f.cause.Error()
}

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

func fail(kind, cause error, format string, args ...any) error {
	return &failure{kind: kind, cause: cause, text: fmt.Sprintf(format, args...)}
}

// harmless are the answers that are about one request and leave module, login and other sessions as they were. What
// isn't listed, a vendor's own codes above all, is taken for the module's failure.
var harmless = []uint{
	pkcs11.CKR_ARGUMENTS_BAD, pkcs11.CKR_DATA_INVALID, pkcs11.CKR_DATA_LEN_RANGE,
	pkcs11.CKR_ATTRIBUTE_READ_ONLY, pkcs11.CKR_ATTRIBUTE_SENSITIVE,
	pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID,
	pkcs11.CKR_TEMPLATE_INCOMPLETE, pkcs11.CKR_TEMPLATE_INCONSISTENT,
	pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID,
	pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_KEY_SIZE_RANGE, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED,
	pkcs11.CKR_FUNCTION_NOT_SUPPORTED, pkcs11.CKR_DOMAIN_PARAMS_INVALID, pkcs11.CKR_TOKEN_WRITE_PROTECTED,
	pkcs11.CKR_SESSION_COUNT,
}

// fatal are the kinds that leave the process without a token to sign with, whatever the module answered.
var fatal = []error{
	ErrModule, ErrTokenNotFound, ErrTokenGone, ErrClosed, ErrSignature, ErrPINIncorrect, ErrPINLocked, ErrPINNotInitialized,
}

// IsFatal says whether the process that hosts the token has to end and another take its place: the module or the token
// failed, and a session, a login or a handle of this process can't be relied on any more. It is false for what only
// concerns one request or one key, and for nil.
func IsFatal(err error) bool {
	if err == nil {
		return false
	}
	for _, kind := range fatal {
		if errors.Is(err, kind) {
			return true
		}
	}
	if errors.Is(err, ErrKeyNotFound) || errors.Is(err, ErrAlgorithm) {
		return false
	}
	var e *Error
	return errors.As(err, &e) && !hasCode(err, harmless...)
}
