package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
)

// ManageRequest is a request of gospaces cluster. Exactly one field is set, but for Plan.
type ManageRequest struct {
	Move   *MoveRequest   `json:"move,omitempty"`
	Drain  *DrainRequest  `json:"drain,omitempty"`
	Forget *ForgetRequest `json:"forget,omitempty"`
	// Changes nothing: returns the moves that would follow if the move, drain or forget was carried out, or if nothing
	// was.
	Plan bool `json:"plan,omitempty"`

	Filling *SourceRequest `json:"filling,omitempty"` // changes nothing: returns how far spaces are
	Fill    *FillRequest   `json:"fill,omitempty"`
	Records *FillRecords   `json:"records,omitempty"`
	Seal    *SealRequest   `json:"seal,omitempty"`
	Filled  *FilledRequest `json:"filled,omitempty"`
	Open    *SourceRequest `json:"open,omitempty"`   // has spaces served that are complete
	Finish  *SourceRequest `json:"finish,omitempty"` // makes spaces that are served like others

	Backup *BackupRequest `json:"backup,omitempty"`
}

// MoveRequest moves the replicas of a partition to the named nodes, the first of which is to lead it.
type MoveRequest struct {
	Space     string   `json:"space"`
	Partition uint16   `json:"partition"`
	To        []string `json:"to"`
}

// DrainRequest sets whether a node leads partitions, and has replicas.
type DrainRequest struct {
	Node     string `json:"node"`
	Leads    bool   `json:"leads"`
	Replicas bool   `json:"replicas"`
}

func (r *DrainRequest) duty() cluster.Duty {
	switch {
	case !r.Replicas:
		return cluster.Leaves
	case !r.Leads:
		return cluster.Follows
	}
	return cluster.Leads
}

// ForgetRequest removes a node that will not come back.
type ForgetRequest struct {
	Node string `json:"node"`
}

// ManageAnswer is the answer to a ManageRequest.
type ManageAnswer struct {
	Moves []MoveRequest `json:"moves,omitempty"` // of a plan
	Parts []FilledPart  `json:"parts,omitempty"` // of a space that was sealed, by number

	Stages []Stage `json:"stages,omitempty"` // of the spaces of a source
}

// Stage is how far a space is that is to be filled.
type Stage = cluster.Stage

// The stages that are looked at: a space in any other one is to be filled.
const (
	Present   = cluster.Present
	Complete  = cluster.Complete
	Elsewhere = cluster.Elsewhere
)

var _ server.Manager = afloat{}

// Manage implements server.Manager.
func (b afloat) Manage(ctx context.Context, request []byte) ([]byte, error) {
	var r ManageRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	answer, err := b.fleet.manage(ctx, &r)
	switch {
	case errors.Is(err, cluster.ErrNoNode), errors.Is(err, cluster.ErrNeeded), errors.Is(err, cluster.ErrNoSpace),
		errors.Is(err, cluster.ErrMove), errors.Is(err, cluster.ErrExists):
		return nil, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	case errors.Is(err, call.ErrInvalidArgument), errors.Is(err, call.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", call.ErrUnavailable, err)
	}
	return json.Marshal(answer)
}

// openTimeout is how long spaces that were filled may take until they are served: each replica reads its log.
const openTimeout = 10 * time.Minute

func (f *fleet) manage(ctx context.Context, r *ManageRequest) (answer ManageAnswer, err error) {
	limit := createTimeout
	if r.Open != nil {
		limit = openTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = f.member.WithMajority(ctx, func(ctx context.Context) (err error) {
		answer, err = f.carryOut(ctx, r)
		return err
	})
	return answer, err
}

func (f *fleet) carryOut(ctx context.Context, r *ManageRequest) (answer ManageAnswer, err error) {
	switch {
	case r.Plan:
		answer.Moves, err = f.plan(ctx, r)
	case r.Move != nil:
		err = f.member.Move(ctx, txn.Address{Space: r.Move.Space, Partition: r.Move.Partition}, r.Move.To)
	case r.Drain != nil:
		err = f.member.Drain(ctx, r.Drain.Node, r.Drain.duty())
	case r.Forget != nil:
		err = f.member.Forget(ctx, r.Forget.Node)
	case r.Fill != nil:
		err = f.beginFill(ctx, r.Fill)
	case r.Records != nil:
		err = f.fill(ctx, r.Records)
	case r.Seal != nil:
		answer.Parts, err = f.seal(r.Seal)
	case r.Filled != nil:
		err = f.endFill(ctx, r.Filled)
	case r.Filling != nil:
		answer.Stages, err = f.member.Filling(ctx, r.Filling.From, r.Filling.Spaces)
	case r.Open != nil:
		err = f.member.OpenSpaces(ctx, r.Open.From, r.Open.Spaces)
	case r.Finish != nil:
		err = f.member.FinishFilling(ctx, r.Finish.From)
	case r.Backup != nil:
		err = f.stepBackup(ctx, r.Backup)
	default:
		err = fmt.Errorf("%w: the node does not know this request; is it of an older version?", cluster.ErrMove)
	}
	return answer, err
}

// plan returns the moves that would follow a request.
func (f *fleet) plan(ctx context.Context, r *ManageRequest) (moves []MoveRequest, err error) {
	var c *cluster.Command
	switch {
	case r.Move != nil:
		c = &cluster.Command{Move: &cluster.Move{Name: r.Move.Space, Partition: int(r.Move.Partition), To: r.Move.To}}
	case r.Drain != nil:
		c = &cluster.Command{Drain: &cluster.Drained{Name: r.Drain.Node, Duty: r.Drain.duty()}}
	case r.Forget != nil:
		c = &cluster.Command{Forget: &cluster.NamedNode{Name: r.Forget.Node}}
	}
	planned, err := f.member.Plan(ctx, c)
	for _, m := range planned {
		moves = append(moves, MoveRequest{m.Name, uint16(m.Partition), m.To})
	}
	return moves, err
}
