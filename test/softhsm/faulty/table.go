package faulty

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// functions lists the functions that the module can make fail, in table order.
var functions = []string{
	"C_Initialize", "C_Finalize", "C_GetInfo", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo", "C_GetMechanismList",
	"C_OpenSession", "C_CloseSession", "C_CloseAllSessions", "C_GetSessionInfo", "C_Login", "C_Logout",
	"C_CreateObject", "C_CopyObject", "C_DestroyObject", "C_GetAttributeValue", "C_SetAttributeValue",
	"C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_SignInit", "C_Sign", "C_GenerateKeyPair",
	"C_GenerateRandom",
}

// Action is a way for a function to misbehave.
type Action uint64

// Crash writes through a null pointer. Corrupt flips a bit of the signature
// that C_Sign returns, and does nothing in other functions.
const (
	None Action = iota
	Hang
	Return
	Delay
	Corrupt
	Crash
)

// Fault says how a function misbehaves and when.
type Fault struct {
	Action Action
	Code   uint64        // the CKR value that Return returns
	Wait   time.Duration // how long Delay waits before the real call, in whole milliseconds
	Every  uint64        // fail every Nth call of all processes since Set; 0 means every call
	Limit  uint64        // fail at most this often; 0 means no limit
	PID    int           // fail only in this process; 0 means in all
}

// row is the part of the control file for one function. Its layout is that of
// struct fault in the C code.
type row struct {
	action, value, every, limit, pid, since, calls, fired atomic.Uint64
}

// settings is the end of the control file. Its layout is that of struct
// settings in the C code.
type settings struct {
	pinLimit, wrongPINs, frozen, hashing, endless, attack, outcome atomic.Uint64
	target                                                         [maxTarget]byte

	traits                atomic.Uint64
	manufacturer, library [32]byte // padded with spaces; all zero for SoftHSM's own
	login, lengths        atomic.Uint64
}

// table is the control file, mapped into this process and all that load the
// module.
type table struct {
	mapped   []byte
	rows     []row
	settings *settings
}

func createTable(path string) (*table, error) {
	rows := len(functions) * int(unsafe.Sizeof(row{}))
	size := rows + int(unsafe.Sizeof(settings{}))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	mapped, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &table{
		mapped:   mapped,
		rows:     unsafe.Slice((*row)(unsafe.Pointer(&mapped[0])), len(functions)),
		settings: (*settings)(unsafe.Pointer(&mapped[rows])),
	}, nil
}

// set writes the action last, so no call sees it with the previous conditions.
func (t *table) set(i int, f Fault) {
	r := &t.rows[i]
	r.action.Store(uint64(None))
	r.value.Store(f.Code)
	if f.Action == Delay {
		r.value.Store(uint64(f.Wait.Milliseconds()))
	}
	r.every.Store(f.Every)
	r.limit.Store(f.Limit)
	r.pid.Store(uint64(f.PID))
	r.since.Store(r.calls.Load())
	r.fired.Store(0)
	r.action.Store(uint64(f.Action))
}

func (t *table) calls(i int) uint64 { return t.rows[i].calls.Load() }
func (t *table) fired(i int) uint64 { return t.rows[i].fired.Load() }

func (t *table) close() {
	t.rows, t.settings = nil, nil
	_ = syscall.Munmap(t.mapped)
}
