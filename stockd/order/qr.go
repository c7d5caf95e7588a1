package order

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// quietModules is the empty border that a QR code needs, in modules.
const quietModules = 4

// SVG draws a ticket's code as a QR code, one unit for each module.
func SVG(code string) ([]byte, error) {
	symbol, err := encode(code)
	if err != nil {
		return nil, err
	}
	side := symbol.Bounds().Dx()
	var b bytes.Buffer
	size := side + 2*quietModules
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img" aria-label="Ticket code">`, size, size)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, size, size)
	for y := range side {
		for x := 0; x < side; x++ {
			run := 0
			for x+run < side && dark(symbol, x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quietModules, y+quietModules, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

// modulePixels is the side of a module in a PNG: large enough for a phone's screen and for print, and a whole number, so that edges are sharp.
const modulePixels = 8

// PNG draws a ticket's code as a QR code, black on white.
func PNG(code string) ([]byte, error) {
	symbol, err := encode(code)
	if err != nil {
		return nil, err
	}
	side := symbol.Bounds().Dx()
	size := (side + 2*quietModules) * modulePixels
	img := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	for y := range side * modulePixels {
		for x := range side * modulePixels {
			if dark(symbol, x/modulePixels, y/modulePixels) {
				img.SetColorIndex(x+quietModules*modulePixels, y+quietModules*modulePixels, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func encode(code string) (barcode.Barcode, error) {
	symbol, err := qr.Encode(code, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("draw the ticket's code: %w", err)
	}
	return symbol, nil
}

func dark(symbol barcode.Barcode, x, y int) bool {
	r, _, _, _ := symbol.At(x, y).RGBA()
	return r == 0
}
