package fleetbudget

import (
	"container/heap"
	"time"
)

// agenda is the windows about which a call will be due, the next one first.
type agenda []*Window

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due < a[j].due }

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push is for container/heap.
func (a *agenda) Push(w any) {
	*a = append(*a, w.(*Window))
	(*a)[len(*a)-1].place = len(*a) - 1
}

// Pop is for container/heap.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	w := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	w.place = -1
	return w
}

// leased returns how many tokens can be used without asking. A window that is
// leased is in the agenda. Requests need the lock, so it is held for a part at
// a time; what moves meanwhile may be missed.
func (b *Book) leased(now time.Duration) (n int) {
	const part = 1024
	for from := 0; ; from += part {
		b.mu.Lock()
		windows := b.agenda[min(from, len(b.agenda)):min(from+part, len(b.agenda))]
		for _, w := range windows {
			n += w.holds(now)
		}
		b.mu.Unlock()
		if len(windows) < part {
			return n
		}
	}
}

func (a *agenda) put(w *Window) {
	if w.place < 0 {
		heap.Push(a, w)
	} else {
		heap.Fix(a, w.place)
	}
}

func (a *agenda) pop() *Window { return heap.Pop(a).(*Window) }

func (a *agenda) remove(w *Window) {
	if w.place >= 0 {
		heap.Remove(a, w.place)
	}
}
