// Package gate checks tickets at a door, without a network: by the public keys, a list of what was revoked, and a log of what was scanned.
//
// A Bundle is what a gate takes along: fetched before the doors open, and again when there is a network. A Log is an append-only file of scans that
// survives the end of its process at any moment. Logs merge: a scan is its ticket, gate and time, a merged log is the set of all of them, and
// the first scan of a ticket is the one of the earliest time. So logs may be merged in any order and any number of times, and each further scan is
// reported once.
//
//	code ─► signature ─► event ─► revoked? ─► time ─► name ─► log ─► green, amber or red
//
// Offline gates that cannot hear each other let the same ticket in once each; merging tells it afterwards. Gates that must not do that check in online
// (POST /v1/events/{ev}/checkins), where two gates at once are one first and one second.
//
// It imports nothing of ours but the codes of tickets. It opens no connections; the command line fetches and uploads.
package gate
