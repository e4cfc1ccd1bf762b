package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// bytesValue is a number of bytes on the command line: 1048576, 1MiB or 1M.
type bytesValue int64

// units are the suffixes of a number of bytes. A suffix that ends with another one comes before it.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"K", 1 << 10},
	{"M", 1 << 20},
	{"G", 1 << 30},
	{"T", 1 << 40},
	{"B", 1},
}

// Set implements pflag.Value.
func (v *bytesValue) Set(text string) error {
	number, unit := text, 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0 && n*unit < math.MaxInt64) {
		return fmt.Errorf("%q is not a number of bytes, as 1048576, 512MiB or 4GB are", text)
	}
	*v = bytesValue(n * unit)
	return nil
}

// String implements pflag.Value.
func (v *bytesValue) String() string { return strconv.FormatInt(int64(*v), 10) }

// Type implements pflag.Value.
func (v *bytesValue) Type() string { return "bytes" }
