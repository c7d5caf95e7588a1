package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// envPrefix begins every environment variable that is a setting.
const envPrefix = "STOCKD_"

// otherEnv are the variables with the prefix that are not settings: secrets, and what other commands read.
var otherEnv = []string{
	"STOCKD_ROOM_KEYS", "STOCKD_SECRETS", "STOCKD_INTERNAL_KEY", "STOCKD_GOSSIP_KEY", "STOCKD_ACCOUNT_KEYS", "STOCKD_STRIPE_KEY", "STOCKD_STRIPE_WEBHOOK_SECRETS",
	"STOCKD_CONFIG", "STOCKD_API_KEY", "STOCKD_URL", "STOCKD_NODES",
}

// Read reads the file, where one is named, and then the environment. It joins all that is wrong.
func Read(path string, environ []string) (Config, error) {
	var c Config
	var errs []error
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("read the configuration: %w; name another with --config", err)
		}
		if err := c.decode(path, text); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, c.fromEnv(environ))
	return c, errors.Join(errs...)
}

// decode reads TOML and refuses what it does not know, with the line.
func (c *Config) decode(path string, text []byte) error {
	meta, err := toml.Decode(string(text), c)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		if parse.LastKey != "" {
			return fmt.Errorf("%s:%d: %s: %w", path, parse.Position.Line, parse.LastKey, err)
		}
		return fmt.Errorf("%s:%d: %s", path, parse.Position.Line, parse.Message)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for _, key := range meta.Undecoded() {
		name := key.String()
		hint := "stockd serve --help lists the settings"
		if near := nearest(name, Names()); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		errs = append(errs, fmt.Errorf("%s:%d: there is no setting %q; %s", path, lineOf(text, key[len(key)-1]), name, hint))
	}
	return errors.Join(errs...)
}

// lineOf finds the line that sets a key: the decoder does not keep it.
func lineOf(text []byte, key string) int {
	sets := regexp.MustCompile(`^\s*(\[+\s*)?["']?` + regexp.QuoteMeta(key) + `["']?\s*[=.\]]`)
	for i, line := range bytes.Split(text, []byte("\n")) {
		if sets.Match(line) {
			return i + 1
		}
	}
	return 1
}

// settings calls f for each field of the configuration with its name in the file.
func settings(c *Config, f func(name string, field reflect.Value)) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		f(v.Type().Field(i).Tag.Get("toml"), v.Field(i))
	}
}

// Names are the names of all settings, in the order of Config.
func Names() (names []string) {
	settings(&Config{}, func(name string, _ reflect.Value) { names = append(names, name) })
	return names
}

// EnvName is the environment variable of a setting.
func EnvName(setting string) string { return envPrefix + strings.ToUpper(setting) }

// fromEnv lets the environment override. A variable with our prefix that is no setting is refused: it would be a typing mistake without effect.
func (c *Config) fromEnv(environ []string) error {
	fields := map[string]reflect.Value{}
	settings(c, func(name string, field reflect.Value) { fields[EnvName(name)] = field })
	var errs []error
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(otherEnv, name) {
			continue
		}
		field, ok := fields[name]
		if !ok {
			errs = append(errs, fmt.Errorf("environment: %s is no setting of stockd; unset it or correct its name", name))
			continue
		}
		if err := setField(field, value); err != nil {
			errs = append(errs, fmt.Errorf("environment: %s=%q: %w", name, value, err))
		}
	}
	return errors.Join(errs...)
}

// setField reads a setting from text.
func setField(field reflect.Value, text string) error {
	if u, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p = text
	case *[]string:
		*p = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*p = append(*p, part)
			}
		}
	case *int:
		v, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("want a whole number")
		}
		*p = v
	case *float64:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("want a number")
		}
		*p = v
	case *bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("want true or false")
		}
		*p = v
	default:
		return fmt.Errorf("a setting of type %s cannot be read from the environment", field.Type())
	}
	return nil
}

// nearest is the name that a mistyped one probably means, empty when none is close.
func nearest(name string, names []string) string {
	best, bestDistance := "", 4
	for _, candidate := range names {
		if d := editDistance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
