package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed static locales
var embedded embed.FS

// assetTypes lists every file that the page may load, with its content type. Nothing else is ever served, whatever lies in the directory.
var assetTypes = map[string]string{
	"page.css":    "text/css; charset=utf-8",
	"brand.css":   "text/css; charset=utf-8",
	"page.js":     "text/javascript; charset=utf-8",
	"line.js":     "text/javascript; charset=utf-8",
	"alerts.js":   "text/javascript; charset=utf-8",
	"view.js":     "text/javascript; charset=utf-8",
	"key.js":      "text/javascript; charset=utf-8",
	"proof.js":    "text/javascript; charset=utf-8",
	"handover.js": "text/javascript; charset=utf-8",
	verifyName:    "text/javascript; charset=utf-8",
	"logo.svg":    "image/svg+xml",
}

// verifyName is the asset that comes from elsewhere: see New.
const verifyName = "verify.js"

type asset struct {
	body, gz    []byte
	contentType string
	etag        string
}

// Asset gives a file of the page: as it is, compressed by gzip, its content type and its ETag. The ETag is weak, since it is the same for
// both encodings, and never ends in a coding's name. body and gz are shared: do not change them. ok is false for an unknown name.
func (p *Page) Asset(name string) (body, gz []byte, contentType, etag string, ok bool) {
	a, ok := p.assets[name]
	return a.body, a.gz, a.contentType, a.etag, ok
}

// assetQuery is a version for an asset's URL, so that a changed file is fetched anew whatever caches say.
func (p *Page) assetQuery(name string) (string, error) {
	a, ok := p.assets[name]
	if !ok {
		return "", fmt.Errorf("page.html names the unknown asset %q", name)
	}
	return name + "?v=" + a.etag[3:11], nil
}

// textName is the module with the texts of a language. It is no part of the document, so that what is the same for everybody is compressed once.
func textName(lang string) string { return "text." + lang + ".js" }

// laterName is the module with those texts of a language that only handover.js shows. It is loaded with that, when somebody moves their place.
func laterName(lang string) string { return "hand." + lang + ".js" }

func isLater(key string) bool {
	return strings.HasPrefix(key, "hand_") || key == "h_code" || key == "p_code"
}

func loadAssets(files source, locales map[string]locale) (map[string]asset, error) {
	out := make(map[string]asset, len(assetTypes)+len(locales))
	for lang, l := range locales {
		first, later := locale{}, locale{}
		for key, text := range l {
			if isLater(key) {
				later[key] = text
			} else {
				first[key] = text
			}
		}
		for name, texts := range map[string]locale{textName(lang): first, laterName(lang): later} {
			text, err := json.Marshal(texts)
			if err != nil {
				return nil, fmt.Errorf("write the texts of %s: %w", lang, err)
			}
			if out[name], err = newAsset(fmt.Appendf(nil, "export default %s;\n", text), assetTypes["page.js"]); err != nil {
				return nil, err
			}
		}
	}
	for name, contentType := range assetTypes {
		body, err := files.read(name)
		if err != nil {
			return nil, fmt.Errorf("read the page's asset %s: %w", name, err)
		}
		if out[name], err = newAsset(body, contentType); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func newAsset(body []byte, contentType string) (asset, error) {
	gz, err := compress(body)
	if err != nil {
		return asset{}, err
	}
	sum := sha256.Sum256(body)
	return asset{body: body, gz: gz, contentType: contentType, etag: `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

func compress(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// source reads a file from the operator's directory when it is there, else the embedded one.
type source struct {
	dir    string
	verify []byte
}

// overrideMax bounds one file of an operator's directory: the page must stay small to survive the rush it is made for.
const overrideMax = 1 << 20

// replaces says whether the operator's directory has a file of that name.
func (s source) replaces(name string) bool {
	if s.dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(s.dir, filepath.FromSlash(name)))
	return err == nil
}

func (s source) read(name string) ([]byte, error) {
	if s.dir != "" {
		body, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
		switch {
		case err == nil && len(body) > overrideMax:
			return nil, fmt.Errorf("%s in %s is larger than %d bytes", name, s.dir, overrideMax)
		case err == nil:
			return body, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if name == verifyName {
		return s.verify, nil
	}
	if path.Dir(name) == "." {
		name = path.Join("static", name)
	}
	body, err := embedded.ReadFile(name)
	if path.Ext(name) == ".js" {
		body = commentLines.ReplaceAll(body, nil)
	}
	return body, err
}

// commentLines are those of our own scripts that hold nothing but a comment: a tenth of what the page would cost over the wire.
var commentLines = regexp.MustCompile(`(?m)^[ \t]*(?://.*|/\*.*\*/)\n`)
