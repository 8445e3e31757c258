// SPDX-License-Identifier: Apache-2.0

// A Vault of the real one's core, HTTP API, transit engine and two of its logins, and nothing else of
// it. Storage is a folder. It logs to standard error.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	log "github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
	"github.com/hashicorp/vault/version"
)

// registry is the engine and the login that there are, by kind and name.
type registry map[consts.PluginType]map[string]logical.Factory

var plugins = registry{
	consts.PluginTypeSecrets:    {"transit": transit.Factory},
	consts.PluginTypeCredential: {"kubernetes": kubernetes.Factory},
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r[kind][name]
	return ok
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, ok := r[kind][name]
	return func() (interface{}, error) { return factory, nil }, ok
}

func (r registry) Keys(kind consts.PluginType) []string {
	names := []string{}
	for name := range r[kind] {
		names = append(names, name)
	}
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func serve() error {
	address := flag.String("address", "", "loopback address and port to serve HTTPS on")
	data := flag.String("data", "", "folder of the storage")
	cert := flag.String("cert", "", "certificate, PEM")
	key := flag.String("key", "", "its key, PEM")
	flag.Parse()
	logger := log.New(&log.LoggerOptions{Level: log.Warn})
	storage, err := file.NewFileBackend(map[string]string{"path": *data}, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		LogicalBackends:    plugins[consts.PluginTypeSecrets],
		CredentialBackends: plugins[consts.PluginTypeCredential],
		BuiltinRegistry:    plugins,
		DisableMlock:       true,
		Logger:             logger,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, version.GetVersion().FullVersionNumber(false))
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Address: *address},
	})
	server := http.Server{
		Addr:              *address,
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
	}
	return server.ListenAndServeTLS(*cert, *key)
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}
