package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/engine"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"
)

type synced struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Hook    string `json:"hook,omitempty"`
	Status  string `json:"status,omitempty"`
	Phase   string `json:"phase,omitempty"`
	Message string `json:"message"`
}

// Ends when the sync has ended, or with a signal. Writes one JSON line per object that was synced.
func syncAll(kubeconfig, namespace, config string) error {
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	manifests, err := kube.SplitYAML(text)
	if err != nil {
		return err
	}
	options := []sync.SyncOpt{sync.WithLogr(logr.Discard()), sync.WithOperationSettings(false, true, false, false)}
	if config != "" {
		overrides, err := readOverrides(config)
		if err != nil {
			return err
		}
		options = append(options, sync.WithHealthOverride(lua.ResourceHealthOverrides(overrides)))
	}
	clusterCache := cache.NewClusterCache(access, cache.SetLogr(logr.Discard()), cache.SetNamespaces([]string{namespace}))
	syncer := engine.NewEngine(access, clusterCache, engine.WithLogr(logr.Discard()))
	stop, err := syncer.Run()
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	// Nothing that the manifests do not name is touched.
	managed := func(*cache.Resource) bool { return false }
	results, syncErr := syncer.Sync(ctx, manifests, managed, "HEAD", namespace, options...)
	out := json.NewEncoder(os.Stdout)
	for _, result := range results {
		line := synced{
			Kind:    result.ResourceKey.Kind,
			Name:    result.ResourceKey.Name,
			Hook:    string(result.HookType),
			Status:  string(result.Status),
			Phase:   string(result.HookPhase),
			Message: result.Message,
		}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return syncErr
}
