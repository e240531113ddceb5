package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"

	"ios/chain"
)

// Init makes a validator's home: new keys, the configuration, and the public
// file for the genesis. Address and api are what the genesis will tell others;
// empty means what the node listens on.
func Init(h Home, n *Node, address, api string) (*chain.Validator, error) {
	for _, file := range []string{h.ConfigFile(), h.KeysFile()} {
		switch _, err := os.Lstat(file); {
		case err == nil:
			return nil, fmt.Errorf("a validator lives in %s already: %s: %w; choose another directory", h, file, fs.ErrExist)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("making the home of a validator: %w", err)
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
	if err := checkReachable(address); err != nil {
		return nil, settingf("address", "%q: %v", address, err)
	}
	if err := checkURL(api); err != nil {
		return nil, settingf("api_url", "%q: %v", api, err)
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

// checkURL refuses a base URL by which clients cannot reach the validator.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("write it as http://host:port or https://host")
	}
	if u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		return checkReachable(net.JoinHostPort(u.Hostname(), "443"))
	}
	return checkReachable(u.Host)
}
