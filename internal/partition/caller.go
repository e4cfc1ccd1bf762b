package partition

import "github.com/gospaces/gospaces/internal/call"

// What a partition shares with its callers is in package call.
type (
	LSN          = call.LSN
	Caller       = call.Caller
	Ender        = call.Ender
	Displacer    = call.Displacer
	Holder       = call.Holder
	Event        = call.Event
	Registration = call.Registration
)
