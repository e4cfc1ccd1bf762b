package engine

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// fates record which transactions that began here have committed: one bit for each of the latest identities, in pages.
// Identities are dense, so the last 33 million of them take at most 4 MiB, and a commit needs no search. Pages without
// a commit are nil.
type fates struct {
	first uint64 // number of pages[0]; commits in earlier pages are forgotten
	pages []*fatePage
}

type fatePage struct {
	imaged uint16 // the last image that has its own copy
	bits   [fatePageIDs / 64]uint64
}

const (
	fatePageIDs = 1 << 15 // identities per page
	fatePages   = 1 << 10 // pages kept
)

// commit records that a transaction has committed. image is the number of the image in progress, or 0.
func (f *fates) commit(id uint64, image uint16) {
	n := id / fatePageIDs
	if n < f.first {
		return // a transaction so long that its page is gone
	}
	f.reach(n)
	p := f.pages[n-f.first]
	switch {
	case p == nil:
		p = &fatePage{imaged: image}
		f.pages[n-f.first] = p
	case image != 0 && p.imaged != image:
		fresh := *p
		fresh.imaged = image
		p = &fresh
		f.pages[n-f.first] = p
	}
	p.bits[id%fatePageIDs/64] |= 1 << (id % 64)
}

// reach extends the pages to number n, and drops those that are too old.
func (f *fates) reach(n uint64) {
	if n >= f.first+fatePages {
		first := n - fatePages + 1
		f.pages = slices.Delete(f.pages, 0, int(min(first-f.first, uint64(len(f.pages)))))
		f.first = first
	}
	for uint64(len(f.pages)) <= n-f.first {
		f.pages = append(f.pages, nil)
	}
}

// of returns the fate of a transaction that is not open.
func (f *fates) of(id uint64) call.Fate {
	n := id / fatePageIDs
	switch {
	case n < f.first:
		return call.Unknown
	case n-f.first >= uint64(len(f.pages)) || f.pages[n-f.first] == nil:
		return call.Aborted
	case f.pages[n-f.first].bits[id%fatePageIDs/64]&(1<<(id%64)) != 0:
		return call.Committed
	}
	return call.Aborted
}

// hash adds the fates to Engine.Hash.
func (f *fates) hash(h *xxhash.Digest) {
	h.Write(binary.LittleEndian.AppendUint64(nil, f.first))
	for i, p := range f.pages {
		if p != nil {
			h.Write(p.append(binary.LittleEndian.AppendUint64(nil, f.first+uint64(i))))
		}
	}
}

func (p *fatePage) append(b []byte) []byte {
	for _, w := range p.bits {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// load loads a page from an image.
func (f *fates) load(r *record.Record) error {
	p := new(fatePage)
	if len(r.Body) != 8*len(p.bits) || r.Number < f.first || r.Number >= f.first+fatePages {
		return errShort
	}
	for i := range p.bits {
		p.bits[i] = binary.LittleEndian.Uint64(r.Body[8*i:])
	}
	f.reach(r.Number)
	f.pages[r.Number-f.first] = p
	return nil
}

// committed records the commit of a transaction that began here.
func (e *Engine) committed(id uint64) {
	e.Log = record.AppendID(e.Log, record.Committed, id)
	e.noteCommitted(id)
}

func (e *Engine) noteCommitted(id uint64) {
	image := uint16(0)
	if e.image != nil {
		image = e.images
	}
	e.fates.commit(id, image)
}

// TxnFate returns the fate of a transaction that began here. Result: Fate, which is Unknown for a number that is not
// issued yet, or was issued too long ago.
func (e *Engine) TxnFate(now int64, number uint64) call.Result {
	e.begin(now)
	_, err := e.transaction(txn.ID{Number: number})
	e.settle()
	fate := call.Unknown
	switch {
	case err == nil:
		fate = call.Undecided
	case number != 0 && number <= e.lastID:
		fate = e.fates.of(number)
	}
	return call.Result{Fate: fate, Depends: e.lsn}
}

// CallFate returns the fate of a call. Result: Fate, and the result of the call. Fate is Committed until the client has
// received the outcome, and otherwise Unknown: the call may still be under way.
func (e *Engine) CallFate(now int64, by call.Request) call.Result {
	r, found := e.Recall(now, by)
	switch {
	case found && r.Err == nil:
		r.Fate = call.Committed
	default:
		r = call.Result{Depends: e.lsn}
	}
	return r
}
