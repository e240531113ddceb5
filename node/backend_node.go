package node

import (
	"context"

	"ios/chain"
	"ios/node/api"
)

func (n *Node) Submit(ctx context.Context, raw []byte) (api.SubmitResult, error) {
	return n.newest().Submit(ctx, raw)
}
func (n *Node) Carry(ctx context.Context, raw []byte) error { return n.newest().Carry(ctx, raw) }
func (n *Node) Coins(ctx context.Context, owner chain.Address, after *chain.OutPoint, max int) (page api.CoinsPage, err error) {
	return n.newest().Coins(ctx, owner, after, max)
}
func (n *Node) Outcome(ctx context.Context, id chain.TxID, proof bool) (out api.Outcome, err error) {
	return n.newest().Outcome(ctx, id, proof)
}
func (n *Node) Bundle(ctx context.Context, id chain.TxID, dest chain.ShardID) ([]byte, error) {
	return n.newest().Bundle(ctx, id, dest)
}
func (n *Node) Tx(ctx context.Context, id chain.TxID) ([]byte, error) { return n.newest().Tx(ctx, id) }
func (n *Node) Block(ctx context.Context, h uint64) ([]byte, error)   { return n.newest().Block(ctx, h) }
func (n *Node) BlockEvent(ctx context.Context, h uint64) (*api.BlockEvent, error) {
	return n.newest().BlockEvent(ctx, h)
}
func (n *Node) Status(ctx context.Context) (*api.Status, error) { return n.newest().Status(ctx) }
func (n *Node) Ready() []string {
	if r := n.newest().ready(); r != "" {
		return []string{r}
	}
	return nil
}
