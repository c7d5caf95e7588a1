package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A key is random: it may look like a path, which it was taken for.
func TestASecretThatLooksLikeAPathIsASecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	const key = "/HgoaKo5xAdeAMjy301f/xH+7hFXkRUsoDucVTxtLeE="
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOME_KEY", key)
	t.Setenv("SOME_FOLDER", filepath.Dir(path))
	for _, value := range []string{path, "{file." + path + "}", "{env.SOME_KEY}", "{env.SOME_FOLDER}/key"} {
		if text, err := secretText(value); err != nil || strings.TrimSpace(text) != key {
			t.Errorf("%s: %q, %v", value, text, err)
		}
	}
	for _, value := range []string{"{file." + path + ".not}", path + ".not", "{env.NO_SUCH_KEY}", ""} {
		if text, err := secretText(value); err == nil {
			t.Errorf("%s: %q, and no error", value, text)
		}
	}
}
