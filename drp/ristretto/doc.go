// Package ristretto is the group ristretto255 (RFC 9496) behind the interfaces of
// kyber, so that protocols and simulations that are written for kyber.Group can
// run over it. The order is prime, so there is no small subgroup; encodings are
// canonical, and decoding accepts no other.
//
// Package pvss uses the same arithmetic directly, since sums of many products
// cannot be expressed by the interface. Its tests compare the two.
//
// As kyber has it, methods set and return their receiver, and operands from another
// group cause a panic.
package ristretto
