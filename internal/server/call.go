package server

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
)

// handle serves one frame. An error ends the connection; a call that is merely wrong gets a Failure.
func (s *session) handle(f wire.Frame) error {
	op := wire.OpOf(f.Type)
	if op == nil {
		return fmt.Errorf("%w: unknown type %d", wire.ErrMalformed, f.Type)
	}
	if s.srv.cfg.Budget.Full() && !op.Frugal() {
		return s.fail(f.ID, s.srv.cfg.Budget.Refuse(call.ErrSpaceFull))
	}
	if h := ofSession[f.Type]; h != nil {
		return h(s, f)
	}
	return s.handleCall(op, f, f.ID)
}

// ofSession has the handlers of frames that are not for a partition.
var ofSession = [wire.Types]func(s *session, f wire.Frame) error{
	wire.Hello:       (*session).unexpected,
	wire.Ping:        (*session).handlePing,
	wire.Ack:         (*session).handleAck,
	wire.Goodbye:     func(*session, wire.Frame) error { return errGoodbye },
	wire.CancelWait:  func(s *session, f wire.Frame) error { s.cancelWait(f.ID); return nil },
	wire.Echo:        (*session).echo,
	wire.Repeat:      (*session).handleRepeat,
	wire.Spaces:      (*session).handleSpaces,
	wire.Status:      (*session).handleStatus,
	wire.Topology:    (*session).handleTopology,
	wire.Open:        asked((*session).handleOpen),
	wire.CreateSpace: asked((*session).handleCreateSpace),
	wire.DropSpace:   asked((*session).handleDropSpace),
	wire.Manage:      asked((*session).handleManage),
	wire.Backup:      asked((*session).handleBackup),
	wire.Fetch:       asked((*session).handleFetch),
	wire.EndBackup:   asked((*session).handleEndBackup),
}

// asked returns a handler of frames for one of decoded calls.
func asked(h func(s *session, callID uint64, a *call.Ask) error) func(s *session, f wire.Frame) error {
	return func(s *session, f wire.Frame) error {
		op, d := wire.OpOf(f.Type), wire.NewDecoder(f.Body)
		var a call.Ask
		if op.HasHandle() {
			a.Handle = d.Uvarint()
		}
		op.Decode(&d, &a, nil)
		if err := d.Err(); err != nil {
			return s.refuse(f.ID, err)
		}
		return h(s, f.ID, &a)
	}
}

func (s *session) unexpected(f wire.Frame) error {
	return fmt.Errorf("%w: unexpected type %d", wire.ErrMalformed, f.Type)
}

// echo replies with the body of the frame, if there is room for it twice.
func (s *session) echo(f wire.Frame) error {
	b, n := s.srv.cfg.Budget, int64(len(f.Body))
	if !b.Reserve(n) {
		return s.fail(f.ID, b.Refuse(call.ErrSpaceFull))
	}
	defer b.Add(-n) // by then the session has charged it
	return s.send(wire.Answer, f.ID, f.Body)
}

// handleCall serves a call on one of the opened partitions, which knows it by number. A call that is made again has
// another frame than the first time.
func (s *session) handleCall(op *wire.Op, f wire.Frame, number uint64) error {
	s.body = wire.NewDecoder(f.Body)
	handle := s.body.Uvarint()
	c := s.caller(handle)
	if c == nil {
		return s.fail(f.ID, fmt.Errorf("%w: nothing was opened as %d", call.ErrInvalidArgument, handle))
	}
	if c.stale.Load() {
		return s.failStale(op, f.ID)
	}
	if c.absent && op.Creates() {
		return s.fail(f.ID, c.create())
	}
	s.join(c.host)
	a, err := s.decode(op, &s.body)
	if err == nil {
		a.Op = call.Op(f.Type)
		err = c.prepare(op, number, a)
	}
	switch {
	case err != nil && op.Silent():
		return err
	case err != nil:
		return s.fail(f.ID, err)
	}
	s.measure(c, op, tag(f.Type, f.ID))
	if h := special[f.Type]; h != nil {
		return h(c, f.ID, a)
	}
	c.host.Do(c, tag(f.Type, f.ID), a)
	s.tidy()
	return nil
}

// special has the handlers of calls of which the session has to know more than the outcome.
var special = [wire.Types]func(c *caller, callID uint64, a *call.Ask) error{
	wire.Find:          (*caller).find,
	wire.Count:         (*caller).count,
	wire.Notify:        (*caller).listen,
	wire.Attach:        (*caller).listen,
	wire.Acknowledge:   (*caller).acknowledge,
	wire.Registrations: (*caller).registrations,
	wire.Snapshot:      (*caller).snapshot,
	wire.BeginTxn:      (*caller).beginTxn,
	wire.Commit:        (*caller).endTxn,
	wire.Abort:         (*caller).endTxn,
	wire.Rollback:      (*caller).endTxn,
	wire.Outcome:       (*caller).outcome,
}

// decode decodes a call. It is valid until the next frame, but for its query.
func (s *session) decode(op *wire.Op, d *wire.Decoder) (*call.Ask, error) {
	var q *wire.Query
	switch {
	case op.Lasts():
		q = &s.scratch.Query
	case op.HasQuery():
		q = new(wire.Query)
	}
	a := &s.ask
	*a = call.Ask{Drafts: a.Drafts[:0], IDs: a.IDs[:0]}
	op.Decode(d, a, q)
	if err := d.Err(); err != nil {
		return nil, malformed(err)
	}
	return a, nil
}

// tidy frees the memory of a large call that is over.
func (s *session) tidy() {
	if cap(s.ask.Drafts) > 1024 {
		s.ask.Drafts = nil
	}
}

// prepare makes a decoded call ready for the partition. It returns an error if the call is wrong.
func (c *caller) prepare(op *wire.Op, number uint64, a *call.Ask) error {
	if op.HasRows() {
		if err := c.checkRows(a); err != nil {
			return err
		}
	}
	id := a.Under()
	if op.OfTxn() {
		if *id = c.home(*id); id.IsZero() {
			return malformed(errNoTxn)
		}
		if c.absent && id.Space != "" {
			return c.create()
		}
	}
	if op.Under() {
		var err error
		if *id, err = c.under(*id); err != nil {
			return err
		}
	}
	if op.HasQuery() {
		if err := c.checkKinds(a.Query); err != nil {
			return err
		}
	}
	c.sign(op, number, a)
	return nil
}

// checkRows returns an error if rows of the call cannot be of their kinds.
func (c *caller) checkRows(a *call.Ask) error {
	for i := range a.Drafts {
		if err := c.checkRow(a.Drafts[i].Kind, a.Drafts[i].Row); err != nil {
			return err
		}
	}
	if a.Op == call.OpUpdate {
		return c.checkRow(a.Change.Kind, a.Change.Row)
	}
	return nil
}

func (c *caller) checkRow(kind call.KindID, row template.Row) error {
	schema := c.host.Schema(kind)
	if schema == nil {
		return fmt.Errorf("%w: number %d", call.ErrUnknownKind, kind)
	}
	err := row.Check(schema)
	if err == nil || errors.Is(err, template.ErrSchemaConflict) {
		return err
	}
	return fmt.Errorf("%w: entry of kind %q: %w", call.ErrInvalidArgument, schema.Kind, err)
}

// failStale ends a call on a partition that the client has to open again. It was not executed.
func (s *session) failStale(op *wire.Op, callID uint64) error {
	if op.Silent() {
		return nil // a new listener begins after the last event that the client has
	}
	return s.fail(callID, errOpenAgain)
}

// reply queues the answer to a call that was not for a partition.
func (s *session) reply(t wire.Type, callID uint64, r *call.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendLocked(wire.OpOf(t).AppendAnswer(s.out.Buffer(), callID, r))
	return nil
}

// report queues the answer to a call that asks about the server.
func (s *session) report(f wire.Frame, r call.Report) error {
	return s.reply(f.Type, f.ID, &call.Result{Report: &r})
}

// send queues a frame that answers at once.
func (s *session) send(t wire.Type, id uint64, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendLocked(wire.AppendFrame(s.out.Buffer(), t, id, body))
	return nil
}

// sendLocked takes over the buffer of the stream, to which frames were appended.
func (s *session) sendLocked(buf []byte) {
	s.out.Commit(buf)
	s.isFullLocked()
	s.wakeLocked()
}

func (s *session) answer(callID uint64, body []byte) error { return s.send(wire.Answer, callID, body) }

// refuse ends a call whose body is malformed. The frame was in order, so the connection goes on.
func (s *session) refuse(callID uint64, err error) error {
	return s.fail(callID, malformed(err))
}

// malformed returns the error of a call whose body is malformed because of err.
func malformed(err error) error { return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err) }

// fail ends a call with an error.
func (s *session) fail(callID uint64, err error) error {
	return s.send(wire.Failure, callID, wire.AppendError(nil, err))
}

func (s *session) handleAck(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
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

func (s *session) handleStatus(f wire.Frame) error {
	return s.report(f, call.Report{Body: s.srv.cfg.Spaces.Status()})
}

func (s *session) handleTopology(f wire.Frame) error {
	t := &call.Topology{Nodes: []call.Member{{}}} // the server alone
	if s.srv.cfg.Topology != nil {
		t = s.srv.cfg.Topology.Topology()
	}
	return s.report(f, call.Report{Topology: t})
}

func (s *session) handlePing(wire.Frame) error {
	var version uint64
	if s.srv.cfg.Topology != nil {
		version = s.srv.cfg.Topology.Version()
	}
	return s.send(wire.Pong, 0, binary.AppendUvarint(nil, version))
}

func (s *session) handleSpaces(f wire.Frame) error {
	return s.report(f, call.Report{Names: s.srv.cfg.Spaces.Names()})
}
