package partition

import (
	"github.com/gospaces/gospaces/internal/call"
)

// TxnFate returns the fate of a transaction that began here. Result: Fate.
func (p *Partition) TxnFate(c Caller, callID, number uint64) {
	p.do(c, callID, func(now int64) call.Result { return p.e.TxnFate(now, number) })
}

// CallFate returns the fate of a call of some client's session. Result: Fate and, if that is Committed, the result of
// the call.
func (p *Partition) CallFate(c Caller, callID uint64, of call.Request) {
	p.do(c, callID, func(now int64) call.Result { return p.e.CallFate(now, of) })
}
