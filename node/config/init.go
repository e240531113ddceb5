package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ios/chain"
)

// Init makes a validator's home: new keys, the configuration, and the public
// file for the genesis. Address and api are what the genesis will tell others;
// empty means what the node listens on.
func Init(h Home, n *Node, address, api string) (*chain.Validator, error) {
	for _, file := range []string{h.ConfigFile(), h.KeysFile()} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("a validator lives in %s already: %s: %w; choose another directory", h, file, fs.ErrExist)
		}
	}
	if address == "" {
		address = n.Listen
	}
	if api == "" {
		api = "http://" + n.API
	}
	if err := n.Check(); err != nil {
		return nil, err
	}
	keys, err := NewKeys()
	if err != nil {
		return nil, err
	}
	v, err := keys.Validator(n.Name, address, api)
	if err != nil {
		return nil, err
	}
	if err := h.SaveKeys(keys); err != nil {
		return nil, err
	}
	if err := h.SaveValidator(v); err != nil {
		return nil, err
	}
	return v, h.Save(n)
}
