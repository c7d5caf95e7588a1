package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"ticketrush/client"
	"ticketrush/pass"
	"ticketrush/room"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App holds what all waiting rooms share: the keys that sign places and passes, and where stockd is. It needs no configuration: without any,
// a key is made and kept in Caddy's storage.
type App struct {
	// Keys is the keyring that signs places and passes: the path of a keys file, or a placeholder for its text such as
	// `{file./etc/ticketrush/room.keys}`. The file has a line `current <id> <base64 of 32 bytes>`; `stockd keys new` makes one. stockd verifies passes with
	// the same file. Default: a key made at the first start and kept in Caddy's storage, which stockd does not know.
	Keys string `json:"keys,omitempty"`

	// Stockd names nodes of stockd. They own the rooms then, so that many edges share one line; and they are those of the `stockd` directive. Needs
	// Keys. Default: none; this edge owns its rooms alone.
	Stockd *StockdNodes `json:"stockd,omitempty"`

	// Edge is this edge's name among those of its rooms, at most 64 bytes; each edge needs one of its own. Give one where neither the host's name nor
	// Caddy's data directory outlives a restart: a room knows 255 edges, and forgets one after an hour. Default: the host's name and eight
	// digits of Caddy's instance id, which stands in the data directory.
	Edge string `json:"edge,omitempty"`

	ctx      caddy.Context
	log      *zap.Logger
	keys     *pass.Keyring // nil until Start when it is generated
	rooms    map[string]*roomUse
	counts   *countsCache
	clients  []*client.Client // of the transports
	cluster  *cluster         // that owns the rooms; nil: this edge does, or there are none
	edge     string           // its name
	pooled   []string         // keys of pooledClients to give back
	acquired []string         // names of keepers to give back; Cleanup may run after half a Provision
	counted  bool
}

// StockdNodes says where stockd is and how to speak to it.
type StockdNodes struct {
	// Nodes are internal addresses as URLs, for example http://10.0.0.11:7301. One that lives is enough: it names the others.
	Nodes []string `json:"nodes,omitempty"`
	// Key is the path of the internal key's file, or a placeholder for its text such as `{file./etc/ticketrush/internal.key}`.
	Key string `json:"key,omitempty"`
}

// roomUse is a room as the sites of one configuration use it.
type roomUse struct {
	keeper *keeper
	set    room.Settings
	event  string
	names  cookieNames
	given  bool // settings came from a site, not from defaults
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "waiting_room", New: func() caddy.Module { return new(App) }}
}

// Provision reads the keys and registers the metrics. It starts nothing.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log, a.rooms = ctx, ctx.Logger(), map[string]*roomUse{}
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if err := a.listen(); err != nil {
		return err
	}
	counts, _, err := pooledCounts.LoadOrNew(countsKey, func() (caddy.Destructor, error) { return newCountsCache() })
	if err != nil {
		return err
	}
	a.counts, a.counted = counts.(*countsCache), true
	if a.edge, err = edgeName(a.Edge); err != nil {
		return err
	}
	if a.Keys == "" {
		return nil
	}
	text, err := secretText(a.Keys)
	if err != nil {
		return fmt.Errorf("waiting_room keys: %w", err)
	}
	if a.keys, err = pass.ParseKeyring([]byte(text)); err != nil {
		return fmt.Errorf("waiting_room keys %s: %w", a.Keys, err)
	}
	return nil
}

// secretText gives the text of a secret that is named by a path, or is what one placeholder stands for. That is never taken for a path: one key in
// 64 begins with a slash. A missing or empty one is an error: it would be an empty key.
func secretText(value string) (string, error) {
	text, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err != nil {
		return "", err
	}
	placeholder := strings.HasPrefix(value, "{") && strings.IndexByte(value, '}') == len(value)-1
	if !placeholder && (filepath.IsAbs(text) || strings.HasPrefix(text, "./")) {
		file, err := os.ReadFile(text)
		if err != nil {
			return "", err
		}
		text = string(file)
	}
	if strings.TrimSpace(text) == "" {
		return "", errors.New("the secret is empty")
	}
	return text, nil
}

// use gives the keeper of a room to a site. Sites that share a room may leave the settings to one of them.
func (a *App) use(name string, set room.Settings, event string, given bool) (*roomUse, error) {
	use := a.rooms[name]
	if use == nil {
		if err := a.findOwner(); err != nil {
			return nil, err
		}
		value, _, err := keepers.LoadOrNew(name, func() (caddy.Destructor, error) { return newKeeper(name, a.edge), nil })
		if err != nil {
			return nil, err
		}
		a.acquired = append(a.acquired, name)
		use = &roomUse{keeper: value.(*keeper), set: room.Settings{}.WithDefaults(), names: namesOf(name, "")}
		a.rooms[name] = use
	}
	if given {
		if use.given && (use.set != set || use.event != event) {
			return nil, fmt.Errorf("waiting_room %s is configured twice with different settings: keep one and write only `waiting_room %s` elsewhere", name, name)
		}
		use.set, use.event, use.given = set, event, true
	}
	return use, nil
}

// Start begins to keep the rooms.
func (a *App) Start() error {
	if a.keys == nil && len(a.rooms) > 0 {
		keys, err := generatedKeys(a.ctx, a.ctx.Storage())
		if err != nil {
			return fmt.Errorf("waiting_room: keys in Caddy's storage: %w", err)
		}
		a.keys = keys
	}
	for _, use := range a.rooms {
		var supply func() *room.Supply
		if event := use.event; event != "" {
			supply = func() *room.Supply { return a.counts.supply(event) }
		}
		use.keeper.start(keeping{settings: use.set, given: use.given, stockd: a.cluster, storage: a.ctx.Storage(), supply: supply}, a.keys, a.log)
	}
	for _, c := range a.clients {
		c.Start() // once; another configuration may have done it
	}
	return nil
}

// Stop does nothing: what a reload keeps must go on, and the rest ends in Cleanup.
func (*App) Stop() error { return nil }

// Cleanup gives the rooms back; one that no configuration uses any more stores what it knows and ends.
func (a *App) Cleanup() error {
	var errs []error
	for _, name := range a.acquired {
		_, err := keepers.Delete(name)
		errs = append(errs, err)
	}
	for _, name := range a.pooled {
		_, err := pooledClients.Delete(name)
		errs = append(errs, err)
	}
	if a.counted {
		_, err := pooledCounts.Delete(countsKey)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// generatedKeys reads the keyring that stands in Caddy's storage, or makes one there.
func generatedKeys(ctx context.Context, storage certmagic.Storage) (*pass.Keyring, error) {
	key := path.Join("waiting_room", "room.keys")
	text, err := storage.Load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		if err := storage.Lock(ctx, "waiting_room_keys"); err != nil {
			return nil, err
		}
		defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), "waiting_room_keys") }()
		text, err = storage.Load(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			if text, err = pass.NewKeysFile(); err == nil {
				err = storage.Store(ctx, key, text)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return pass.ParseKeyring(text)
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
