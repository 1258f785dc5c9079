package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func overHTTP(s *stage) (err error) {
	srv, err := s.serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	body := fmt.Sprintf(`{"domain":"blog.example.com","upstream_host":"127.0.0.1","upstream_port":%d,"enable_ssl":false}`, s.upstreams["green"].Port())

	before := s.lab.Tree()
	dry := s.request(srv, "PUT", "/proxies/blog?dry_run=true", body)
	s.prove(dry.status == 200 && dry.has("dry_run", true) && s.unchanged(before), "a dry run answers with the plan and changes nothing")

	put := s.request(srv, "PUT", "/proxies/blog", body)
	s.prove(put.status == 201, "PUT creates a route: 201")
	s.prove(s.body("blog.example.com", "/name") == "green", "PUT answers once nginx serves the route, not before")

	get := s.request(srv, "GET", "/proxies/blog", "")
	s.prove(get.status == 200 && get.has("status", "active"), "GET shows the route: active")

	ssl := s.request(srv, "POST", "/proxies/blog/ssl", "{}")
	s.prove(ssl.status == 200 && ssl.value["expiry"] != nil, "POST .../ssl obtains the certificate")
	serial, err := s.serial("blog.example.com")
	s.prove(err == nil && serial != "", "the route is served over HTTPS with it")

	bad := s.request(srv, "PUT", "/proxies/blog", `{"domain":"blog.example.com; return 200","upstream_port":1}`)
	s.prove(bad.status == 400, "what is no domain is refused with the field and what it must be: 400")

	deleted := s.request(srv, "DELETE", "/proxies/blog", "")
	s.prove(deleted.status == 200 && deleted.has("status", "deleted"), "DELETE removes the route")
	s.prove(s.unchanged(before), "DELETE leaves no trace in nginx's files")
	return nil
}

// A server is a running "proxy-manager serve".
type server struct {
	cmd  *exec.Cmd
	base string
}

func (s *stage) serve() (*server, error) {
	port := strconv.Itoa(s.lab.FreePort())
	s.typed(nil, []string{"serve", "--port", port, "&"})
	cmd := s.process(nil, "serve", "--port", port)
	log, err := os.Create(s.dir + "/serve.log")
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	srv := &server{cmd, "http://127.0.0.1:" + port}
	for range 200 {
		if res, err := http.Get(srv.base + "/health"); err == nil {
			return srv, res.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return nil, errors.Join(fmt.Errorf("serve does not answer within 10 s; its log:\n%s", text), srv.stop())
}

func (srv *server) stop() error {
	if err := srv.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := srv.cmd.Wait(); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// An answer is what the server said.
type answer struct {
	status int
	value  map[string]any
}

func (a answer) has(key string, value any) bool { return a.value[key] == value }

// request shows a request as the curl that makes it, and its answer. One that fails has the status 0.
func (s *stage) request(srv *server, method, path, body string) answer {
	words := []string{"curl", "-X", method}
	if method == "GET" {
		words = words[:1]
	}
	if body != "" {
		words = append(words, "-H", "'Content-Type: application/json'", "-d", "'"+body+"'")
	}
	s.print("\n  $ %s\n", s.paint(bold, strings.Join(append(words, "'"+srv.base+path+"'"), " ")))
	a, text, err := srv.ask(method, path, body)
	if err != nil {
		s.show(err.Error())
		return answer{}
	}
	s.show(fmt.Sprintf("%d %s", a.status, shorten(text)))
	return a
}

func (srv *server) ask(method, path, body string) (a answer, text string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, srv.base+path, strings.NewReader(body))
	if err != nil {
		return a, "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return a, "", err
	}
	a.status = res.StatusCode
	return a, string(b), json.Unmarshal(b, &a.value)
}

// shorten keeps a whole plan from filling the screen.
func shorten(text string) string {
	const most = 600
	if len(text) <= most {
		return text
	}
	return text[:most] + " ..."
}
