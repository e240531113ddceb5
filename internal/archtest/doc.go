// Package archtest holds the direction of dependence between the packages, and
// the purity of the protocol packages, by a test over the sources.
package archtest
