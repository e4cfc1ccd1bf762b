package crash

// job is the entry that workers turn into a done. The database archives it.
type job struct {
	N   int
	Pad string
}

// done records that a job was done. It is in the space of the job, or in the other one.
type done struct{ N int }

// An item is in the space that its key determines, a job in the first.
var spaceNames = [2]string{"default", "other"}

func spaceOf(key int) int { return key % len(spaceNames) }

// The callers of a lane share its keys, and no other client uses them: each lane has its own history, short enough to
// be judged.
const (
	lanes       = 12
	keysPerLane = 4
	colors      = 3
)

func laneOf(key int) int { return (key - 1) / keysPerLane }
