package server

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// handle serves one frame. An error ends the connection; a call that is merely wrong gets a Failure.
func (s *session) handle(f wire.Frame) error {
	if s.srv.cfg.Budget.Full() && !frugal(f.Type) {
		return s.fail(f.ID, s.srv.cfg.Budget.Refuse(call.ErrSpaceFull))
	}
	switch f.Type {
	case wire.Echo:
		return s.echo(f)
	case wire.Ping:
		return s.send(wire.Pong, 0, nil)
	case wire.Ack:
		return s.handleAck(wire.NewDecoder(f.Body))
	case wire.Goodbye:
		return errGoodbye
	case wire.CancelWait:
		s.cancelWait(f.ID)
		return nil
	case wire.Open:
		return s.handleOpen(f.ID, wire.NewDecoder(f.Body))
	case wire.Spaces:
		return s.handleSpaces(f.ID)
	case wire.CreateSpace:
		return s.handleCreateSpace(f.ID, wire.NewDecoder(f.Body))
	case wire.DropSpace:
		return s.handleDropSpace(f.ID, wire.NewDecoder(f.Body))
	case wire.Status:
		return s.answer(f.ID, s.srv.cfg.Spaces.Status())
	case wire.Backup:
		return s.handleBackup(f.ID)
	case wire.Fetch:
		return s.handleFetch(f.ID, wire.NewDecoder(f.Body))
	case wire.EndBackup:
		return s.handleEndBackup(f.ID, wire.NewDecoder(f.Body))
	case wire.Repeat:
		return s.handleRepeat(f)
	}
	return s.handleSpace(f)
}

// echo answers with what came, if there is room for it twice.
func (s *session) echo(f wire.Frame) error {
	b, n := s.srv.cfg.Budget, int64(len(f.Body))
	if !b.Reserve(n) {
		return s.fail(f.ID, b.Refuse(call.ErrSpaceFull))
	}
	defer b.Add(-n) // by then the session has charged it
	return s.answer(f.ID, f.Body)
}

// handleSpace serves a call on one of the opened partitions.
func (s *session) handleSpace(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	handle := d.Uvarint()
	c := s.caller(handle)
	if c == nil {
		return s.fail(f.ID, fmt.Errorf("%w: nothing was opened as %d", call.ErrInvalidArgument, handle))
	}
	if c.stale.Load() {
		return s.failStale(f)
	}
	if c.nowhere && creates(f.Type) {
		return s.fail(f.ID, c.create())
	}
	s.join(c.p)
	switch f.Type {
	case wire.Write:
		return s.handleWrite(c, f.ID, d)
	case wire.Find:
		return s.handleFind(c, f.ID, d)
	case wire.Register:
		return s.handleRegister(c, f.ID, d)
	case wire.Schema:
		return s.handleSchema(c, f.ID, d)
	case wire.Count:
		return s.handleCount(c, f.ID, d)
	case wire.Contents:
		return s.handleContents(c, f.ID, d)
	case wire.Drop:
		return s.handleDrop(c, f.ID, d)
	case wire.Notify:
		return s.handleNotify(c, f.ID, d)
	case wire.Registrations:
		return s.handleRegistrations(c, f.ID, d)
	case wire.Snapshot:
		return s.handleSnapshot(c, f.ID, d)
	case wire.Attach:
		return s.handleAttach(c, f.ID, d)
	case wire.Acknowledge:
		return s.handleAcknowledge(c, d)
	case wire.Renew, wire.Cancel:
		return s.handleLeases(c, f, d)
	case wire.Update:
		return s.handleUpdate(c, f.ID, d)
	case wire.BeginTxn, wire.Commit, wire.Abort, wire.Rollback, wire.Defer:
		return s.handleTxn(c, f, d)
	case wire.Outcome:
		return s.handleOutcome(c, f.ID, d)
	case wire.Kinds:
		if err := d.Err(); err != nil {
			return s.refuse(f.ID, err)
		}
		c.p.Kinds(c, tag(wire.Kinds, f.ID))
		return nil
	}
	return fmt.Errorf("%w: unknown type %d", wire.ErrMalformed, f.Type)
}

// failStale ends a call on a space that the client has to open again. It was not executed.
func (s *session) failStale(f wire.Frame) error {
	if f.Type == wire.Acknowledge {
		return nil // a new listener begins after the last event that the client has
	}
	return s.fail(f.ID, errOpenAgain)
}

// send queues a frame that answers at once.
func (s *session) send(t wire.Type, id uint64, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Commit(wire.AppendFrame(s.out.Buffer(), t, id, body))
	s.isFullLocked()
	s.wakeLocked()
	return nil
}

func (s *session) answer(callID uint64, body []byte) error { return s.send(wire.Answer, callID, body) }

// refuse ends a call whose body is malformed. The frame was in order, so the connection goes on.
func (s *session) refuse(callID uint64, err error) error {
	return s.fail(callID, malformed(err))
}

// malformed returns the error of a call whose body is malformed, as err says.
func malformed(err error) error { return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err) }

// fail ends a call with an error.
func (s *session) fail(callID uint64, err error) error {
	return s.send(wire.Failure, callID, wire.AppendError(nil, err))
}

func (s *session) handleAck(d wire.Decoder) error {
	pos := d.Uvarint()
	if err := d.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	known := s.out.Ack(pos)
	s.mu.Unlock()
	if !known {
		return fmt.Errorf("%w: the client acknowledges what was not sent", wire.ErrMalformed)
	}
	s.forgetReceived(pos)
	return nil
}

// handleOpen opens a partition under the handle that the client chose.
func (s *session) handleOpen(callID uint64, d wire.Decoder) error {
	handle, at, number := d.Uvarint(), d.Address(), d.Uvarint()
	if err := d.Err(); err != nil {
		return s.refuse(callID, err)
	}
	if handle >= uint64(s.srv.cfg.MaxSpaces) {
		return s.fail(callID, fmt.Errorf("%w: open %.40q as %d", call.ErrInvalidArgument, at, handle))
	}
	before := s.caller(handle)
	switch {
	case before == nil:
	case before.at != at:
		return s.fail(callID, fmt.Errorf("%w: another partition is open as %d", call.ErrInvalidArgument, handle))
	case !before.stale.Load():
		before.answerOpenedAgain(callID)
		return nil
	}
	n := s.srv.nowhere
	n.mu.Lock()
	p, incarnation, err := s.srv.cfg.Spaces.Lookup(at)
	if err == nil && p == nil {
		defer n.mu.Unlock()
		c := s.newCaller(handle, at, n.p)
		n.addLocked(c)
		c.answerOpened(callID, &wire.Opened{}, 0, true)
		s.opened(c)
		return nil
	}
	n.mu.Unlock()
	if err != nil {
		return s.fail(callID, err)
	}
	c, o := s.newCaller(handle, at, p), &wire.Opened{Incarnation: incarnation}
	if s.client == (call.Client{}) {
		c.answerOpened(callID, o, 0, true)
	} else if err := c.openSession(callID, number, o); err != nil {
		return s.fail(callID, err)
	}
	s.opened(c)
	return nil
}

func (s *session) newCaller(handle uint64, at txn.Address, p *partition.Partition) *caller {
	c := &caller{
		outlet: outlet{s: s}, handle: handle, at: at, p: p,
		nowhere: p == s.srv.nowhere.p, volatile: !p.Logged(),
		listeners: map[uint64]*listener{},
	}
	c.of = c
	return c
}

// openSession makes c the one that calls on behalf of the client, and answers the call that opens the space. It fails,
// without an answer, while the space cannot tell which transactions of the client are open.
func (c *caller) openSession(callID, number uint64, o *wire.Opened) (err error) {
	if c.session, o.Lost, err = c.p.OpenSession(c.s.client, number); err != nil {
		return err
	}
	o.Session = c.session
	err = c.p.Adopt(c.session, c, func(open []call.OpenTxn, lsn partition.LSN, durable bool) {
		if number == 0 { // none has ended that the client knows
			lsn, durable = 0, true
		}
		c.adoptTxns(open)
		for _, t := range open {
			o.Txns = append(o.Txns, wire.OpenTxn(t))
		}
		c.answerOpened(callID, o, lsn, durable)
	})
	if err != nil {
		c.p.CloseSession(c.session, false)
	}
	return err
}

// answerOpened answers an Open. An answer that names the transactions which are open says that the others have ended:
// no crash may bring them back.
func (c *caller) answerOpened(callID uint64, o *wire.Opened, lsn partition.LSN, durable bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.opened = wire.AppendOpened(nil, o)
	c.emitLocked(wire.AppendFrame(c.bufferLocked(durable), wire.Answer, callID, c.opened), lsn, durable)
}

// answerOpenedAgain answers another Open, after the first.
func (c *caller) answerOpenedAgain(callID uint64) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	durable := len(c.later.buf) == 0
	c.emitLocked(wire.AppendFrame(c.bufferLocked(durable), wire.Answer, callID, c.opened), 0, durable)
}

// opened makes c the one for its handle.
func (s *session) opened(c *caller) {
	s.addCaller(c)
	if errors.Is(c.p.Err(), call.ErrDropped) { // Server.dropped may not have seen c
		c.reset()
	}
}

// caller returns the partition that is open under a handle, or nil.
func (s *session) caller(handle uint64) *caller {
	if handle >= uint64(len(s.callers)) {
		return nil
	}
	return s.callers[handle]
}

func (s *session) addCaller(c *caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uint64(len(s.callers)) <= c.handle {
		s.callers = append(s.callers, nil)
	}
	c.inheritLocked(s.callers[c.handle])
	s.callers[c.handle] = c
}

func (s *session) handleSpaces(callID uint64) error {
	var body []byte
	for _, name := range s.srv.cfg.Spaces.Names() {
		body = wire.AppendBytes(body, name)
	}
	return s.answer(callID, body)
}

// handleWrite passes on a Write. The drafts' rows alias the read buffer; the partition copies them.
func (s *session) handleWrite(c *caller, callID uint64, d wire.Decoder) error {
	id := d.Txn()
	drafts, err := s.decodeDrafts(c, &d)
	if err != nil {
		return s.fail(callID, err)
	}
	under, err := c.under(id)
	if err != nil {
		return s.fail(callID, err)
	}
	c.p.Write(c, tag(wire.Write, callID), under, c.byAlone(under, callID), drafts)
	return nil
}

// decodeDrafts decodes the entries to be written that are the rest of a body. They are valid until the next frame.
func (s *session) decodeDrafts(c *caller, d *wire.Decoder) ([]call.Draft, error) {
	drafts := d.Drafts(s.drafts[:0])
	s.drafts = drafts[:0]
	if cap(drafts) > 1024 {
		s.drafts = nil // a bulk has passed
	}
	if err := d.Err(); err != nil {
		return nil, malformed(err)
	}
	for i := range drafts {
		if err := checkRow(c.p, drafts[i].Kind, drafts[i].Row); err != nil {
			return nil, err
		}
	}
	return drafts, nil
}

func checkRow(p *partition.Partition, kind call.KindID, row template.Row) error {
	schema := p.Schema(kind)
	if schema == nil {
		return fmt.Errorf("%w: number %d", call.ErrUnknownKind, kind)
	}
	err := row.Check(schema)
	if err == nil || errors.Is(err, template.ErrSchemaConflict) {
		return err
	}
	return fmt.Errorf("%w: entry of kind %q: %w", call.ErrInvalidArgument, schema.Kind, err)
}

// handleUpdate passes on an Update. The row aliases the read buffer; the partition copies it.
func (s *session) handleUpdate(c *caller, callID uint64, d wire.Decoder) error {
	id, ch := d.Txn(), d.Change()
	if err := d.Err(); err != nil {
		return s.refuse(callID, err)
	}
	if err := checkRow(c.p, ch.Kind, ch.Row); err != nil {
		return s.fail(callID, err)
	}
	under, err := c.under(id)
	if err != nil {
		return s.fail(callID, err)
	}
	c.p.Update(c, tag(wire.Update, callID), under, c.byAlone(under, callID), ch)
	return nil
}

func (s *session) handleRegister(c *caller, callID uint64, d wire.Decoder) error {
	schema, err := template.DecodeSchema(d.Rest())
	if err != nil {
		return s.fail(callID, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err))
	}
	c.p.Register(c, tag(wire.Register, callID), schema)
	return nil
}

// handleSchema answers with the number of the named kind, after its schema.
func (s *session) handleSchema(c *caller, callID uint64, d wire.Decoder) error {
	name := d.Bytes()
	if err := d.Err(); err != nil {
		return s.refuse(callID, err)
	}
	k := c.p.KindID(string(name))
	if k == 0 {
		return s.fail(callID, call.ErrUnknownKind)
	}
	s.mu.Lock()
	c.announceKindLocked(k)
	s.mu.Unlock()
	return s.answer(callID, binary.AppendUvarint(nil, uint64(k)))
}

// handleDrop passes on a Drop.
func (s *session) handleDrop(c *caller, callID uint64, d wire.Decoder) error {
	name := string(d.Bytes())
	if err := d.Err(); err != nil {
		return s.refuse(callID, err)
	}
	c.p.Drop(c, tag(wire.Drop, callID), name)
	return nil
}

// handleContents passes on a Contents.
func (s *session) handleContents(c *caller, callID uint64, d wire.Decoder) error {
	id, held := d.Selection()
	cursor, limit := d.Cursor(), d.Uvarint()
	q := new(wire.Query) // it lives until the reply
	q.Decode(&d)
	q.ID, q.Held, q.Max = id, held, int(min(limit, wire.MaxFind))
	if err := d.Err(); err != nil {
		return s.refuse(callID, err)
	}
	var err error
	if q.Txn, err = c.under(q.Txn); err != nil {
		return s.fail(callID, err)
	}
	if err := c.checkKinds(&q.Query); err != nil {
		return s.fail(callID, err)
	}
	c.p.Contents(c, tag(wire.Contents, callID), &q.Query, cursor)
	return nil
}

// decodeIDs decodes a list of identities, which is valid until the next frame.
func (s *session) decodeIDs(d *wire.Decoder) []uint64 {
	ids := s.ids[:0]
	for n := d.Len(wire.MaxLeases); n > 0 && d.Ok(); n-- {
		ids = append(ids, d.Uvarint())
	}
	s.ids = ids[:0]
	return ids
}

// handleLeases passes on a Renew or a Cancel.
func (s *session) handleLeases(c *caller, f wire.Frame, d wire.Decoder) error {
	var lease int64
	if f.Type == wire.Renew {
		lease = d.Lease()
	}
	ids := s.decodeIDs(&d)
	if err := d.Err(); err != nil {
		return s.refuse(f.ID, err)
	}
	if f.Type == wire.Renew {
		c.p.Renew(c, tag(f.Type, f.ID), c.by(f.ID), lease, ids)
	} else {
		s.srv.cfg.Spans.Cancelling(c.p, ids)
		c.p.Cancel(c, tag(f.Type, f.ID), c.by(f.ID), ids)
	}
	return nil
}
