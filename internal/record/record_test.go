package record

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// samples have one record of each operation, and the function that appends it.
var samples = []struct {
	bytes []byte
	want  Record
}{
	{AppendKind(nil, 3, []byte("schema")), Record{Op: Kind, Kind: 3, Body: []byte("schema")}},
	{
		AppendPut(nil, 1<<40, 7, math.MaxInt64, []byte("row")),
		Record{Op: Put, ID: 1 << 40, Kind: 7, Expires: math.MaxInt64, Body: []byte("row")},
	},
	{AppendPut(nil, 1, 1, -5, nil), Record{Op: Put, ID: 1, Kind: 1, Expires: -5, Body: []byte{}}},
	{AppendRemove(nil, 9, 7, Expired), Record{Op: Remove, ID: 9, Kind: 7, Reason: Expired}},
	{AppendRenew(nil, 9, 7, 77), Record{Op: Renew, ID: 9, Kind: 7, Expires: 77}},
	{AppendRenew(nil, 10, 0, 77), Record{Op: Renew, ID: 10, Expires: 77}},
	{AppendRegister(nil, 10, 78, []byte("q")), Record{Op: Register, ID: 10, Expires: 78, Body: []byte("q")}},
	{AppendUnregister(nil, 10, Cancelled), Record{Op: Unregister, ID: 10, Reason: Cancelled}},
	{AppendNotify(nil, 10, 11), Record{Op: Notify, ID: 10, Entry: 11}},
	{AppendChange(nil, 12, 7, 5, []byte("row")), Record{Op: Change, ID: 12, Kind: 7, Expires: 5, Body: []byte("row")}},
	{
		AppendPutLater(nil, 13, 7, math.MaxInt64, 99, []byte("row")),
		Record{Op: PutLater, ID: 13, Kind: 7, Expires: math.MaxInt64, Visible: 99, Body: []byte("row")},
	},
	{AppendDefer(nil, 14, 7, 3, 100), Record{Op: Defer, ID: 14, Kind: 7, Tries: 3, Visible: 100}},
	{AppendReveal(nil, 15, 7), Record{Op: Reveal, ID: 15, Kind: 7}},
	{AppendID(nil, Reserve, 16), Record{Op: Reserve, ID: 16}},
	{AppendID(nil, TxnPage, 16), Record{Op: TxnPage, ID: 16}},
	{AppendLost(nil), Record{Op: Lost}},
	{AppendNoop(nil), Record{Op: Noop}},
	{AppendAudit(nil), Record{Op: Audit}},
	{AppendChecksum(nil, 1<<16, math.MaxUint64), Record{Op: Checksum, Number: 1 << 16, Count: math.MaxUint64}},
	{AppendID(nil, Origin, 1<<40), Record{Op: Origin, ID: 1 << 40}},
	{AppendWatch(nil, 17, 0b1010, 5, []byte("q")), Record{Op: Watch, ID: 17, On: 0b1010, Expires: 5, Body: []byte("q")}},
	{AppendGap(nil, 17, 1), Record{Op: Gap, ID: 17, Type: 1}},
	{
		AppendTell(nil, 17, 3, 18, 7, 2, 1, []byte("row")),
		Record{Op: Tell, ID: 17, Type: 3, Entry: 18, Kind: 7, Version: 2, Tries: 1, Body: []byte("row")},
	},
	{AppendPrepare(nil, 19, []byte("home/1")), Record{Op: Prepare, ID: 19, Body: []byte("home/1")}},
	{AppendStageTake(nil, 19, 20, 0), Record{Op: StageTake, ID: 19, Entry: 20}},
	{
		AppendHold(nil,
			&Held{
				Txn: 29, Entry: 30, Kind: 7, Session: 24, Call: 7, Since: 5, Until: 6, Visible: 8, Volatile: true,
				Holder: "host",
			}),
		Record{
			Op: Hold, ID: 29, Entry: 30, Kind: 7, Session: 24, Number: 7, Time: 5, Expires: 6, Visible: 8, Volatile: true,
			Body: []byte("host"),
		},
	},
	{
		AppendHold(nil, &Held{Txn: 29, Entry: 30, Until: math.MaxInt64}),
		Record{Op: Hold, ID: 29, Entry: 30, Expires: math.MaxInt64, Body: []byte{}},
	},
	{AppendID(nil, Volatile, 29), Record{Op: Volatile, ID: 29}},
	{AppendRelease(nil, 30, 7, Gone, 9, 2), Record{Op: Release, ID: 30, Kind: 7, Reason: Gone, Time: 9, Tries: 2}},
	{AppendDeath(nil, 30, 9, "host"), Record{Op: Death, ID: 30, Time: 9, Body: []byte("host")}},
	{
		AppendStage(nil, 19, 21, 7, 5, 6, []byte("row")),
		Record{Op: Stage, ID: 19, Entry: 21, Kind: 7, Expires: 5, Visible: 6, Body: []byte("row")},
	},
	{AppendStageChange(nil, 19, 22, []byte("row")), Record{Op: StageChange, ID: 19, Entry: 22, Body: []byte("row")}},
	{AppendID(nil, Settle, 19), Record{Op: Settle, ID: 19}},
	{AppendDecide(nil, 23, []byte("a")), Record{Op: Decide, ID: 23, Body: []byte("a")}},
	{AppendID(nil, Forget, 23), Record{Op: Forget, ID: 23}},
	{AppendID(nil, Committed, 23), Record{Op: Committed, ID: 23}},
	{AppendFates(nil, 23, []byte("bits")), Record{Op: Fates, Number: 23, Body: []byte("bits")}},
	{AppendCounters(nil, []byte("n")), Record{Op: Counters, Body: []byte("n")}},
	{
		AppendEntry(nil, 24, 7, 5, 6, 99, 2, 3, []byte("row")),
		Record{Op: Entry, ID: 24, Kind: 7, Expires: 5, Visible: 6, Number: 99, Version: 2, Tries: 3, Body: []byte("row")},
	},
	{
		AppendListener(nil, 25, 2, 8, 5, []byte("q")),
		Record{Op: Listener, ID: 25, On: 2, Count: 8, Expires: 5, Body: []byte("q")},
	},
	{AppendOutcome(nil, 26, 1, 9, []byte("o")), Record{Op: Outcome, ID: 26, Type: 1, Number: 9, Body: []byte("o")}},
	{AppendEnded(nil, 27), Record{Op: Ended, Count: 27}},
	{AppendUnread(nil, 28, 29, 30), Record{Op: Unread, ID: 28, Number: 29, Count: 30}},
	{AppendSession(nil, 24, []byte("client")), Record{Op: Session, ID: 24, Body: []byte("client")}},
	{AppendEndSession(nil, 24, Expired), Record{Op: EndSession, ID: 24, Reason: Expired}},
	{
		AppendWrote(nil, 24, 300, 25, 2, []byte("leases")),
		Record{Op: Wrote, ID: 24, Number: 300, Entry: 25, Count: 2, Body: []byte("leases")},
	},
	{AppendWrote(nil, 24, 300, 25, 1, nil), Record{Op: Wrote, ID: 24, Number: 300, Entry: 25, Count: 1, Body: []byte{}}},
	{AppendTake(nil, Take, 24, 301, 26, 7), Record{Op: Take, ID: 24, Number: 301, Entry: 26, Kind: 7}},
	{AppendTake(nil, TakeMore, 24, 301, 27, 7), Record{Op: TakeMore, ID: 24, Number: 301, Entry: 27, Kind: 7}},
	{AppendDone(nil, 24, 302, []byte("outcome")), Record{Op: Done, ID: 24, Number: 302, Body: []byte("outcome")}},
	{AppendReceived(nil, 24, 1000), Record{Op: Received, ID: 24, Count: 1000}},
	{AppendTogether(nil, 300), Record{Op: Together, Count: 300}},
}

func TestNext_ReadsWhatWasAppended(t *testing.T) {
	t.Parallel()
	var all []byte
	for _, s := range samples {
		all = append(all, s.bytes...)
	}
	var r Record
	for _, s := range samples {
		var err error
		all, err = Next(all, &r)
		require.NoError(t, err)
		require.Equal(t, s.want, r)
	}
	require.Empty(t, all)
}

func TestNext_RefusesWhatIsCutOff(t *testing.T) {
	t.Parallel()
	var r Record
	for _, s := range samples {
		for n := range len(s.bytes) {
			_, err := Next(s.bytes[:n], &r)
			require.ErrorIs(t, err, ErrCorrupt, "%v, %d bytes of it", s.want, n)
		}
	}
	_, err := Next([]byte{0xff, 1, 2, 3}, &r)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = Next(AppendPut(nil, 1, math.MaxUint32, 0, nil)[:3], &r)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestSplit_ReadsHeaders(t *testing.T) {
	t.Parallel()
	want := Header{Type: Commit, Epoch: 42, Clock: Clock{Space: 17, Wall: -18}}
	msg := append(AppendHeader(nil, want), "records"...)
	require.Equal(t, HeaderSize, len(msg)-len("records"))
	h, rest, err := Split(msg)
	require.NoError(t, err)
	require.Equal(t, want, h)
	require.Equal(t, want.Clock, ClockOf(msg))
	SetClock(msg, Clock{Space: 1})
	require.Equal(t, Clock{Space: 1}, ClockOf(msg))
	require.Equal(t, "records", string(rest))

	_, _, err = Split(msg[:HeaderSize-1])
	require.ErrorIs(t, err, ErrCorrupt)
	msg[0] = version + 1
	_, _, err = Split(msg)
	require.ErrorContains(t, err, "version 2")
	msg[0], msg[1] = version, 99
	_, _, err = Split(msg)
	require.ErrorIs(t, err, ErrCorrupt)
}

// Decoding arbitrary bytes terminates, and its results lie within them.
func FuzzNext(f *testing.F) {
	for _, s := range samples {
		f.Add(s.bytes)
	}
	f.Add([]byte{byte(Put), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 0, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		for len(b) > 0 {
			rest, err := Next(b, &r)
			if err != nil {
				require.ErrorIs(t, err, ErrCorrupt)
				return
			}
			require.Less(t, len(rest), len(b))
			require.LessOrEqual(t, len(r.Body), len(b))
			b = rest
		}
	})
}
