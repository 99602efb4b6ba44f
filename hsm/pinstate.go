package hsm

import "github.com/miekg/pkcs11"

// PINState is what a token says about wrong PINs since the last login: the
// flags of CK_TOKEN_INFO, the worst that is set. Not every token sets them, and
// a login clears them.
type PINState string

// The states, from the best to the worst.
const (
	PINOK       PINState = "ok"        // no flag is set
	PINCountLow PINState = "count-low" // a wrong PIN was entered at least once
	PINFinalTry PINState = "final-try" // one more wrong PIN locks the token
	PINLocked   PINState = "locked"    // the token accepts no PIN
)

// PINStates lists the states.
func PINStates() []PINState { return []PINState{PINOK, PINCountLow, PINFinalTry, PINLocked} }

func pinState(flags uint) PINState {
	switch {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return PINLocked
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return PINFinalTry
	case flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0:
		return PINCountLow
	}
	return PINOK
}

// consequence says what a refused PIN did to the token.
func (s PINState) consequence() string {
	switch s {
	case PINLocked:
		return "; the token is now locked, and its security officer must unlock it"
	case PINFinalTry:
		return "; one more wrong PIN locks the token"
	}
	return ""
}
