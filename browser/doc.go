// Package browser walks through the real demo in a real Chromium: the room, the map, a hold, the sandbox bank, the tickets and what people do with them, the gate,
// and what ops see.
//
// Its tests have the build tag browser and run by `make browser`, which gets Chromium where the machine has none: they need the built programs
// and some minutes, so they are no part of `make test`. Everything that they look at is what a person looks at: headings, buttons, addresses.
// Nothing of the project is imported, but the draw that makes the receipts which a page checks.
package browser
