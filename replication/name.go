package replication

import (
	"fmt"
	"strconv"
	"strings"
)

// maxName is the maximum length of a space's name.
const maxName = 64

// ValidName returns nil if name can be the name of a space: 1 to 64 letters, digits, hyphens and underscores, all of
// them ASCII. Otherwise it returns ErrInvalidName. Names become parts of stream, subject and file names as they are.
func ValidName(name string) error {
	if len(name) == 0 || len(name) > maxName {
		return fmt.Errorf("%w: space %.80q: must have 1 to %d characters", ErrInvalidName, name, maxName)
	}
	for _, c := range []byte(name) {
		if !nameChar(c) {
			return fmt.Errorf("%w: space %q: only letters, digits, '-' and '_' are allowed", ErrInvalidName, name)
		}
	}
	return nil
}

func nameChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// logID names one log.
type logID struct {
	space     string
	partition int
}

func (id logID) valid() error {
	if err := ValidName(id.space); err != nil {
		return err
	}
	if id.partition < 0 {
		return fmt.Errorf("%w: partition %d", ErrInvalidName, id.partition)
	}
	return nil
}

func (id logID) String() string { return id.space + "/" + strconv.Itoa(id.partition) }

// stream and subject are unique: the number of a partition holds no hyphen, so the last hyphen separates it.
func (id logID) stream() string  { return "log-" + id.space + "-" + strconv.Itoa(id.partition) }
func (id logID) subject() string { return "gs.log." + id.space + "." + strconv.Itoa(id.partition) }

// tail is the subject under which the server publishes each message again once it is stored.
func (id logID) tail() string { return "gs.tail." + id.space + "." + strconv.Itoa(id.partition) }

// streamID is the inverse of stream; false for one that is no log's.
func streamID(stream string) (id logID, ok bool) {
	name, ok := strings.CutPrefix(stream, "log-")
	at := strings.LastIndexByte(name, '-')
	if !ok || at < 0 {
		return logID{}, false
	}
	partition, err := strconv.Atoi(name[at+1:])
	id = logID{name[:at], partition}
	return id, err == nil && id.valid() == nil
}
