// Package conns bounds the open connections of an HTTP server.
//
// A connection costs memory (a goroutine, its buffers) whether it says something or not, and a process has a limit of open files past which nothing can be
// accepted any more, from anybody. So there is a limit below that one. At the limit
//
//   - the connection that has been silent for longest is closed for a new one: kept alive between two requests, or opened and not yet used for a
//     second. Clients know that a kept connection may end at any time;
//   - when all are at work, the new one is told so (503, a problem document) and closed, without taking part in anything.
//
// So whoever opens connections and keeps quiet takes them from themselves and others like them, and not from those who ask for something.
package conns
