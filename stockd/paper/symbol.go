package paper

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/aztec"
	"github.com/boombuler/barcode/qr"
)

// Symbology is a kind of two-dimensional code.
type Symbology string

// The kinds. QR is read by everything; Aztec is smaller, needs no border, and is what gates of railways and airlines expect.
const (
	QR    Symbology = "qr"
	Aztec Symbology = "aztec"
)

// ErrSymbol says that a code cannot be drawn: it is empty, or too long for the kind.
var ErrSymbol = errors.New("the code cannot be drawn")

const (
	// quietModules is the empty border in modules. A QR code needs four (ISO/IEC 18004), Aztec none; it gets as many, so that it can stand on anything.
	quietModules = 4
	// aztecRepair is the least part of an Aztec code that is there for repair, in percent; 23 is what ISO/IEC 24778 recommends.
	aztecRepair = 23
	// modulePixels is the side of a module in a PNG: large enough for a phone's screen and for print, and a whole number, so that edges are sharp.
	modulePixels = 8
)

// symbol is a drawn code: side × side modules, without its border.
type symbol struct {
	side int
	code barcode.Barcode
}

func encode(kind Symbology, code string) (symbol, error) {
	var drawn barcode.Barcode
	err := errors.New("it is empty")
	switch {
	case code == "":
	case kind == QR:
		drawn, err = qr.Encode(code, qr.M, qr.Auto)
	case kind == Aztec:
		drawn, err = aztec.Encode([]byte(code), aztecRepair, 0)
	default:
		err = fmt.Errorf("there is no kind %q; qr and aztec are", kind)
	}
	if err != nil {
		return symbol{}, fmt.Errorf("%w: %w", ErrSymbol, err)
	}
	return symbol{side: drawn.Bounds().Dx(), code: drawn}, nil
}

func (s symbol) dark(x, y int) bool {
	r, _, _, _ := s.code.At(x, y).RGBA()
	return r == 0
}

// runs calls draw for each horizontal run of dark modules; x and y count from the corner of the code, without its border.
func (s symbol) runs(draw func(x, y, length int)) {
	for y := range s.side {
		for x := 0; x < s.side; x++ {
			length := 0
			for x+length < s.side && s.dark(x+length, y) {
				length++
			}
			if length > 0 {
				draw(x, y, length)
				x += length
			}
		}
	}
}

// SVG draws a code, one unit for each module. ErrSymbol when it cannot be drawn.
func SVG(kind Symbology, code string) ([]byte, error) {
	s, err := encode(kind, code)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	size := s.side + 2*quietModules
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img" aria-label="Ticket code">`, size, size)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, size, size)
	s.runs(func(x, y, length int) {
		fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quietModules, y+quietModules, length, length)
	})
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

// PNG draws a code, black on white. ErrSymbol when it cannot be drawn.
func PNG(kind Symbology, code string) ([]byte, error) {
	s, err := encode(kind, code)
	if err != nil {
		return nil, err
	}
	size := (s.side + 2*quietModules) * modulePixels
	img := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	s.runs(func(x, y, length int) {
		left, top := (x+quietModules)*modulePixels, (y+quietModules)*modulePixels
		for row := top; row < top+modulePixels; row++ {
			for column := left; column < left+length*modulePixels; column++ {
				img.SetColorIndex(column, row, 1)
			}
		}
	})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
