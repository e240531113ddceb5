package drp

import "errors"

var errProof = errors.New("its proof is wrong")
