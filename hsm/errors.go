package hsm

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// The kinds of failure. Every error of this package that is one of these
// matches it with errors.Is; the module's own return value, if it was called,
// is in the *Error that errors.As finds.
var (
	// ErrModule: the module can't be loaded or initialized. Retrying doesn't
	// help until somebody fixes it.
	ErrModule = errors.New("hsm: the PKCS#11 module can't be used")
	// ErrTokenNotFound: no token, or more than one, has the configured label
	// and serial.
	ErrTokenNotFound = errors.New("hsm: token not found")
	// ErrPINIncorrect: the token refused the PIN. It was tried once; the next
	// attempt may lock the token.
	ErrPINIncorrect = errors.New("hsm: the token refused the PIN")
	// ErrPINFinalTry: the token reports that one more wrong PIN locks it, so the
	// PIN wasn't tried. Config.RetryPIN tries it.
	ErrPINFinalTry = errors.New("hsm: one more wrong PIN locks the token")
	// ErrPINLocked: the token accepts no PIN until its security officer unlocks
	// it or, in a TPM, until some time has passed.
	ErrPINLocked = errors.New("hsm: the PIN is locked")
	// ErrPINNotInitialized: the token has no user PIN yet. SoftHSM also returns
	// this while another process is logging in, so a start that failed with it
	// is worth a retry.
	ErrPINNotInitialized = errors.New("hsm: the token has no user PIN")
	// ErrPINSource: the PIN could not be read from its configured source. The
	// token wasn't asked.
	ErrPINSource = errors.New("hsm: the PIN can't be read")
	// ErrKeyNotFound: the token answers and has no such key.
	ErrKeyNotFound = errors.New("hsm: key not found")
	// ErrKeyExists: the label or the ID is already taken.
	ErrKeyExists = errors.New("hsm: key exists")
	// ErrAmbiguous: two objects match where one was wanted.
	ErrAmbiguous = errors.New("hsm: more than one matches")
	// ErrCustody: the key could leave the token, or may do more than sign, or
	// the token doesn't tell.
	ErrCustody = errors.New("hsm: the key isn't held securely")
	// ErrUnusable: the key can't be used for a reason other than custody;
	// Key.Problem has it.
	ErrUnusable = errors.New("hsm: the key can't be used")
	// ErrAlgorithm: this key doesn't sign with these options.
	ErrAlgorithm = errors.New("hsm: the key does not support this algorithm")
	// ErrSignature: the token returned a signature that is malformed or doesn't
	// verify.
	ErrSignature = errors.New("hsm: the token returned a bad signature")
	// ErrTokenGone: the token vanished after it was opened. This process can't
	// get it back.
	ErrTokenGone = errors.New("hsm: the token is gone")
	// ErrClosed: the Token was closed.
	ErrClosed = errors.New("hsm: the token is closed")
)

// Error is the return value of a call into the module.
type Error struct {
	Op   string // the PKCS#11 function, such as C_SignInit
	Code uint   // the CKR_ value
}

// Error names the function and the code, and nothing that was passed to the
// module.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s", e.Op, CodeName(e.Code))
}

// Unwrap returns the kind that the code stands for, if it has the same meaning
// for every call.
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

// callError converts what the module returned for op into an *Error; nil stays
// nil.
func callError(op string, err error) error {
	var code pkcs11.Error
	if errors.As(err, &code) {
		return &Error{Op: op, Code: uint(code)}
	}
	return err
}

// hasCode reports whether the module returned one of the codes.
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

// failure is an error with a kind, a message for people and, often, a cause.
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

// harmless are the codes that concern one request and leave the module, the
// login and other sessions intact. Any other code, a vendor's own above all,
// counts as a failure of the module.
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

// fatal are the kinds that leave the process without a usable token, whatever
// code came with them.
var fatal = []error{
	ErrModule, ErrTokenNotFound, ErrTokenGone, ErrClosed, ErrSignature, ErrLeftover,
	ErrPINIncorrect, ErrPINFinalTry, ErrPINLocked, ErrPINNotInitialized,
}

// IsFatal reports whether the process that hosts the token must exit and be
// replaced: the module or the token failed, and this process can't rely on its
// sessions, login or handles any more. It is false for errors that concern only
// one request or one key, and for nil.
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
