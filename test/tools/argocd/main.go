// What Argo CD does with our objects, done by Argo CD's own code.
//
//	argocd ask <argocd-cm manifest>                             one JSON request per line of standard input, one JSON answer each
//	argocd sync <kubeconfig> <namespace> [<argocd-cm manifest>] syncs the manifests of standard input
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "ask":
		return answerAll(args[1])
	case len(args) == 3 && args[0] == "sync":
		return syncAll(args[1], args[2], "")
	case len(args) == 4 && args[0] == "sync":
		return syncAll(args[1], args[2], args[3])
	default:
		return fmt.Errorf("usage: argocd ask <argocd-cm> | argocd sync <kubeconfig> <namespace> [<argocd-cm>]")
	}
}
