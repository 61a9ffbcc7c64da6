package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	applicationpkg "github.com/argoproj/argo-cd/v3/pkg/apiclient/application"
	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Longest line that is read: an object with a status of every field is far below it.
const longestRequest = 4 << 20

type request struct {
	// health, discover, run, render, or decode.
	Do         string          `json:"do"`
	Action     string          `json:"action"`
	Parameters map[string]any  `json:"parameters"`
	Object     json.RawMessage `json:"object"`
}

type answer struct {
	Health  *health.HealthStatus   `json:"health,omitempty"`
	Actions []appv1.ResourceAction `json:"actions,omitempty"`
	Object  any                    `json:"object,omitempty"`
	Error   string                 `json:"error,omitempty"`
}

func answerAll(config string) error {
	overrides, err := readOverrides(config)
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, longestRequest)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked request
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			return err
		}
		given, err := give(overrides, asked)
		if err != nil {
			given.Error = err.Error()
		}
		if err := out.Encode(given); err != nil {
			return err
		}
	}
	return in.Err()
}

func give(overrides map[string]appv1.ResourceOverride, asked request) (answer, error) {
	switch asked.Do {
	case "render":
		return render(asked)
	case "decode":
		return answer{}, decode(asked.Object, &appv1.AppProject{})
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return answer{}, err
	}
	vm := lua.VM{ResourceOverrides: overrides}
	switch asked.Do {
	case "health":
		// As the application controller asks, so that what it answers before any script is part of it.
		found, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(overrides))
		return answer{Health: found}, err
	case "discover":
		scripts, err := vm.GetResourceActionDiscovery(object)
		if err != nil {
			return answer{}, err
		}
		actions, err := vm.ExecuteResourceActionDiscovery(object, scripts)
		return answer{Actions: actions}, err
	case "run":
		return runAction(vm, object, asked)
	default:
		return answer{}, fmt.Errorf("unknown request %q", asked.Do)
	}
}

func runAction(vm lua.VM, object *unstructured.Unstructured, asked request) (answer, error) {
	definition, err := vm.GetResourceAction(object, asked.Action)
	if err != nil {
		return answer{}, err
	}
	var parameters []*applicationpkg.ResourceActionParameters
	for name, value := range asked.Parameters {
		text := fmt.Sprint(value)
		parameters = append(parameters, &applicationpkg.ResourceActionParameters{Name: &name, Value: &text})
	}
	impacted, err := vm.ExecuteResourceAction(object, definition.ActionLua, parameters)
	if err != nil {
		return answer{}, err
	}
	if len(impacted) != 1 || impacted[0].K8SOperation != lua.PatchOperation {
		return answer{}, fmt.Errorf("action %s does more than patch the object", asked.Action)
	}
	return answer{Object: impacted[0].UnstructuredObj.Object}, nil
}

// The Application that an ApplicationSet makes of what a generator found.
func render(asked request) (answer, error) {
	var set appv1.ApplicationSet
	if err := decode(asked.Object, &set); err != nil {
		return answer{}, err
	}
	from := set.Spec.Template
	draft := &appv1.Application{Spec: from.Spec}
	draft.Name, draft.Namespace, draft.Finalizers = from.Name, from.Namespace, from.Finalizers
	draft.Labels, draft.Annotations = from.Labels, from.Annotations
	made, err := (&utils.Render{}).RenderTemplateParams(
		draft, set.Spec.SyncPolicy, asked.Parameters, set.Spec.GoTemplate, set.Spec.GoTemplateOptions)
	return answer{Object: made}, err
}

// Refuses what the type does not know.
func decode(object json.RawMessage, into any) error {
	return yaml.UnmarshalStrict(object, into)
}
