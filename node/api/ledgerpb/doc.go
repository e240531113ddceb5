// Package ledgerpb is the generated code of ledger.proto, the client API's
// contract. Package api has the types that Go code works with.
//
// To make it anew, with protoc and the two plugins in the PATH:
//
//	go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
//	go install connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1
//	go generate ./node/api/ledgerpb
package ledgerpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --connect-go_out=. --connect-go_opt=paths=source_relative,simple=true ledger.proto
