package main

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// jobSize is the size in bytes of the job that each peer carries.
const jobSize = 100

// job is what a peer carries: two numbers, and zeros up to jobSize. All jobs of a trial have different ids.
type job struct{ id, key int64 }

func (j job) encode() []byte {
	b := make([]byte, jobSize)
	binary.BigEndian.PutUint64(b, uint64(j.id))
	binary.BigEndian.PutUint64(b[8:], uint64(j.key))
	return b
}

func decode(b []byte) (job, error) {
	if len(b) != jobSize {
		return job{}, fmt.Errorf("a job came back with %d bytes", len(b))
	}
	return job{id: int64(binary.BigEndian.Uint64(b)), key: int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// tally is a count of jobs and the sum of their ids. It may be used concurrently.
type tally struct{ jobs, sum atomic.Int64 }

func (t *tally) add(js ...job) (jobs int64) {
	var sum int64
	for _, j := range js {
		sum += j.id
	}
	t.sum.Add(sum)
	return t.jobs.Add(int64(len(js)))
}
