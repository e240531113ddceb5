// Package identity is what the identity chain is about.
package identity
