package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const lookEvery = 500 * time.Millisecond

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
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	results, syncErr := reconcile(ctx, access, namespace, manifests, options)
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

// One operation of the application controller: each look at the cluster gets a context of its own, which goes on where the
// one before ended.
func reconcile(
	ctx context.Context, access *rest.Config, namespace string, manifests []*unstructured.Unstructured, options []sync.SyncOpt,
) ([]common.ResourceSyncResult, error) {
	clusterCache := cache.NewClusterCache(access, cache.SetLogr(logr.Discard()), cache.SetNamespaces([]string{namespace}))
	if err := clusterCache.EnsureSynced(); err != nil {
		return nil, err
	}
	defer clusterCache.Invalidate()
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	// Nothing that the manifests do not name is touched.
	managed := func(*cache.Resource) bool { return false }
	begun := metav1.Now()
	phase, message := common.OperationRunning, ""
	var results []common.ResourceSyncResult
	for {
		live, err := clusterCache.GetManagedLiveObjs(manifests, managed)
		if err != nil {
			return results, err
		}
		compared := sync.Reconcile(manifests, live, namespace, clusterCache)
		goOn := append([]sync.SyncOpt{sync.WithInitialState(phase, message, results, begun)}, options...)
		step, cleanup, err := sync.NewSyncContext(
			"HEAD", compared, access, access, kubectl, namespace, clusterCache.GetOpenAPISchema(), goOn...)
		if err != nil {
			return results, err
		}
		step.Sync()
		phase, message, results = step.GetState()
		cleanup()
		if phase.Completed() && !phase.Successful() {
			return results, fmt.Errorf("%s: %s", phase, message)
		}
		if phase.Completed() {
			return results, nil
		}
		select {
		case <-ctx.Done():
			return results, ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}
