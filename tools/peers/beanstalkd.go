package main

import (
	"context"
	"errors"
	"time"

	"github.com/beanstalkd/go-beanstalk"
)

// retry is after how many seconds, at the latest, beanstalkd gives a job to another worker.
const retry = time.Minute

// beanstalkd has one connection for those who put, and one for each worker: a reserve that waits keeps it busy.
type beanstalkd struct {
	addr   string
	putter *beanstalk.Conn
}

func startBeanstalkd(ctx context.Context, s *server) (queue, error) {
	err := s.run(ctx, "-l", "127.0.0.1", "-p", s.port, "-b", s.dir, "-f", s.either("0", "1000"))
	if err != nil {
		return nil, err
	}
	putter, err := beanstalk.Dial("tcp", s.addr)
	return &beanstalkd{s.addr, putter}, err
}

func (b *beanstalkd) close() { b.putter.Close() }

func (b *beanstalkd) put(_ context.Context, jobs ...job) error {
	for _, j := range jobs {
		if _, err := b.putter.Put(j.encode(), 0, 0, retry); err != nil {
			return err
		}
	}
	return nil
}

func (b *beanstalkd) ways() []way { return []way{{"reserve, delete", atLeastOnce, false, b.work}} }

func (b *beanstalkd) work(ctx context.Context, workers, _ int, done func(job)) error {
	return each(ctx, workers, func(ctx context.Context) error {
		c, err := beanstalk.Dial("tcp", b.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		for {
			id, body, err := c.Reserve(retry)
			if errors.Is(err, beanstalk.ErrTimeout) {
				continue
			}
			if err == nil {
				err = c.Delete(id)
			}
			if err != nil {
				return err
			}
			j, err := decode(body)
			if err != nil {
				return err
			}
			done(j)
		}
	})
}
