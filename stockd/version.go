package main

import (
	"fmt"
	"runtime/debug"

	"ticketrush/stockd/api"
	"ticketrush/stockd/paper"
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
	fmt.Fprintln(con.out, "stockd "+version())
	return nil
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (text == "" || text == "(devel)") {
			text = s.Value[:12]
		}
	}
	if text == "" {
		text = "(devel)"
	}
	return text + " " + info.GoVersion
}

type openapiCommand struct{}

// Run prints the contract of the API.
func (*openapiCommand) Run(con console) error {
	_, err := con.out.Write(api.Contract)
	return err
}
