// Package ledger is the truth that survives every crash: Postgres, through SQL in queries/ and ledger/migrations, generated code in
// ledger/db, and one function, ledger.flush, by which all stock is written.
//
// What it promises:
//   - A Flush is one call, one transaction. A partition's work is applied only under its epoch, session and next sequence number; else it is
//     fenced and nothing of it is written, now or later.
//   - The same Flush may be sent again for ever: what was applied answers with its recorded outcomes.
//   - Claim and Load are two statements with two snapshots, so that a successor sees everything its predecessor committed.
//   - The row of a hold over several segments is changed by compare-and-set alone (the Wide calls); its seats by Flushes that compare the row.
//   - A room's batches are appended one by one (RoomLane) under its partition's epoch and session, and under the number of its opening: the same batch
//     may be sent again, another one is refused.
//   - seat_movements, flush_batches, order_events, payment_events, transfers, room_lobby and room_log are append-only; each partition's batches form a hash chain.
//
// It may import only its own db and pgdev. It reads no clock for decisions: times come from the caller, except where the database's own clock
// is the point (sessions, expiry).
package ledger
