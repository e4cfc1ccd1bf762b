package record

import "encoding/binary"

// AppendKind appends a Kind record.
func AppendKind(dst []byte, kind uint32, schema []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(Kind)), uint64(kind)), schema)
}

// AppendIndex appends an Index record, or a DropIndex record; the engine defines the encoding of shape.
func AppendIndex(dst []byte, op Op, kind uint32, shape []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(op)), uint64(kind)), shape)
}

// AppendDrop appends a Drop record.
func AppendDrop(dst []byte, kind uint32) []byte {
	return binary.AppendUvarint(append(dst, byte(Drop)), uint64(kind))
}

// AppendPut appends a Put record.
func AppendPut(dst []byte, id uint64, kind uint32, expires int64, row []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(Put)), id)
	dst = binary.AppendUvarint(dst, uint64(kind))
	return appendBody(appendExpires(dst, expires), row)
}

// AppendRemove appends a Remove record.
func AppendRemove(dst []byte, id uint64, kind uint32, why Reason) []byte {
	return append(appendEntry(dst, Remove, id, kind), byte(why))
}

// AppendRenew appends a Renew record; kind is 0 for a registration.
func AppendRenew(dst []byte, id uint64, kind uint32, expires int64) []byte {
	return appendExpires(appendEntry(dst, Renew, id, kind), expires)
}

// AppendRegister appends a Register record.
func AppendRegister(dst []byte, id uint64, expires int64, query []byte) []byte {
	return appendBody(appendExpires(binary.AppendUvarint(append(dst, byte(Register)), id), expires), query)
}

// AppendUnregister appends an Unregister record.
func AppendUnregister(dst []byte, id uint64, why Reason) []byte {
	return append(binary.AppendUvarint(append(dst, byte(Unregister)), id), byte(why))
}

// AppendNotify appends a Notify record.
func AppendNotify(dst []byte, id, entry uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Notify)), id), entry)
}

// AppendChange appends a Change record.
func AppendChange(dst []byte, id uint64, kind uint32, expires int64, row []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(Change)), id)
	dst = binary.AppendUvarint(dst, uint64(kind))
	return appendBody(appendExpires(dst, expires), row)
}

// AppendPutLater appends a PutLater record.
func AppendPutLater(dst []byte, id uint64, kind uint32, expires, visible int64, row []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(PutLater)), id)
	dst = binary.AppendUvarint(dst, uint64(kind))
	return appendBody(binary.AppendUvarint(appendExpires(dst, expires), uint64(visible)), row)
}

// AppendDefer appends a Defer record; attempts includes the one that has just ended.
func AppendDefer(dst []byte, id uint64, kind, attempts uint32, visible int64) []byte {
	dst = binary.AppendUvarint(appendEntry(dst, Defer, id, kind), uint64(attempts))
	return binary.AppendUvarint(dst, uint64(visible))
}

// AppendReveal appends a Reveal record.
func AppendReveal(dst []byte, id uint64, kind uint32) []byte {
	return appendEntry(dst, Reveal, id, kind)
}

// AppendID appends a record that has only an ID: Reserve, Settle, Forget, Committed, Volatile, Origin, TxnPage.
func AppendID(dst []byte, op Op, id uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(op)), id)
}

// AppendWatch appends a Watch record.
func AppendWatch(dst []byte, id, on uint64, expires int64, query []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Watch)), id), on)
	return appendBody(appendExpires(dst, expires), query)
}

// AppendTell appends a Tell record.
func AppendTell(dst []byte, id uint64, typ byte, entry uint64, kind, version, attempts uint32, row []byte) []byte {
	dst = append(binary.AppendUvarint(append(dst, byte(Tell)), id), typ)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, entry), uint64(kind))
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(version)), uint64(attempts))
	return appendBody(dst, row)
}

// AppendGap appends a Gap record.
func AppendGap(dst []byte, id uint64, cause byte) []byte {
	return append(binary.AppendUvarint(append(dst, byte(Gap)), id), cause)
}

// AppendPrepare appends a Prepare record; name is the transaction's name in other partitions.
func AppendPrepare(dst []byte, id uint64, name []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(Prepare)), id), name)
}

// AppendStageTake appends a StageTake record.
func AppendStageTake(dst []byte, id, entry uint64, visible int64) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(StageTake)), id), entry)
	return binary.AppendUvarint(dst, uint64(visible))
}

// AppendStage appends a Stage record.
func AppendStage(dst []byte, id, entry uint64, kind uint32, expires, visible int64, row []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Stage)), id), entry)
	dst = appendExpires(binary.AppendUvarint(dst, uint64(kind)), expires)
	return appendBody(binary.AppendUvarint(dst, uint64(visible)), row)
}

// AppendStageChange appends a StageChange record.
func AppendStageChange(dst []byte, id, entry uint64, row []byte) []byte {
	return appendBody(binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(StageChange)), id), entry), row)
}

// AppendDecide appends a Decide record; the engine defines the encoding of participants.
func AppendDecide(dst []byte, id uint64, participants []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(Decide)), id), participants)
}

// AppendSession appends a Session record; client identifies the client.
func AppendSession(dst []byte, id uint64, client []byte) []byte {
	return appendBody(binary.AppendUvarint(append(dst, byte(Session)), id), client)
}

// AppendEndSession appends an EndSession record.
func AppendEndSession(dst []byte, id uint64, why Reason) []byte {
	return append(binary.AppendUvarint(append(dst, byte(EndSession)), id), byte(why))
}

// AppendWrote appends a Wrote record.
func AppendWrote(dst []byte, id, number, first, count uint64, leases []byte) []byte {
	dst = appendCall(dst, Wrote, id, number)
	return appendBody(binary.AppendUvarint(binary.AppendUvarint(dst, first), count), leases)
}

// AppendTake appends a Take or TakeMore record.
func AppendTake(dst []byte, op Op, id, number, entry uint64, kind uint32) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(appendCall(dst, op, id, number), entry), uint64(kind))
}

// AppendDone appends a Done record.
func AppendDone(dst []byte, id, number uint64, outcome []byte) []byte {
	return appendBody(appendCall(dst, Done, id, number), outcome)
}

// AppendReceived appends a Received record.
func AppendReceived(dst []byte, id, count uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Received)), id), count)
}

// appendEntry appends the beginning of each record about an existing entry.
func appendEntry(dst []byte, op Op, id uint64, kind uint32) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(op)), id), uint64(kind))
}

// appendCall appends what begins each record about a call.
func appendCall(dst []byte, op Op, id, number uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(op)), id), number)
}

// AppendNoop appends a Noop record.
func AppendNoop(dst []byte) []byte { return append(dst, byte(Noop)) }

// AppendAudit appends an Audit record.
func AppendAudit(dst []byte) []byte { return append(dst, byte(Audit)) }

// AppendChecksum appends a Checksum record.
func AppendChecksum(dst []byte, position, sum uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, byte(Checksum)), position), sum)
}

// AppendLost appends a Lost record.
func AppendLost(dst []byte) []byte { return append(dst, byte(Lost)) }
