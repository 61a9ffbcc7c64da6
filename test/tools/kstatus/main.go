// Says what kstatus, on which Flux, Helm and kpt rest, concludes from an object: reads one JSON object per line from
// standard input and writes one JSON answer per line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Longest line that is read: an object with a status of every field is far below it.
const longestObject = 4 << 20

type answer struct {
	Status  status.Status `json:"status"`
	Message string        `json:"message"`
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, longestObject)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(in.Bytes()); err != nil {
			return err
		}
		result, err := status.Compute(&object)
		if err != nil {
			return err
		}
		if err := out.Encode(answer{result.Status, result.Message}); err != nil {
			return err
		}
	}
	return in.Err()
}
