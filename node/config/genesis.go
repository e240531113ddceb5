package config

import (
	"errors"
	"fmt"
	"io/fs"

	"ios/chain"
	"ios/chain/cosi"
	"ios/transepoch/identity"
)

// LoadGenesis reads a genesis file and checks all of its rules.
func LoadGenesis(path string) (*chain.Genesis, error) {
	text, err := readFile(path, chain.MaxGenesisBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no genesis file: %w; get it from the operators of the network, or make a network with: ios genesis make", err)
	}
	if err != nil {
		return nil, err
	}
	g, err := chain.ParseGenesis(text)
	if err == nil {
		err = identity.CheckGenesis(g, cosi.BLS{})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// SaveValidator writes a validator's public file into its home.
func (h Home) SaveValidator(v *chain.Validator) error {
	text, err := v.TOML()
	if err != nil {
		return err
	}
	return WriteFile(h.ValidatorFile(), text, 0o644)
}

// LoadValidator reads a validator's public file.
func LoadValidator(path string) (*chain.Validator, error) {
	text, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading a validator's public file: %w", err)
	}
	v, err := chain.ParseValidator(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
