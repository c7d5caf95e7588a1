// Package crowd simulates a sale at a waiting room: a million people, many edges, one owner, and what goes wrong with them.
//
// The room and its edges are the product's own (package room): only clocks, the network, the store and the people are simulated. A run is one
// goroutine and one seed; the same seed takes the same course.
//
// What goes wrong: edges are cut off from the owner, or restarted; one is cut off while the lobby's list is sealed; the owner is killed, with its
// last batch stored or not, and another one restores the room; the clock of each edge is wrong by half a minute at most, and drifts. People
// open a second tab, give up, share access codes, leave, or just go away.
//
// What has to hold is checked as it happens, from outside (check.go): never more passes that any edge lets in than max_active, one pass for each
// person, a frontier that never goes back, an order of arrival that is right to the stated bounds of the clocks. What is a matter of degree is
// measured (measure.go): how near the order of admission is to the ideal one, how even a class is served, waits, and the rate.
package crowd
