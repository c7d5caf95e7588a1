// Package caddymodule is the edge: a virtual waiting room as a Caddy module, in front of any site, and the way from the site's API to stockd.
//
//	example.com {
//		waiting_room spring-tour {
//			protect /buy/*
//			rate 100
//			max_active 2000
//		}
//		reverse_proxy origin:8080
//	}
//
// What it registers:
//
//	waiting_room                               app: keys, the rooms that survive a reload, the counts of what is left
//	http.handlers.waiting_room                 the room in a site: admits, keeps waiting, refuses; serves /.wr/v1/{room}/
//	http.matchers.admitted                     matches requests with a living pass
//	http.handlers.stockd_gate                  asks for a pass where the API needs one
//	http.reverse_proxy.transport.stockd        picks the node that owns what a request is about
//	http.handlers.stock_counts                 keeps availability answers for a moment
//	admin.api.waiting_room                     /waiting_room/rooms: look, and all that ops change (Admin lists it)
//
// It tells of a room's changes by events of Caddy, waiting_room_opened and the like (events.go), and of each request by metrics, placeholders
// {http.vars.waiting_room.*} and fields of the access log.
//
// How it is built. Who is let in is decided by package room, which knows neither Caddy nor a clock, at the room's owner. A keeper is this edge of one
// room: it gives places, checks passes, and asks the owner for the rest. The owner is a local, which holds the storage lock waiting_room/‹name›,
// writes each batch of changes to Caddy's storage, synced, and only then lets answers go out; or a remote, which is stockd, where the global option
// names it. Keepers live in a UsagePool, so a reload of the configuration loses no place, no pass and no count. Per waiting visitor nothing is kept: their
// place is in their signed token.
//
// Locks: a keeper has one mutex around what the edge knows; it is not held while storage is written, nor while anybody waits for the owner.
//
// Nothing here may be imported by the other packages; this is the only one that imports Caddy.
package caddymodule
