package wire

import (
	"encoding/binary"

	"github.com/gospaces/gospaces/internal/call"
)

// answer appends the frames that answer a call with its result.
type answer func(dst []byte, callID uint64, r *call.Result) []byte

// whole returns the answer whose only frame has the body that f appends.
func whole(f func(dst []byte, r *call.Result) []byte) answer {
	return func(dst []byte, callID uint64, r *call.Result) []byte {
		start := len(dst)
		return End(f(Begin(dst, Answer, callID), r), start)
	}
}

func appendGrants(dst []byte, r *call.Result) []byte {
	for i := range r.Grants {
		dst = AppendGrant(dst, r.Grants[i])
	}
	return dst
}

func appendLeases(dst []byte, r *call.Result) []byte {
	return appendGrants(AppendFailed(dst, r.Errs), r)
}

func appendNoted(dst []byte, r *call.Result) []byte { return appendSeq(appendGrants(dst, r), r) }

func appendSeq(dst []byte, r *call.Result) []byte { return binary.AppendUvarint(dst, r.Seq) }

func appendCount(dst []byte, r *call.Result) []byte {
	return binary.AppendUvarint(dst, uint64(r.Count))
}

func appendVersion(dst []byte, r *call.Result) []byte {
	return binary.AppendUvarint(dst, uint64(r.Version))
}

func appendKinds(dst []byte, r *call.Result) []byte {
	for i, n := range r.Counts {
		dst = AppendKindCounts(dst, n, r.Apart[i])
	}
	return dst
}

func appendFound(dst []byte, callID uint64, r *call.Result) []byte {
	return AppendEntries(dst, callID, nil, r.Entries)
}
