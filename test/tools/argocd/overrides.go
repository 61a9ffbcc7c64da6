package main

import (
	"fmt"
	"os"
	"strings"

	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const customizations = "resource.customizations."

// Reads the keys resource.customizations.{health,actions}.<group>_<Kind> as Argo CD's settings do.
func readOverrides(path string) (map[string]appv1.ResourceOverride, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var config corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		return nil, err
	}
	overrides := map[string]appv1.ResourceOverride{}
	for key, value := range config.Data {
		setting, groupKind, found := strings.Cut(strings.TrimPrefix(key, customizations), ".")
		if !found || !strings.HasPrefix(key, customizations) {
			return nil, fmt.Errorf("%s is no key of a resource customization", key)
		}
		kind := strings.Replace(groupKind, "_", "/", 1)
		override := overrides[kind]
		switch setting {
		case "health":
			override.HealthLua = value
		case "actions":
			override.Actions = value
		default:
			return nil, fmt.Errorf("%s is none of the settings that are tested here", key)
		}
		overrides[kind] = override
	}
	return overrides, nil
}
