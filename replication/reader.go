package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// readMessages and readBytes bound what the server sends ahead of a reader. A single message must fit into
	// readBytes, or it would never come.
	readMessages = 2048
	readBytes    = 2 * MaxMessage

	// consumerIdle is when the server forgets a reader that has vanished without a word.
	consumerIdle = 5 * time.Minute

	// endless is the position after which a reader of a growing log stops.
	endless = ^uint64(0)
)

// errInterrupted is returned by read when the server stopped sending; it can be asked again.
var errInterrupted = errors.New("reading interrupted")

// read calls fn for each message from position from to position to, in order and without a gap; it waits for those that
// are not there yet. It outlives a restart of the server. The message is valid only during fn.
func (l *Log) read(ctx context.Context, from, to uint64, fn func(message) error) error {
	for from <= to {
		begin := from
		e, err := l.store.server()
		if err != nil {
			return err
		}
		err = l.readFrom(ctx, e, from, to, func(m message) error {
			from = m.pos + 1
			return fn(m)
		})
		if !errors.Is(err, errInterrupted) {
			return err
		}
		if from > begin { // it works in principle
			continue
		}
		if now, nowErr := l.store.server(); nowErr == nil && now == e {
			return fmt.Errorf("%w: read position %d: %w", ErrFailed, from, err)
		}
	}
	return nil
}

// readFrom is read on one server, until it is interrupted.
func (l *Log) readFrom(ctx context.Context, e *embedded, from, to uint64, fn func(message) error) error {
	it, stop, err := l.consume(ctx, e, from)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer stop()
	for pos := from; pos <= to; pos++ {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return interrupted(ctx, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return interrupted(ctx, err)
		}
		if found := meta.Sequence.Stream; found != pos {
			if followed, ok := claimFollows(msg.Data()); !ok || followed != pos-1 {
				return fmt.Errorf("%w: position %d is missing", ErrDamaged, pos)
			}
			l.lost(pos, found)
			pos = found
		}
		if err := fn(message{pos: pos, time: meta.Timestamp.UnixNano(), data: msg.Data()}); err != nil {
			return err
		}
	}
	return nil
}

// consume makes a consumer of the stream; stop deletes it.
func (l *Log) consume(ctx context.Context, e *embedded, from uint64) (it jetstream.MessagesContext, stop func(), err error) {
	stream := l.id.stream()
	c, err := e.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       from,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: consumerIdle,
	})
	if err != nil {
		return nil, nil, err
	}
	it, err = c.Messages(jetstream.PullMaxMessagesWithBytesLimit(readMessages, readBytes), jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return nil, nil, err
	}
	return it, func() {
		it.Stop()
		if l.store.life.Err() != nil {
			return // the server is about to stop, and would perhaps not answer
		}
		// If this fails the server is gone, and the consumer with it.
		_ = e.js.DeleteConsumer(context.WithoutCancel(ctx), stream, c.CachedInfo().Name)
	}, nil
}

// interrupted tells the end of the context from any other reason why nothing more comes.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", errInterrupted, err)
}
