// Package cluster knows which nodes are alive, by gossip (memberlist). It proposes nothing and decides nothing: owner makes the table of
// proposals from the members, and the ledger's rows decide.
//
// What is taken care of here, each because it has hurt somebody: memberlist forgets the dead and never heals a long partition by itself, so
// the seeds are joined again every few seconds while they are missing; its delegates run under its lock, so they only poke a channel that
// never blocks; a node's metadata must stay under 512 bytes; Leave comes before Shutdown; a quick restart under the same name would be
// refused, so the name is the node id and a random suffix, and the id is in the metadata; without a key anybody could evict a node.
package cluster
