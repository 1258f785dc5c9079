package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A service is a running "proxy-manager serve".
type service struct {
	cmd    *exec.Cmd
	url    string
	client *http.Client
}

// serve starts the program on a host and returns when it answers.
func (b *bench) serve(h *host) (*service, error) {
	port := strconv.Itoa(h.FreePort())
	cmd := exec.Command(b.binary, "serve")
	cmd.Env = append(append(os.Environ(), h.Env()...), "PROXY_MANAGER_HOST=127.0.0.1", "PROXY_MANAGER_PORT="+port, "LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the program (make build): %w", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	s := &service{cmd: cmd, url: "http://127.0.0.1:" + port, client: &http.Client{Transport: transport, Timeout: 5 * time.Minute}}
	for range 200 {
		resp, err := s.client.Get(s.url + "/health")
		if err == nil {
			return s, resp.Body.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("proxy-manager serve does not answer"), s.stop())
}

func (s *service) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// put puts a route, and fails unless it is served afterwards.
func (s *service) put(f resources.RouteFields) error {
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = s.call(http.MethodPut, "/proxies/"+f.DropletName, body)
	return err
}

func (s *service) call(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s: %.500s", method, path, resp.Status, answer)
	}
	return answer, err
}

var (
	rssLine  = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`)
	peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB`)
)

// memory returns what the program holds in memory now, and the most it has held, in megabytes.
func (s *service) memory() (now, peak float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	return megabytes(rssLine, b), megabytes(peakLine, b), nil
}

func megabytes(line *regexp.Regexp, status []byte) float64 {
	m := line.FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024
}
