// Command arena writes the seat map of the demo's arena: a floor with seats and a standing area before the stage, a lower bowl, a club
// ring and an upper bowl around it.
//
//	go run ./charts/arena > charts/arena.json
//
// It writes the same bytes each time.
package main

import (
	"fmt"
	"os"
)

func main() {
	body, err := generate()
	if err == nil {
		_, err = os.Stdout.Write(body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "arena:", err)
		os.Exit(1)
	}
}
