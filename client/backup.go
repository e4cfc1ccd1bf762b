package client

import (
	"context"
	"fmt"
	"io"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// Backup is a copy of all spaces of a server at one moment. The server keeps it until Close, or until the client is
// gone.
type Backup struct {
	client  *Client
	link    *link // whose session it belongs to
	limited bool  // its calls end without a connection
	id      uint64
	parts   []BackupPart
}

// BackupPart is one partition of a space in a backup.
type BackupPart struct {
	Space      string
	Partition  int    // from 0
	Partitions int    // of the space
	Position   uint64 // of the last change, in the log of the partition
}

// Backup makes the server take snapshots of all its spaces, of one moment: if a change to one space was made with
// knowledge of another, that knowledge is in the backup if the change is; a transaction over several spaces is in it as
// a whole or not at all. It blocks until the snapshots are on the server's disk; no other call waits for them. Close
// must follow. It returns space.ErrInvalidArgument if the server keeps no log, and space.ErrUnavailable while one of
// the spaces does not serve.
func (c *Client) Backup(ctx context.Context) (*Backup, error) {
	return (&Backup{client: c, link: c.Space.only.anyLink()}).make(ctx)
}

// Backup makes a node of a cluster take snapshots of the partitions that it leads, as they were at the step of the
// backup that was taken before (Manage). Close must follow.
func (n *NodeClient) Backup(ctx context.Context) (*Backup, error) {
	return (&Backup{client: n.client, link: n.link, limited: true}).make(ctx)
}

func (b *Backup) make(ctx context.Context) (*Backup, error) {
	call := b.call(wire.Backup)
	defer call.free()
	r, err := call.do(ctx)
	if err != nil {
		return nil, err
	}
	b.id = r.Report.ID
	for _, p := range r.Report.Parts {
		b.parts = append(b.parts, BackupPart{p.At.Space, int(p.At.Partition), p.Of, p.Position})
	}
	return b, nil
}

func (b *Backup) call(op wire.Type) *pendingCall {
	c := newCall(b.client.Space.only, op)
	c.link, c.limited, c.id = b.link, b.limited, b.id
	return c
}

// Parts returns the parts of the backup, by space and partition.
func (b *Backup) Parts() []BackupPart { return b.parts }

// Fetch copies the snapshot of a part to the Writer that to returns for its size in bytes. It blocks until everything
// is written, and returns the first error of to, the Writer, or the call; space.ErrUnavailable means that the backup is
// gone, because the server was restarted or has not heard from the client for too long.
func (b *Backup) Fetch(ctx context.Context, part BackupPart, to func(size int64) (io.Writer, error)) error {
	var w io.Writer
	for offset, size := uint64(0), uint64(1); offset < size; {
		piece, total, err := b.fetch(ctx, part, offset)
		if err != nil {
			return err
		}
		if w == nil {
			size = total
			if w, err = to(int64(size)); err != nil {
				return err
			}
		}
		if len(piece) == 0 || total != size {
			return fmt.Errorf("%w: snapshot of %d bytes ends at %d", wire.ErrMalformed, size, offset)
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		offset += uint64(len(piece))
	}
	return nil
}

// fetch returns the piece of a snapshot that begins at offset, and the size of the whole.
func (b *Backup) fetch(ctx context.Context, part BackupPart, offset uint64) (piece []byte, size uint64, err error) {
	c := b.call(wire.Fetch)
	defer c.free()
	c.seq, c.from = offset, txn.Address{Space: part.Space, Partition: uint16(part.Partition)}
	r, err := c.do(ctx)
	if err != nil {
		return nil, 0, err
	}
	c.body = nil // it belongs to the caller now
	return r.Report.Body, r.Report.Size, nil
}

// Close lets the server remove the backup. It blocks until that is done.
func (b *Backup) Close(ctx context.Context) error {
	c := b.call(wire.EndBackup)
	defer c.free()
	_, err := c.do(ctx)
	return err
}
