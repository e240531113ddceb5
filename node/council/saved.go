package council

import (
	"fmt"
	"iter"
	"time"

	"ios/chain"
	"ios/drp"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

// Kinds of records, besides RecordOutcomes. Those below are package byzcoin's.
const (
	// RecordBeacon is a record of the beacon's machine for an epoch.
	RecordBeacon uint8 = 17
	// RecordEndorsed is a seed for an epoch that we stand for.
	RecordEndorsed uint8 = 18
	// RecordBegan is when we take the current epoch to have begun, if that does not
	// follow from when its record became final.
	RecordBegan uint8 = 19
)

// beaconLog are the records for the coming epoch, besides those of the agreement.
type beaconLog struct {
	epoch    uint64
	records  []sm.Persist    // of the beacon's machine
	endorsed []chain.BodyRef // the last ones
}

// maxBeaconLog bounds the records of one epoch: one a view, and views get longer.
const maxBeaconLog = 1 << 16

// persistBeacon stores a record of the beacon.
func (c *Core) persistBeacon(p sm.Persist) {
	c.log.add(c.beacon.epoch, p)
	raw := append(be.AppendUint64(nil, c.beacon.epoch), p.Kind)
	c.emit(sm.Persist{Kind: RecordBeacon, Data: append(raw, p.Data...)})
}

func (c *Core) persistEndorsed(ref chain.BodyRef) {
	refs := []chain.BodyRef{ref}
	c.log.endorse(c.coming(), refs)
	c.emit(sm.Persist{Kind: RecordEndorsed, Data: chain.AppendRefs(be.AppendUint64(nil, c.coming()), refs)})
}

func (l *beaconLog) of(epoch uint64) {
	if epoch != l.epoch {
		*l = beaconLog{epoch: epoch}
	}
}

func (l *beaconLog) add(epoch uint64, p sm.Persist) {
	l.of(epoch)
	l.records = append(l.records, p)
}

func (l *beaconLog) endorse(epoch uint64, refs []chain.BodyRef) {
	l.of(epoch)
	l.endorsed = append(l.endorsed, refs...)
	l.endorsed = l.endorsed[max(0, len(l.endorsed)-maxEndorsed):]
}

// restored is the agreement's part of the records; the rest is read here.
func (c *Core) restored(records iter.Seq[sm.Persist]) iter.Seq[sm.Persist] {
	if records == nil {
		return nil
	}
	return func(yield func(sm.Persist) bool) {
		for p := range records {
			switch p.Kind {
			case RecordOutcomes:
				c.restoreFinal(p.Data)
			case RecordBeacon:
				if r := chain.NewReader(p.Data); len(p.Data) >= 9 {
					c.log.add(r.U64(), sm.Persist{Kind: r.U8(), Data: r.Rest()})
				}
			case RecordBegan:
				c.began = time.Unix(0, int64(chain.NewReader(p.Data).U64()))
			case RecordEndorsed:
				r := chain.NewReader(p.Data)
				if epoch, refs := r.U64(), r.Refs(); r.Close() == nil {
					c.log.endorse(epoch, refs)
				}
			default:
				if !yield(p) {
					return
				}
			}
		}
	}
}

// restoreFinal takes note of when a block became final, and that this is stored.
func (c *Core) restoreFinal(raw []byte) {
	r := chain.NewReader(raw)
	height, at := r.U64(), time.Unix(0, int64(r.U64()))
	for len(c.final) > 0 && c.final[0].report.Height <= height {
		if rep := c.final[0].report; rep.Height == height && rep.Epoch != nil {
			c.began = at
		}
		c.final = c.final[1:]
	}
}

// save encodes what the state of the registry does not have.
func (c *Core) save() []byte {
	var began int64
	if !c.began.IsZero() {
		began = c.began.UnixNano()
	}
	dst := be.AppendUint64(nil, uint64(began))
	if n := len(c.epochs); n > 0 {
		dst = be.AppendUint32(dst, 1)
		dst = chain.AppendBlob(dst, c.epochs[n-1].Record)
		dst = chain.AppendBlob(dst, c.epochs[n-1].Proof.AppendTo(nil))
	} else {
		dst = be.AppendUint32(dst, 0)
	}
	dst = chain.AppendBlob(dst, c.sign)
	dst = be.AppendUint64(dst, c.log.epoch)
	dst = be.AppendUint32(dst, uint32(len(c.log.records)))
	for _, p := range c.log.records {
		dst = chain.AppendBlob(append(dst, p.Kind), p.Data)
	}
	dst = chain.AppendRefs(dst, c.log.endorsed)
	return append(dst, c.bft.ExportState()...)
}

// load reads what save wrote, and returns the agreement's part.
func (c *Core) load(saved []byte) ([]byte, error) {
	if saved == nil {
		return nil, nil
	}
	r := chain.NewReader(saved)
	if began := int64(r.U64()); began != 0 {
		c.began = time.Unix(0, began)
	}
	for range r.Count(1, 8) {
		record, raw := r.Blob(identity.MaxEpochBytes), r.Blob(chain.MaxBodyBytes)
		if r.Err() != nil {
			break
		}
		e, err := identity.DecodeEpoch(record)
		if err != nil {
			return nil, err
		}
		proof, err := chain.DecodeOutcomeProof(raw)
		if err != nil {
			return nil, err
		}
		c.epochs = append(c.epochs, NewEpoch{Epoch: e, Record: record, Proof: proof})
	}
	if raw := r.Blob(drp.MaxSignOff); len(raw) > 0 {
		c.sign = raw
	}
	c.log.epoch = r.U64()
	for range r.Count(maxBeaconLog, 5) {
		c.log.records = append(c.log.records, sm.Persist{Kind: r.U8(), Data: r.Blob(drp.MaxChoice)})
	}
	c.log.endorsed = r.Refs()
	agreement := r.Rest()
	if err := r.Close(); err != nil {
		return nil, err
	}
	if n := len(c.epochs); n > 0 && c.epochs[n-1].Epoch.Hash() != c.state.Book().Current().Hash() {
		return nil, fmt.Errorf("it has the record of epoch %d, the registry is in epoch %d", c.epochs[n-1].Epoch.Number, c.state.Book().Current().Number)
	}
	return agreement, nil
}
