package main

import (
	"fmt"

	"ticketrush/stockd/api"
	"ticketrush/stockd/paper"
	"ticketrush/stockd/serve"
)

type versionCommand struct {
	Licences bool `help:"Print the licences of what is embedded and not code: the font of printed tickets."`
}

// Run prints what was built, from what and with what.
func (v *versionCommand) Run(con console) error {
	if v.Licences {
		_, err := fmt.Fprintln(con.out, "DejaVu Sans, the font of tickets and receipts as PDF:\n\n"+paper.FontLicence)
		return err
	}
	fmt.Fprintln(con.out, "stockd "+serve.Version())
	return nil
}

type openapiCommand struct{}

// Run prints the contract of the API.
func (*openapiCommand) Run(con console) error {
	_, err := con.out.Write(api.Contract)
	return err
}
