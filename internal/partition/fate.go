package partition

import (
	"github.com/gospaces/gospaces/internal/call"
)

// TxnFate tells what has become of a transaction that began here. Result: Fate.
func (p *Partition) TxnFate(c Caller, callID, number uint64) {
	p.do(c, callID, func(now int64) call.Result { return p.e.TxnFate(now, number) })
}

// CallFate tells what has become of a call of some client's session. Result: Fate and, if that is Committed, what the call's was.
func (p *Partition) CallFate(c Caller, callID uint64, of call.Request) {
	p.do(c, callID, func(now int64) call.Result { return p.e.CallFate(now, of) })
}
