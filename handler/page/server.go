package page

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// rendererVersion is that of the official renderer of cards that the page has.
const rendererVersion = "3.0.5"

// The renderer is Microsoft's adaptivecards of npm, as .ci/cards/renderer.js
// minifies it. A test compares them.
//
//go:embed static adaptivecards
var files embed.FS

// policy lets the page load what is its own and nothing else. No script of another
// origin and none in the page runs, and no text becomes HTML: see trust.js. The
// renderer has names of its own for what it lets become HTML, and asks for them when
// it is loaded: that is Markdown, which the page gives it none of.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"require-trusted-types-for 'script'; trusted-types default adaptivecards#markdownPassthroughPolicy adaptivecards#restoreContentsPolicy adaptivecards#deprecatedExportedFunctionPolicy; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are those of the files that the page has.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	"":      "text/plain; charset=utf-8", // LICENSE
}

// Handler serves the page. Only requests that name the server by an address,
// localhost or the given host are answered: no other site can read the page by a
// name of its own that leads here.
func (p *Page) Handler(host string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "static/index.html") })
	mux.HandleFunc("GET /static/{name}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "static/"+r.PathValue("name")) })
	mux.HandleFunc("GET /adaptivecards/{name}", func(w http.ResponseWriter, r *http.Request) {
		serveFile(w, r, "adaptivecards/"+r.PathValue("name"))
	})
	mux.HandleFunc("GET /run.json", answer("after", func(n int) (any, error) { return p.since(n), nil }))
	mux.HandleFunc("GET /alert.json", answer("n", func(n int) (any, error) { return p.detail(n) }))
	mux.HandleFunc("GET /digest.json", answer("n", func(n int) (any, error) { return p.digest(n) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !names(r.Host, host) {
			http.Error(w, "this page is not served under that name", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// names reports whether a request's host is an address, localhost or the given one.
func names(requested, host string) bool {
	name, _, err := net.SplitHostPort(requested)
	if err != nil {
		name = requested
	}
	_, err = netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || strings.EqualFold(name, "localhost") || host != "" && strings.EqualFold(name, host)
}

// answer answers requests with what the number that they give leads to.
func answer(parameter string, of func(n int) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(cmp.Or(r.URL.Query().Get(parameter), "0"))
		if err != nil {
			http.Error(w, "the parameter "+parameter+" is no number", http.StatusBadRequest)
			return
		}
		v, err := of(n)
		var content []byte
		if err == nil {
			content, err = json.Marshal(v)
		}
		switch {
		case errors.Is(err, errNoAlert):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(content) // whoever asked may have gone
		}
	}
}

// serveFile serves a file of the binary. One that is compressed there goes out as it
// is to who takes it.
func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	contentType, ok := types[path.Ext(name)]
	content, err := files.ReadFile(name)
	if err != nil {
		content, err = files.ReadFile(name + ".gz")
		if err == nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
		} else if err == nil {
			content, err = unpacked(content)
		}
	}
	if err != nil || !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(content) // whoever asked may have gone
}

func unpacked(content []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
