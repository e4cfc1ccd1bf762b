package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrTwin is returned to a node whose name another living node has.
var ErrTwin = errors.New("cluster: another node has the name")

// folderError is the error of a node whose folder may not be that of its name.
type folderError struct {
	kind error // ErrReplaced or ErrTwin
	text string
}

func (e *folderError) Error() string { return e.text }
func (e *folderError) Unwrap() error { return e.kind }

func replacedText(node string) string {
	return fmt.Sprintf("node %q was replaced by another folder: start it with an empty folder, or under another name",
		node)
}

// claim says that a folder is that of a node.
type claim struct {
	Node   string `json:"node"`
	Folder string `json:"folder"`
}

// verdict is what a node says of a claim.
type verdict struct {
	From     string `json:"from"`
	Replaced bool   `json:"replaced,omitempty"`
	Twin     string `json:"twin,omitempty"`  // address of a living node with the name and another folder
	Heard    uint64 `json:"heard,omitempty"` // heartbeats of Twin: it is alive for sure when they become more
}

const (
	// subjectClaim is where the members of a cluster are asked for their verdicts.
	subjectClaim = "gs.claim"
	// subjectOusted is where folders that send heartbeats are told that they were replaced.
	subjectOusted = "gs.ousted"
	// sureBeats is the number of heartbeats, heard since a node asks, by which its twin is alive. Fewer may be the last
	// ones of a process that has ended.
	sureBeats = 3
)

// ownFolder is the folder of this node, which it may lose the right to.
type ownFolder struct {
	claim
	once sync.Once
	lost chan struct{} // closed when the right is lost
	why  error         // set before lost is closed
}

func newOwnFolder(node, folder string) *ownFolder {
	return &ownFolder{claim: claim{node, folder}, lost: make(chan struct{})}
}

// oust records that the folder may not be that of the node.
func (f *ownFolder) oust(why error) {
	f.once.Do(func() {
		f.why = why
		close(f.lost)
	})
}

// err returns the error of oust, or nil.
func (f *ownFolder) err() error {
	if isClosed(f.lost) {
		return f.why
	}
	return nil
}

// Lost returns a channel that is closed when the name of this node belongs to another folder; Err tells then why. The
// node must write nothing any more.
func (m *Member) Lost() <-chan struct{} { return m.folder.lost }

// Err returns ErrReplaced or ErrTwin once Lost is closed, or nil.
func (m *Member) Err() error { return m.folder.err() }

func (m *Member) oust(why error) {
	m.keeper.ousted.Store(true)
	m.folder.oust(why)
}

// defend makes the node learn, until it leaves, that its folder was replaced; and until joining ends, that another node
// with its name is alive.
func (m *Member) defend(joining context.Context) error {
	conn := m.cfg.Store.Conn()
	sub, err := conn.Subscribe(subjectOusted, func(msg *nats.Msg) {
		var c claim
		if json.Unmarshal(msg.Data, &c) == nil && c == m.folder.claim {
			m.oust(&folderError{ErrReplaced, replacedText(m.self)})
		}
	})
	if err != nil {
		return err
	}
	m.running.Go(func() {
		defer func() { _ = sub.Unsubscribe() }()
		m.watchFolder(m.ctx)
	})
	m.running.Go(func() {
		if err := contest(joining, conn, m.folder.claim, m.cfg.Timing.Beat); err != nil {
			m.oust(err)
		}
	})
	return nil
}

// watchFolder follows the State until ctx ends, or the State says that the folder was replaced.
func (m *Member) watchFolder(ctx context.Context) {
	for {
		state, changed := m.control.State()
		if state.IsReplaced(m.self, m.folder.Folder) {
			m.oust(&folderError{ErrReplaced, replacedText(m.self)})
			return
		}
		if awaitChange(ctx, changed) != nil {
			return
		}
	}
}

// contest asks the members of a cluster for their verdicts of a claim, once per interval until ctx ends. It returns
// ErrReplaced or ErrTwin as soon as a verdict is against the claim.
func contest(ctx context.Context, conn *nats.Conn, c claim, interval time.Duration) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil // the store is closed
	}
	defer func() { _ = sub.Unsubscribe() }()
	began := map[string]uint64{} // by node, the first verdict.Heard
	for ctx.Err() == nil {
		_ = conn.PublishRequest(subjectClaim, inbox, body) // it is repeated
		if err := hearVerdicts(ctx, sub, c, interval, began); err != nil {
			return err
		}
	}
	return nil
}

// hearVerdicts receives verdicts for a while.
func hearVerdicts(ctx context.Context, sub *nats.Subscription, c claim, during time.Duration, began map[string]uint64,
) error {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			<-ctx.Done()
			return nil
		}
		var v verdict
		if json.Unmarshal(msg.Data, &v) != nil {
			continue
		}
		if err := v.against(c, began); err != nil {
			return err
		}
	}
}

// against returns the error if the verdict is against a claim for sure.
func (v verdict) against(c claim, began map[string]uint64) error {
	if v.Replaced {
		return &folderError{ErrReplaced, replacedText(c.Node)}
	}
	if v.Twin == "" {
		return nil
	}
	first, known := began[v.From]
	if !known || v.Heard < first {
		began[v.From] = v.Heard
		return nil
	}
	if v.Heard < first+sureBeats {
		return nil
	}
	return twinError(c.Node, v.Twin)
}

func twinError(node, addr string) error {
	return &folderError{ErrTwin, fmt.Sprintf("another node with the name %q is alive at %s: stop it, or give this one "+
		"another name", node, addr)}
}

// answerClaims gives verdicts until ctx ends.
func (m *Member) answerClaims(ctx context.Context) error {
	sub, err := m.cfg.Store.Conn().Subscribe(subjectClaim, func(msg *nats.Msg) {
		var c claim
		if json.Unmarshal(msg.Data, &c) != nil || c == m.folder.claim {
			return
		}
		if body, err := json.Marshal(m.judge(c)); err == nil {
			_ = msg.Respond(body) // the other asks again
		}
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	return nil
}

// judge returns what this node says of a claim.
func (m *Member) judge(c claim) verdict {
	v := verdict{From: m.self}
	switch state, _ := m.control.State(); {
	case state.IsReplaced(c.Node, c.Folder):
		v.Replaced = true
	case state.Nodes[c.Node].Folder != c.Folder:
		v.Twin, v.Heard = m.sight.Twin(c.Node, c.Folder)
	}
	return v
}

// admits returns ErrTwin if another node with a name is alive; the primary of the control partition asks it. The other
// may have ended just now, so the command is tried again.
func (m *Member) admits(j *Joined) error {
	state, _ := m.control.State()
	if now := state.Nodes[j.Name].Folder; now == "" || now == j.Folder {
		return nil
	}
	if j.Name == m.self {
		if j.Folder != m.folder.Folder {
			return twinError(j.Name, m.cfg.Addr)
		}
		return nil
	}
	if addr, _ := m.sight.Twin(j.Name, j.Folder); addr != "" {
		return twinError(j.Name, addr)
	}
	return nil
}

// warn tells a folder that sends heartbeats that it was replaced.
func (m *Member) warn(b *Beat) {
	if state, _ := m.control.State(); !state.IsReplaced(b.Node, b.Folder) {
		return
	}
	if body, err := json.Marshal(claim{b.Node, b.Folder}); err == nil {
		_ = m.cfg.Store.Conn().Publish(subjectOusted, body) // the next heartbeat is another occasion
	}
}
