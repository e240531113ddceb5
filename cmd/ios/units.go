package main

import (
	"errors"
	"strconv"

	"github.com/spf13/pflag"
)

// units is an amount as a flag. Only decimal digits are taken: nobody is to send 8
// base units by writing 010, or 16 by 0x10.
type units struct{ at *uint64 }

func unitsVar(f *pflag.FlagSet, at *uint64, name, usage string) { f.Var(units{at}, name, usage) }

// String is the amount.
func (u units) String() string {
	if u.at == nil { // pflag asks what zero is
		return "0"
	}
	return strconv.FormatUint(*u.at, 10)
}

// Type is what the help shows as the value.
func (u units) Type() string { return "units" }

// Set takes an amount.
func (u units) Set(text string) (err error) {
	if *u.at, err = strconv.ParseUint(text, 10, 64); err != nil {
		return errors.New("a whole number of base units is wanted, digits only, at most 18446744073709551615")
	}
	return nil
}
