package partition

import "github.com/gospaces/gospaces/internal/engine"

// TxnFate tells what has become of a transaction that began here. Result: Fate.
func (p *Partition) TxnFate(c Caller, call, number uint64) {
	p.do(c, call, func(now int64) engine.Result { return p.e.TxnFate(now, number) })
}

// CallFate tells what has become of a call of some client's session. Result: Fate and, if that is Committed, what the call's was.
func (p *Partition) CallFate(c Caller, call uint64, of engine.Request) {
	p.do(c, call, func(now int64) engine.Result { return p.e.CallFate(now, of) })
}
