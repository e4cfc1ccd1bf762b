package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
)

// Control is the replica of the control partition on one node. It keeps the State by following the log, and appends
// commands to the log while this node is the primary. Its methods may be called concurrently.
type Control struct {
	log    *replication.Log // set by open
	self   string
	conn   *nats.Conn
	logger *slog.Logger

	admits func(*Joined) error // why a node cannot join at present; set before Run

	told chan struct{} // capacity 1: holds an element if this node is to lead

	mu      sync.Mutex
	state   *State        // guarded by mu
	changed chan struct{} // guarded by mu; closed and replaced when state changes
	epoch   uint64        // guarded by mu; in which this node is the primary, or 0
	settled chan struct{} // guarded by mu; closed and replaced when an attempt to lead has ended
	able    bool          // guarded by mu; it follows

	proposing sync.Mutex // held while a command is appended
}

// NewControl returns the replica of a node. The caller opens it and calls Run.
func NewControl(self string, conn *nats.Conn, logger *slog.Logger) *Control {
	return &Control{
		self: self, conn: conn, logger: logger, told: make(chan struct{}, 1), state: &State{},
		changed: make(chan struct{}), settled: make(chan struct{}),
		admits: func(*Joined) error { return nil },
	}
}

// open gives the partition its log.
func (c *Control) open(log *replication.Log) { c.log = log }

// close ends the use of the log, and an append that waits for a majority.
func (c *Control) close() {
	if c.log != nil {
		c.log.Close()
	}
}

// State returns the current state, which is immutable, and a channel that is closed when a newer one exists.
func (c *Control) State() (*State, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.changed
}

// Run follows the log, and leads it when told to, until ctx ends.
func (c *Control) Run(ctx context.Context) {
	pauses := &backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for ctx.Err() == nil {
		err := c.follow(ctx)
		if errors.Is(err, errLead) {
			err = c.lead(ctx)
			pauses.Reset()
		}
		if errors.Is(err, replication.ErrClosed) {
			return
		}
		if err != nil && ctx.Err() == nil {
			c.logger.Warn("the control log cannot be used; it is read again", "error", err)
			_ = pauses.Wait(ctx)
		}
	}
}

// errLead ends following.
var errLead = errors.New("cluster: this node is to lead the control partition")

// follow applies the log, and what is appended to it, until this node is told to lead.
func (c *Control) follow(ctx context.Context) error {
	from, err := c.load(ctx)
	if err != nil {
		return err
	}
	end, err := c.log.CatchUp(ctx, from, c.apply, nil)
	if err != nil {
		return err
	}
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.setAble(true)
	defer c.setAble(false)
	go func() {
		select {
		case <-c.told:
			stop(errLead)
		case <-following.Done():
		}
	}()
	return c.log.Follow(following, end, c.apply)
}

func (c *Control) setAble(able bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.able = able
}

// apply makes the state follow a message of the log.
func (c *Control) apply(g record.Group) error {
	var cmd Command
	// A claim has records if the log has lost something; they are for partitions.
	commands := len(g.Records) > 0 && !g.Claimed
	if commands {
		if err := json.Unmarshal(g.Records, &cmd); err != nil {
			return fmt.Errorf("cluster: position %d of the control log: %w", g.Position, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.Position <= c.state.Position {
		return nil
	}
	next, err := c.state.next(g.Position, &cmd)
	if err != nil && commands {
		c.logger.Debug("command refused", "position", g.Position, "error", err)
	}
	c.replaceLocked(next)
	return nil
}

func (c *Control) replaceLocked(state *State) {
	c.state = state
	close(c.changed)
	c.changed = make(chan struct{})
}

// lead claims the log and accepts proposals until the log fails or another node claims it. It returns nil in the latter
// case, and if the claim is refused.
func (c *Control) lead(ctx context.Context) error {
	defer c.settle()
	from, _ := c.State()
	g, err := c.log.Claim(ctx, from.Position, clock())
	if err != nil {
		if fenced(err) {
			return nil
		}
		return err
	}
	if err := c.apply(g); err != nil {
		return err
	}
	sub, err := c.conn.Subscribe(subjectControl, c.answer)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	c.begin(g.Position)
	defer c.begin(0)
	c.settle()
	c.logger.Info("control partition led here", "epoch", g.Position)
	return c.awaitEnd(ctx)
}

// begin makes this node the primary in an epoch; 0: it is not the primary any more.
func (c *Control) begin(epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch = epoch
}

// settle tells that an attempt to lead has ended.
func (c *Control) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.settled)
	c.settled = make(chan struct{})
}

// lookPause is how often the primary of the control partition, which seldom appends, checks that it still is that.
const lookPause = 50 * time.Millisecond

// Resign implements Replica.
func (c *Control) Resign(_ context.Context, heir string) error {
	c.proposing.Lock() // nothing is under way
	defer c.proposing.Unlock()
	return c.log.Resign(heir, clock())
}

// Verify implements Replica. The log refuses the resignation of a primary that was replaced.
func (c *Control) Verify(ctx context.Context) error { return c.Resign(ctx, "") }

// awaitEnd returns when the log takes no more appends of this process, or ctx ends.
func (c *Control) awaitEnd(ctx context.Context) error {
	t := time.NewTicker(lookPause)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := c.log.Stats().Failed; err != nil {
				c.logger.Warn("control partition no longer led here", "error", err)
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fenced reports whether a log has failed with err because another has written to it.
func fenced(err error) bool { return errors.Is(err, replication.ErrFenced) }

func clock() record.Clock {
	now := time.Now().UnixNano()
	return record.Clock{Space: now, Wall: now}
}

// Do sends a command to the primary and returns the state that includes it, once this node has applied it. It retries
// until ctx ends, and returns ctx's cause then; otherwise it returns the error of the command. A command may take
// effect although Do returns an error, and may take effect twice: commands are idempotent.
func (c *Control) Do(ctx context.Context, cmd *Command) (*State, error) {
	body, err := json.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	for {
		position, err := c.ask(ctx, body)
		if err == nil {
			return c.await(ctx, position)
		}
		if refused := (*refusedError)(nil); errors.As(err, &refused) {
			return nil, refused.err
		}
		if backoff.Sleep(ctx, 50*time.Millisecond) != nil {
			return nil, fmt.Errorf("the control partition cannot be changed: %w (%v)", context.Cause(ctx), err)
		}
	}
}

// askTimeout is how long the primary may take to answer. Its answer waits for the log.
const askTimeout = time.Second

// subjectControl is where the primary of the control partition is asked.
const subjectControl = "gs.control"

// ask sends a command to the primary, once.
func (c *Control) ask(ctx context.Context, body []byte) (position uint64, err error) {
	if c.leads() {
		return c.proposeWithin(ctx, body)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m, err := c.conn.RequestWithContext(ctx, subjectControl, body)
	if err != nil {
		return 0, err
	}
	var a controlAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return 0, err
	}
	return a.Position, a.err()
}

func (c *Control) leads() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch > 0
}

// controlAnswer is the answer of the primary to a command.
type controlAnswer struct {
	Position uint64 `json:"position,omitempty"`
	Refused  string `json:"refused,omitempty"` // the command is refused, and why
	Kind     string `json:"kind,omitempty"`    // of the refusal: the text of the error that it wraps
	Failed   string `json:"failed,omitempty"`  // it was not carried out, and why; another attempt may succeed
}

func (a controlAnswer) err() error {
	switch {
	case a.Failed != "":
		return errors.New(a.Failed)
	case a.Refused == "":
		return nil
	}
	for _, e := range []error{ErrNoNode, ErrNeeded, ErrNoSpace, ErrExists, ErrMove, ErrReplaced} {
		if e.Error() == a.Kind {
			return &refusedError{remote{a.Refused, e}}
		}
	}
	return &refusedError{errors.New(a.Refused)}
}

// remote is an error of another node.
type remote struct {
	text string
	kind error
}

func (r remote) Error() string { return r.text }
func (r remote) Unwrap() error { return r.kind }

// refusedError is the error of a command that is refused for good.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

// answer carries out a command of another node.
func (c *Control) answer(m *nats.Msg) {
	position, err := c.propose(m.Data)
	a := controlAnswer{Position: position}
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		a.Refused = refused.Error()
		if kind := errors.Unwrap(refused.err); kind != nil {
			a.Kind = kind.Error()
		}
	} else if err != nil {
		a.Failed = err.Error()
	}
	body, err := json.Marshal(a)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil {
		c.logger.Debug("a command cannot be answered", "error", err)
	}
}

// proposeWithin returns what propose does, or ctx's cause if ctx ends before: the command may take effect later.
func (c *Control) proposeWithin(ctx context.Context, body []byte) (uint64, error) {
	type outcome struct {
		position uint64
		err      error
	}
	ended := make(chan outcome, 1)
	go func() {
		position, err := c.propose(body)
		ended <- outcome{position, err}
	}()
	select {
	case o := <-ended:
		return o.position, o.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// propose appends a command, as the primary, and returns its position. It blocks while there is no majority.
func (c *Control) propose(body []byte) (position uint64, err error) {
	c.proposing.Lock()
	defer c.proposing.Unlock()
	var cmd Command
	if err := json.Unmarshal(body, &cmd); err != nil {
		return 0, &refusedError{err}
	}
	state, _ := c.State()
	if _, err := state.next(state.Position, &cmd); err != nil {
		return 0, &refusedError{err}
	}
	if cmd.Join != nil {
		if err := c.admits(cmd.Join); err != nil {
			return 0, err
		}
	}
	if !c.leads() {
		return 0, replication.ErrNotPrimary
	}
	msg := make([]byte, record.HeaderSize, record.HeaderSize+len(body))
	record.SetClock(msg, clock())
	if err := c.log.Append(append(msg, body...)); err != nil {
		return 0, err
	}
	position = c.log.Last()
	return position, c.apply(record.Group{Position: position, Records: body})
}

// await returns the state once it includes a position.
func (c *Control) await(ctx context.Context, position uint64) (*State, error) {
	for {
		state, changed := c.State()
		if state.Position >= position {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Control is a Replica.
var _ Replica = (*Control)(nil)

// Serving implements Replica.
func (c *Control) Serving() (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch, c.epoch > 0 && c.log.Overdue() < cutOff
}

// cutOff is how long an append may wait for its acknowledgement until its primary counts as cut off.
const cutOff = time.Second

// Position implements Replica.
func (c *Control) Position() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Position
}

// Able implements Replica.
func (c *Control) Able() error {
	c.mu.Lock()
	able := c.able
	c.mu.Unlock()
	if !able {
		return errReading
	}
	return c.log.Fit()
}

// errReading is why a control partition that does not follow its log could not lead.
var errReading = errors.New("it is reading its log")

// Fit implements Replica.
func (c *Control) Fit() error { return c.log.Fit() }

// Primary implements Replica.
func (c *Control) Primary() replication.Primary { return c.log.Primary() }

// Raft implements Replica.
func (c *Control) Raft() replication.Raft { return c.log.Raft() }

// Nudge implements Replica.
func (c *Control) Nudge() error { return c.log.Nudge() }

// Beat implements Replica.
func (c *Control) Beat() { c.log.Beat() }

// LeadHere implements Replica.
func (c *Control) LeadHere() error { return c.log.LeadHere() }

// Lead implements Replica. The control partition answers no reads, so a claim waits for nothing.
func (c *Control) Lead(ctx context.Context) error {
	c.mu.Lock()
	settled := c.settled
	c.mu.Unlock()
	select {
	case c.told <- struct{}{}:
	default:
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
