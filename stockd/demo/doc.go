// Package demo runs a whole deployment on one machine, to look at and to test against: a private Postgres, some nodes, Caddy with the waiting
// room in front, and the shop.
//
//	demo ─┬─ Postgres        (pgdev)
//	      ├─ node-1 … node-3 (child processes: this program's own `serve`)
//	      ├─ caddy           (child process)
//	      ├─ the shop        (in this process)
//	      └─ sweeper         (child process, a session of its own: waits for the demo to end and removes its folder)
//
// Everything lives in one temporary folder and on loopback. Whatever way the demo ends, nothing stays: children are ended in order when it is asked to stop; when it is
// killed, the kernel sends them their signal (Linux), and the sweeper removes the folder. Child processes are in process groups of their own, so that a
// Ctrl-C reaches only the demo and the order of the end is the demo's.
package demo
