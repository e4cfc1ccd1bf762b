package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/client"
)

// status is the part of `gospaces status` that this program reads.
type status struct {
	Spaces []spaceStatus
}

type spaceStatus struct {
	Name string
	Log  struct {
		Last     uint64
		Messages uint64
	}
	Mirror *struct {
		Position  uint64
		Coalesced uint64
		Rows      uint64 `json:"rows_written"`
		LastError string `json:"last_error"`
	}
}

// mirrored returns nil once the database has all that was in the log when it was called.
func mirrored(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for target := uint64(0); ; {
		sp, err := fetchStatus(ctx, c)
		switch {
		case errors.Is(err, errNoMirror): // another node has just begun to serve the space
		case err != nil:
			return err
		case target == 0:
			target = sp.Log.Last
		case sp.Mirror.Position >= target:
			fmt.Printf("%d log messages; %d rows written, %d records came and went without touching the database\n",
				sp.Log.Messages, sp.Mirror.Rows, sp.Mirror.Coalesced)
			return nil
		case sp.Mirror.LastError != "":
			err = errors.New(sp.Mirror.LastError)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the mirror: %w", errors.Join(context.Cause(ctx), err))
		}
	}
}

// errNoMirror is returned while the server does not mirror the space.
var errNoMirror = errors.New("the server does not mirror the space")

// fetchStatus returns the status of the default space from the server that has it.
func fetchStatus(ctx context.Context, c *client.Client) (*spaceStatus, error) {
	text, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	var s status
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("status of the server: %w", err)
	}
	for i := range s.Spaces {
		if sp := &s.Spaces[i]; sp.Name == "default" && sp.Mirror != nil {
			return sp, nil
		}
	}
	return nil, errNoMirror
}
