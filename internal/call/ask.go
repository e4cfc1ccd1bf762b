package call

import (
	"time"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Op says what a call does. The numbers are on the wire; they are append only. The table of package wire tells what is
// to be known of each.
type Op uint8

// The calls on a partition.
const (
	OpRegister      Op = 18
	OpSchema        Op = 19
	OpWrite         Op = 20
	OpFind          Op = 21
	OpCount         Op = 23
	OpContents      Op = 24
	OpNotify        Op = 25
	OpAttach        Op = 26
	OpAcknowledge   Op = 27
	OpRenew         Op = 28
	OpCancel        Op = 29
	OpKinds         Op = 30
	OpBeginTxn      Op = 33
	OpCommit        Op = 34
	OpAbort         Op = 35
	OpRollback      Op = 36
	OpDefer         Op = 37
	OpUpdate        Op = 38
	OpOutcome       Op = 40
	OpDrop          Op = 41
	OpRegistrations Op = 42
	OpSnapshot      Op = 44
	OpRelease       Op = 50
)

// Ask is one call: what is asked. Op says which of the other fields count.
type Ask struct {
	Op   Op
	Txn  txn.ID        // under which the call is made, or which it is about; zero: none. Of a call with a Query: Query.Txn
	By   Request       // zero: the outcome is not kept. Of a call with a Query: Query.By
	Wait time.Duration // of a find: 0 does not wait, negative waits until it is cancelled

	Query  *Query  // of a find, a count, contents and a registration; it belongs to the call until the reply
	Drafts []Draft // to be written, also by a commit; copied
	Change Change  // of an update; copied
	IDs    []uint64
	// of the entry to defer, the reservation to end, the registration to attach to, a backup; that after which a list goes
	// on
	ID      uint64
	Lease   int64
	Delay   int64
	Cursor  Cursor
	On      EventSet
	Seq     uint64 // number of an event; where in a backup to read
	Window  uint64 // bytes of events that may be unacknowledged
	Size    uint64 // bytes of the events that are acknowledged
	Session uint64 // that a client was told before; that made the call which is asked about
	Holder  string // what the caller calls itself
	Name    string // of a kind or a space
	Schema  *template.Schema
	At      txn.Address // of the partition to open, or whose snapshot is to be fetched
	Handle  uint64      // to open it under
	Resets  uint64      // of that handle which the client has received
	Tables  bool        // of a space's mirror, to be dropped with it
	Shape   Shape       // of a space to be created
}

// Shape is what a space consists of. A number that is 0 stands for what the space has, or for the default of a new one.
type Shape struct {
	Partitions uint64 // for as long as the space exists; 1 by default
	Replicas   uint64 // of each partition, on different nodes; the default is the server's
}

// Under returns where the transaction of a call is named.
func (a *Ask) Under() *txn.ID {
	if a.Query != nil {
		return &a.Query.Txn
	}
	return &a.Txn
}
