package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/logs"
	"pushback/detect/sample"
)

const (
	standInWorkspace      = "11111111-2222-3333-4444-555555555555"
	standInHost           = "api.loganalytics.io"
	standInToken          = "ey-the-token-of-the-stand-in"
	standInIdentityHeader = "the-header-of-the-identity-endpoint"
)

// standInTeams is the host of the webhook of Teams, and standInTickets of another.
const (
	standInTeams   = "teams.example"
	standInTickets = "tickets.example"
)

// standInFlow is the host of a workflow that only users of the tenant may start,
// standInFlows whom a token for it is made out to, and standInFlowToken that token, of
// the identity standInObject.
const (
	standInFlow      = "d0.2f.environment.api.powerplatform.com"
	standInFlows     = "https://service.flow.microsoft.com/"
	standInObject    = "7a0c1e52-4a6c-4f0e-9c55-0d9b2f1f6a11"
	standInFlowToken = "eyJhbGciOiJub25lIn0.eyJvaWQiOiI3YTBjMWU1Mi00YTZjLTRmMGUtOWM1NS0wZDliMmYxZjZhMTEiLCJ0aWQiOiJmMGUxZDJjMy1iNGE1LTQ2OTctODg3OS02YTViNGMzZDJlMWYifQ.c2lnbmF0dXJlT2ZUaGVUb2tlbg"
)

// standInManager is Azure Resource Manager, standInIngestion the Logs Ingestion
// API, and standInSentinel the workspace with Sentinel.
const (
	standInManager   = "management.azure.com"
	standInIngestion = "pushback-ab12.westeurope-1.ingest.monitor.azure.com"
	standInSentinel  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/logs"
)

// cloudStandIn is what a function app sees of Azure: the managed identity's
// endpoint, and Log Analytics with the local engine behind it. The binary
// reaches it without being set up for it: through a proxy, as in a locked-down network,
// that gives it a server with a certificate for the real name.
type cloudStandIn struct {
	t        testing.TB
	identity *httptest.Server
	proxy    *httptest.Server
	caFile   string
	service  *service.Service
	// fault, if set, sees each query first, with the number of those before it,
	// and says whether it answered it.
	fault func(n int, w http.ResponseWriter, r *http.Request) bool
	// beside, if set, sees each query that is no window's first, and says whether it
	// answered it.
	beside func(body []byte, w http.ResponseWriter) bool

	// noFlowToken has the identity get no token for workflows.
	noFlowToken bool
	// teams and tickets, if set, answer for the webhooks' hosts.
	teams, tickets http.HandlerFunc
	// arm, if set, answers for Azure Resource Manager, and ingestion for the Logs
	// Ingestion API.
	arm, ingestion http.HandlerFunc

	mu      sync.Mutex
	now     time.Time
	queries int
	running int
	most    int // queries at once
}

// sampleTables reads the generated day once.
var sampleTables = sync.OnceValues(func() ([]*kql.Table, error) {
	r := logs.NewReader(logs.Options{})
	for _, f := range sample.Generate(sample.Options{}).Files() {
		if err := r.File(context.Background(), f.Name, bytes.NewReader(f.Content)); err != nil {
			return nil, err
		}
	}
	l, err := r.Finish()
	if err != nil {
		return nil, err
	}
	return l.Tables, nil
})

// newCloud starts a stand-in over the generated day.
func newCloud(t testing.TB) *cloudStandIn {
	t.Helper()
	tables, err := sampleTables()
	if err != nil {
		t.Fatal(err)
	}
	c := &cloudStandIn{t: t}
	c.service = &service.Service{DB: kql.NewDatabase(tables...), Now: c.clock}
	c.identity = httptest.NewServer(http.HandlerFunc(c.serveIdentity))
	t.Cleanup(c.identity.Close)

	certificate := c.certificate()
	conns := &connListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	workspace := &http.Server{Handler: http.HandlerFunc(c.serveWorkspace)}
	go workspace.Serve(tls.NewListener(conns, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	t.Cleanup(func() { workspace.Close() })
	c.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.settle()
		if r.Method != http.MethodConnect || !c.reachable(strings.TrimSuffix(r.Host, ":443")) {
			t.Errorf("the process reaches for %s %s", r.Method, r.Host)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			conn.Close()
			return
		}
		select {
		case conns.conns <- conn:
		case <-conns.closed:
			conn.Close()
		}
	}))
	t.Cleanup(c.proxy.Close)
	return c
}

// reachable reports whether there is a host in the test.
func (c *cloudStandIn) reachable(host string) bool {
	return host == standInHost || (host == standInTeams || host == standInFlow) && c.teams != nil || host == standInTickets && c.tickets != nil || host == standInManager && c.arm != nil || host == standInIngestion && c.ingestion != nil
}

// connListener accepts the connections that it is handed.
type connListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *connListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *connListener) Addr() net.Addr { return &net.TCPAddr{} }

// certificate makes one for the real name, and the file that makes it trusted.
func (c *cloudStandIn) certificate() tls.Certificate {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: standInHost}, DNSNames: []string{standInHost, standInTeams, standInFlow, standInTickets, standInManager, standInIngestion},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.caFile = filepath.Join(c.t.TempDir(), "ca.pem")
	if err := os.WriteFile(c.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// env is what the platform gives the process.
func (c *cloudStandIn) env() []string {
	return []string{
		"IDENTITY_ENDPOINT=" + c.identity.URL + "/msi/token",
		"IDENTITY_HEADER=" + standInIdentityHeader,
		"HTTPS_PROXY=" + c.proxy.URL,
		"SSL_CERT_FILE=" + c.caFile,
		"PUSHBACK_QUERY_RATE=1000000", // days pass in seconds here
	}
}

func (c *cloudStandIn) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *cloudStandIn) setNow(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *cloudStandIn) serveIdentity(w http.ResponseWriter, r *http.Request) {
	c.settle()
	q := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != "/msi/token" || r.Header.Get("X-IDENTITY-HEADER") != standInIdentityHeader ||
		q.Get("api-version") != "2019-08-01" || q.Get("resource") != "https://"+standInHost && (c.teams == nil || q.Get("resource") != standInFlows) && (c.ingestion == nil || q.Get("resource") != "https://monitor.azure.com/") && (c.arm == nil || strings.TrimRight(q.Get("resource"), "/") != "https://management.core.windows.net" && q.Get("resource") != "https://"+standInManager) {
		c.t.Errorf("the identity endpoint got %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	token := standInToken
	if q.Get("resource") == standInFlows {
		token = standInFlowToken
		if c.noFlowToken {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named https://service.flow.microsoft.com/ was not found in the tenant."}`)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]string{
		"access_token": token, "resource": q.Get("resource"), "token_type": "Bearer",
		"expires_on": strconv.FormatInt(time.Now().Add(24*time.Hour).Unix(), 10),
	}); err != nil {
		c.t.Error(err)
	}
}

// settle orders what a test changed before what is served after: between them is
// a process that the race detector does not see.
func (c *cloudStandIn) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

func (c *cloudStandIn) serveWorkspace(w http.ResponseWriter, r *http.Request) {
	c.settle()
	if c.teams != nil && (r.Host == standInTeams || r.Host == standInFlow) {
		c.teams(w, r)
		return
	}
	if c.tickets != nil && r.Host == standInTickets {
		c.tickets(w, r)
		return
	}
	if c.arm != nil && r.Host == standInManager {
		c.arm(w, r)
		return
	}
	if c.ingestion != nil && r.Host == standInIngestion {
		c.ingestion(w, r)
		return
	}
	if r.URL.Path != "/v1/workspaces/"+standInWorkspace+"/query" || r.Header.Get("Authorization") != "Bearer "+standInToken {
		c.t.Errorf("the workspace got %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever asked has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte("// Pushback context ")) || bytes.Contains(body, []byte("// Pushback health ")) || bytes.Contains(body, []byte("// Pushback look ")) { // what is looked up beside the windows
		if c.beside == nil || !c.beside(body, w) {
			c.answer(w, r)
		}
		return
	}
	c.mu.Lock()
	n := c.queries
	c.queries++
	c.running++
	c.most = max(c.most, c.running)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.running--
		c.mu.Unlock()
	}()
	if c.fault != nil && c.fault(n, w, r) {
		return
	}
	c.answer(w, r)
}

// answer answers a query as the workspace would.
func (c *cloudStandIn) answer(w http.ResponseWriter, r *http.Request) {
	resp, err := c.service.Do(r)
	if err != nil {
		return // whoever asked has gone
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// TestProcessWithoutData ticks over a workspace that holds nothing yet and
// answers 204, until there is data.
func TestProcessWithoutData(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	var mu sync.Mutex
	empty := true
	c.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if empty {
			w.WriteHeader(http.StatusNoContent)
		}
		return empty
	}
	h := startHost(t, c, nil)
	for now := at(5, 5); !now.After(at(7, 10)); now = now.Add(5 * time.Minute) {
		h.tick(c, now, http.StatusOK)
	}
	mu.Lock()
	empty = false
	mu.Unlock()
	for now := at(7, 15); !now.After(at(11, 10)); now = now.Add(5 * time.Minute) {
		h.tick(c, now, http.StatusOK)
	}
	h.stop()
	for _, l := range h.log() {
		if l.Level != "INFO" && l.Level != "DEBUG" && !strings.Contains(l.Msg, "memory") {
			t.Errorf("%+v", l)
		}
	}
	if alerts := h.logged("alert"); len(alerts) == 0 {
		t.Error("no alert once there is data")
	}
}
