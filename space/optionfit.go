package space

// The interfaces of this file determine which options fit which calls. The concrete types are in option.go.

// option is the common part of all options.
type option interface{ apply(c *typedCall) }

// WriteOption is an option of Write, WriteAll and Prepared.Write: For, Delay, In.
type WriteOption interface {
	option
	fitsWrite()
}

// StageOption is an option of Stage: For, Delay.
type StageOption interface {
	WriteOption
	fitsStage()
}

// ReadAllOption is an option of ReadAll and ReadEntries: those of Read, Hidden.
type ReadAllOption interface {
	option
	fitsReadAll()
}

// ReadOption is an option of Read, ReadIfExists, ReadEntry and Prepare: Where, Or, OrderBy, Strict, Wait, NoWait, In,
// Held.
type ReadOption interface {
	ReadAllOption
	fitsRead()
}

// TakeOption is an option of Take, TakeIfExists, TakeAll, TakeEntry, TakeEntries, Update and Add: Where, Or, OrderBy,
// Strict, Wait, NoWait, In.
type TakeOption interface {
	ReadOption
	fitsTake()
}

// TakeTxnOption is an option of TakeTxn and TakeEntryTxn: Where, Or, OrderBy, Strict, Wait, NoWait, For.
type TakeTxnOption interface {
	option
	fitsTakeTxn()
}

// FindOption is an option of every call that looks for entries one at a time, work.Run among them: Where, Or, OrderBy,
// Strict, Wait, NoWait.
type FindOption interface {
	TakeOption
	TakeTxnOption
	fitsFind()
}

// SelectOption selects entries, and their order: Where, Or, OrderBy, Strict.
type SelectOption interface {
	FindOption
	fitsSelect()
}

// MatchOption selects entries: Where, Or, Strict. It fits every call that has a template.
type MatchOption interface {
	SelectOption
	IDOption
	CountOption
	ContentsOption
	NotifyOption
}

// IDOption is an option of ReadID, ReadEntryID and TakeID: Where, Or, Strict, Wait, NoWait, In.
type IDOption interface {
	option
	fitsID()
}

// CountOption is an option of Count: Where, Or, Strict, In, Held.
type CountOption interface {
	option
	fitsCount()
}

// ContentsOption is an option of Contents and Entries: Where, Or, Strict, Max, In, Held, Hidden.
type ContentsOption interface {
	option
	fitsContents()
}

// NotifyOption is an option of Notify and Events: Where, Or, Strict, For, On, In.
type NotifyOption interface {
	option
	fitsNotify()
}

// PreparedOption is an option of the methods of Prepared that read and take: Wait, NoWait, In.
type PreparedOption interface {
	option
	fitsPrepared()
}

// WaitOption is Wait or NoWait.
type WaitOption interface {
	FindOption
	IDOption
	PreparedOption
}

// TxnOption is In, the only option of Replace and of Prepared.Count.
type TxnOption interface {
	WriteOption
	TakeOption
	IDOption
	CountOption
	ContentsOption
	NotifyOption
	PreparedOption
	fitsTxn()
}

// LeaseOption is For, the only option of Begin.
type LeaseOption interface {
	StageOption
	TakeTxnOption
	NotifyOption
	fitsBegin()
}

// HeldOption is Held.
type HeldOption interface {
	ReadOption
	CountOption
	ContentsOption
}

// HiddenOption is Hidden.
type HiddenOption interface {
	ReadAllOption
	ContentsOption
}
