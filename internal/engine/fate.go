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
// Those of the last 33 million identities take at most 4 MiB, and a commit needs no search. Pages whose identities are
// not those of transactions are nil.
type fates struct {
	first uint64 // number of pages[0]; earlier pages are forgotten
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

// open begins a page of transactions, none of which has committed.
func (f *fates) open(n uint64) {
	f.reach(n)
	f.pages[n-f.first] = new(fatePage)
}

// page returns page n, or nil if its identities are not those of transactions.
func (f *fates) page(n uint64) *fatePage {
	if n < f.first || n-f.first >= uint64(len(f.pages)) {
		return nil
	}
	return f.pages[n-f.first]
}

// commit records that a transaction has committed. image is the number of the image in progress, or 0. It reports false
// for an identity that is no transaction's.
func (f *fates) commit(id uint64, image uint16) bool {
	n := id / fatePageIDs
	p := f.page(n)
	if p == nil {
		return n < f.first // a transaction so long that its page is gone
	}
	if image != 0 && p.imaged != image {
		fresh := *p
		fresh.imaged = image
		p = &fresh
		f.pages[n-f.first] = p
	}
	p.bits[id%fatePageIDs/64] |= 1 << (id % 64)
	return true
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

// of returns the fate of a transaction that is not open; Unknown if the identity is no transaction's.
func (f *fates) of(id uint64) call.Fate {
	switch p := f.page(id / fatePageIDs); {
	case p == nil:
		return call.Unknown
	case p.bits[id%fatePageIDs/64]&(1<<(id%64)) != 0:
		return call.Committed
	}
	return call.Aborted
}

// hash adds the fates to Engine.Hash: the words of each page that are not 0, since most of them are.
func (f *fates) hash(h *xxhash.Digest) {
	var b [8]byte
	add := func(n uint64) {
		binary.LittleEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	add(f.first)
	for i, p := range f.pages {
		if p == nil {
			continue
		}
		add(f.first + uint64(i))
		for j, w := range p.bits {
			if w != 0 {
				add(uint64(j))
				add(w)
			}
		}
		add(uint64(len(p.bits))) // the end of the page
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

// loadFates loads a page of fates.
func (e *Engine) loadFates(r *record.Record) error {
	err := e.fates.load(r)
	if err == nil {
		e.lastTxn = (r.Number+1)*fatePageIDs - 1
	}
	return err
}

// committed records the commit of a transaction that began here.
func (e *Engine) committed(id uint64) {
	e.Log = record.AppendID(e.Log, record.Committed, id)
	e.noteCommitted(id)
}

// noteCommitted reports false for an identity that is no transaction's.
func (e *Engine) noteCommitted(id uint64) bool {
	image := uint16(0)
	if e.image != nil {
		image = e.images
	}
	return e.fates.commit(id, image)
}

// TxnFate returns the fate of a transaction that began here. Result: Fate, which is Unknown for a number that is no
// transaction's, is not issued yet, or was issued too long ago.
func (e *Engine) TxnFate(now int64, number uint64) call.Result {
	e.begin(now)
	_, err := e.transaction(txn.ID{Number: number})
	e.settle()
	fate := call.Unknown
	switch {
	case err == nil:
		fate = call.Undecided
	case number <= e.lastTxn:
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
