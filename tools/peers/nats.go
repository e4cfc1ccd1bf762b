package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetStream is a work queue in a stream of NATS, with a connection for those who put and one for those who take.
type jetStream struct {
	putter, taker *nats.Conn
	js            jetstream.JetStream // over putter
	consumer      jetstream.Consumer  // over taker
}

func startNATS(ctx context.Context, s *server) (queue, error) {
	config := filepath.Join(s.dir, "nats.conf")
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q, sync_interval: %s }\n", s.addr, s.dir,
		s.either("always", "2m"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := s.run(ctx, "-c", config); err != nil {
		return nil, err
	}
	return dialNATS(ctx, "nats://"+s.addr)
}

func dialNATS(ctx context.Context, url string) (q *jetStream, err error) {
	q = new(jetStream)
	if q.putter, err = nats.Connect(url); err != nil {
		return nil, err
	}
	if q.taker, err = nats.Connect(url); err != nil {
		return nil, err
	}
	if q.js, err = jetstream.New(q.putter, jetstream.WithPublishAsyncMaxPending(100_000)); err != nil {
		return nil, err
	}
	taking, err := jetstream.New(q.taker)
	if err != nil {
		return nil, err
	}
	stream, err := taking.CreateStream(ctx, jetstream.StreamConfig{
		Name: "JOBS", Subjects: []string{"jobs"}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, err
	}
	q.consumer, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: -1, MaxWaiting: 10_000,
	})
	return q, err
}

func (q *jetStream) close() { q.putter.Close(); q.taker.Close() }

func (q *jetStream) put(ctx context.Context, jobs ...job) error {
	if len(jobs) == 1 {
		_, err := q.js.Publish(ctx, "jobs", jobs[0].encode())
		return err
	}
	acks := make([]jetstream.PubAckFuture, len(jobs))
	for i, j := range jobs {
		var err error
		if acks[i], err = q.js.PublishAsync("jobs", j.encode()); err != nil {
			return err
		}
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return err
		}
	}
	return nil
}

func (q *jetStream) ways() []way { return []way{{"pull, ack", atLeastOnce, true, q.work}} }

// work acknowledges jobs as most users do, without waiting for the server.
func (q *jetStream) work(ctx context.Context, workers, batch int, done func(job)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		messages, err := q.consumer.Messages(jetstream.PullMaxMessages(max(batch, ahead)))
		if err != nil {
			return err
		}
		defer context.AfterFunc(ctx, messages.Stop)()
		for {
			m, err := messages.Next()
			if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
				return nil
			}
			if err == nil {
				err = m.Ack()
			}
			if err != nil {
				return err
			}
			j, err := decode(m.Data())
			if err != nil {
				return err
			}
			done(j)
		}
	})
}

// ahead is the number of jobs that the client holds for a worker.
const ahead = 16
