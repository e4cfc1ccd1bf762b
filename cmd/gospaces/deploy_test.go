package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// deployed returns a file of the folder deploy.
func deployed(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../deploy/" + name)
	require.NoError(t, err)
	return text
}

// requireServes fails the test if a command line is not one of serve, or its settings contradict each other.
func requireServes(t *testing.T, args []string, env map[string]string) {
	t.Helper()
	require.Equal(t, "serve", args[0])
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("a secret of 16 bytes or more"), 0o600))
	known := map[string]string{}
	for name, value := range env {
		known[name] = value
		if name == "GOSPACES_CLUSTER_KEY_FILE" {
			known[name] = key
		}
	}
	for i, arg := range args {
		if strings.HasPrefix(arg, "--cluster-key-file=") {
			args[i] = "--cluster-key-file=" + key
		}
	}
	// The address is not of this machine, so that it ends before it serves, after the settings were checked.
	r := cliWith(t, known, "", append(args, "--admin=192.0.2.1:7421", "--data="+t.TempDir())...)
	require.Equal(t, exitError, r.code, r.err)
	require.Contains(t, r.err, "--admin is 192.0.2.1:7421, where the node cannot listen", "every setting is accepted")
}

func TestDeploy_Compose(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
			Volumes     []string
			Secrets     []string
		}
		Secrets, Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal(deployed(t, "compose.yaml"), &compose))
	nodes := 0
	for name, service := range compose.Services {
		for _, v := range service.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			require.Contains(t, compose.Volumes, volume)
		}
		if len(service.Command) == 0 {
			continue
		}
		nodes++
		require.Contains(t, compose.Secrets, service.Secrets[0])
		require.Contains(t, service.Environment["GOSPACES_PEERS"],
			fmt.Sprintf("%s=%s:6222", strings.TrimPrefix(name, "node-"), name))
		requireServes(t, service.Command, service.Environment)
	}
	require.Equal(t, 3, nodes)
}

func TestDeploy_Kubernetes(t *testing.T) {
	t.Parallel()
	type labels = map[string]string
	type object struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     struct {
			ServiceName              string `yaml:"serviceName"`
			Replicas                 int
			PublishNotReadyAddresses bool `yaml:"publishNotReadyAddresses"`
			Selector                 any
			Template                 struct {
				Metadata struct{ Labels labels }
				Spec     struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Args  []string
						Ports []struct {
							Name          string
							ContainerPort int `yaml:"containerPort"`
						}
						ReadinessProbe struct {
							HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
						} `yaml:"readinessProbe"`
					}
				}
			}
		}
	}
	kinds := map[string]object{}
	for files := yaml.NewDecoder(bytes.NewReader(deployed(t, "kubernetes.yaml"))); ; {
		var o object
		err := files.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, "gospaces", o.Metadata.Name)
		kinds[o.Kind] = o
	}
	require.Len(t, kinds, 3)
	set, service := kinds["StatefulSet"].Spec, kinds["Service"]
	require.Equal(t, labels{"app": "gospaces"}, set.Template.Metadata.Labels)
	for kind, o := range kinds {
		require.Contains(t, fmt.Sprint(o.Spec.Selector), "app:gospaces", kind)
	}
	require.Equal(t, service.Metadata.Name, set.ServiceName)
	require.True(t, service.Spec.PublishNotReadyAddresses)
	require.Greater(t, set.Template.Spec.Grace, 10, "--flush-timeout")
	c := set.Template.Spec.Containers[0]
	require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
	ports := map[string]int{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	args := strings.Join(c.Args, "\n")
	require.Contains(t, args, fmt.Sprintf("--admin=:%d", ports[c.ReadinessProbe.HTTPGet.Port]))
	require.Contains(t, args, fmt.Sprintf("--listen=:%d", ports["client"]))
	for i := range set.Replicas {
		require.Contains(t, args, fmt.Sprintf("gospaces-%d=gospaces-%d.gospaces:%d", i, i, ports["cluster"]))
	}
	requireServes(t, strings.Split(strings.ReplaceAll(args, "$(POD)", "gospaces-0"), "\n"), nil)
}

func TestDeploy_Systemd(t *testing.T) {
	t.Parallel()
	unit := deployed(t, "gospaces.service")
	conf := filepath.Join(t.TempDir(), "gospaces.conf")
	var settings strings.Builder
	for _, line := range regexp.MustCompile(`(?m)^#   ([a-z-]+ += .*)$`).FindAllSubmatch(unit, -1) {
		if !bytes.HasPrefix(line[1], []byte("cluster-key-file")) && !bytes.HasPrefix(line[1], []byte("admin")) {
			fmt.Fprintf(&settings, "%s\n", line[1])
		}
	}
	require.NoError(t, os.WriteFile(conf, []byte(settings.String()), 0o600))
	command := regexp.MustCompile(`(?m)^ExecStart=\S+/gospaces (.*)$`).FindSubmatch(unit)
	args := strings.Fields(strings.Replace(string(command[1]), "/etc/gospaces.conf", conf, 1))
	requireServes(t, append(args, "--cluster-key-file="), nil)

	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not there")
	}
	path := filepath.Join(t.TempDir(), "gospaces.service")
	unit = bytes.Replace(unit, []byte("/usr/local/bin/gospaces"), []byte("/bin/true"), 1)
	require.NoError(t, os.WriteFile(path, unit, 0o600))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
