// Package mutants breaks the product's own code on purpose, one thing at a time, and has the simulator find it.
//
// The code itself knows nothing of it: a mutant is a text of a file and what stands there instead, and the simulator is built with
// `go build -overlay`. When the text is not there any more, because the code has changed, the run fails: the mutant has to follow the code.
package mutants
