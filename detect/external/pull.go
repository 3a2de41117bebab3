package external

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	slashpath "path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"pushback/detect/kql"
)

// Limits on what is downloaded.
const (
	mostBytes     = 100 << 20 // what externaldata is made for, as the reference says
	mostTime      = 2 * time.Minute
	mostRedirects = 5
	// manifestName is the file in the folder that lists what was downloaded.
	manifestName = "manifest.json"
)

// Entry is a file that was downloaded.
type Entry struct {
	Address    string    `json:"address"` // without what follows a question mark
	File       string    `json:"file"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"`
	Downloaded time.Time `json:"downloaded"`
}

// Puller downloads files into a folder.
type Puller struct {
	Dir string
	Now func() time.Time
	// Progress, if set, hears how many bytes of a file have come, and how many there
	// are, or -1.
	Progress func(done, total int64)

	public func(netip.Addr) bool // nil for what isPublic says
	tls    *tls.Config
}

// Pull downloads the files of addresses, and adds them to the folder's manifest. It goes
// on behind a file that fails; the error joins all.
func (p *Puller) Pull(ctx context.Context, uris []string) ([]Entry, error) {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("the folder of --external: %w", withoutPath(err))
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of --external: %w", withoutPath(err))
	}
	defer func() { _ = root.Close() }()
	known, err := readManifest(root)
	if err != nil {
		return nil, err
	}
	client := p.client()
	defer client.CloseIdleConnections()
	var pulled []Entry
	var problems []error
	for _, uri := range uris {
		if ctx.Err() != nil {
			problems = append(problems, ctx.Err())
			break
		}
		e, err := p.one(ctx, client, root, uri)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", kql.ExternalName(uri), err))
			continue
		}
		pulled = append(pulled, e)
		known = append(slices.DeleteFunc(known, func(k Entry) bool { return k.File == e.File }), e)
	}
	slices.SortStableFunc(known, func(a, b Entry) int { return strings.Compare(a.File, b.File) })
	text, err := json.MarshalIndent(struct {
		Files []Entry `json:"files"`
	}{known}, "", "  ")
	if err == nil && len(pulled) > 0 {
		err = writeFile(root, manifestName, func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err })
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("%s: %w", manifestName, err))
	}
	return pulled, errors.Join(problems...)
}

func readManifest(root *os.Root) ([]Entry, error) {
	text, err := root.ReadFile(manifestName)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var have struct{ Files []Entry }
	if err == nil {
		err = json.Unmarshal(text, &have)
	}
	if err != nil {
		return nil, fmt.Errorf("%s of the folder can not be read: %w: remove it to begin anew", manifestName, withoutPath(err))
	}
	return have.Files, nil
}

// writeFile puts a file in its place once all of it is there.
func writeFile(root *os.Root, name string, write func(io.Writer) error) error {
	part := name + ".part"
	f, err := root.Create(part)
	if err != nil {
		return withoutPath(err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return withoutPath(root.Rename(part, name))
}

func (p *Puller) one(ctx context.Context, client *http.Client, root *os.Root, uri string) (Entry, error) {
	place, err := Place(uri)
	if err != nil {
		return Entry{}, err
	}
	address, _, _ := strings.Cut(uri, ";")
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "https" {
		return Entry{}, errors.New("only https is downloaded: put the file into the folder yourself, as " + place)
	}
	if u.User != nil {
		return Entry{}, errors.New("the address holds a user or a password, which are not sent")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, mostTime, fmt.Errorf("it takes more than %s", mostTime))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Entry{}, errors.New("the address is not valid")
	}
	request.Header.Set("User-Agent", "pushback")
	response, err := client.Do(request)
	if err != nil {
		return Entry{}, plain(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return Entry{}, fmt.Errorf("the server answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	if response.ContentLength > mostBytes {
		return Entry{}, fmt.Errorf("it is larger than %d MiB", mostBytes>>20)
	}
	if err := root.MkdirAll(slashpath.Dir(place), 0o755); err != nil {
		return Entry{}, withoutPath(err)
	}
	hash := sha256.New()
	body := &counted{of: io.LimitReader(response.Body, mostBytes+1), total: response.ContentLength, tell: p.Progress}
	err = writeFile(root, filepath.FromSlash(place), func(w io.Writer) error {
		if _, err := io.Copy(io.MultiWriter(w, hash), body); err != nil {
			return plain(ctx, err)
		}
		if body.n > mostBytes {
			return fmt.Errorf("it is larger than %d MiB", mostBytes>>20)
		}
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	return Entry{kql.ExternalName(uri), place, body.n, hex.EncodeToString(hash.Sum(nil)), p.Now().UTC().Truncate(time.Second)}, nil
}

// plain is an error without the address, which may hold a token.
func plain(ctx context.Context, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

type counted struct {
	of       io.Reader
	n, total int64
	tell     func(done, total int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.of.Read(p)
	c.n += int64(n)
	if c.tell != nil {
		c.tell(c.n, c.total)
	}
	return n, err
}

// client follows redirects on the same host only, and connects to public addresses
// only. It looks at the very address that it connects to, so that a name that changes
// between two look-ups is of no use. It takes no proxy, which would hide the address.
func (p *Puller) client() *http.Client {
	public := p.public
	if public == nil {
		public = isPublic
	}
	dialer := &net.Dialer{Timeout: 20 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !public(to.Addr()) {
			return errors.New("the host is at an address that is not public, and none such is connected to")
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: p.tls, TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: 30 * time.Second, MaxResponseHeaderBytes: 1 << 20},
		CheckRedirect: func(to *http.Request, before []*http.Request) error {
			switch first := before[0].URL; {
			case to.URL.Scheme != "https":
				return errors.New("the server redirects to what is not https")
			case !strings.EqualFold(to.URL.Host, first.Host):
				return fmt.Errorf("the server redirects to another host, %s: name that address in the rule, or put the file into the folder yourself", to.URL.Hostname())
			case len(before) > mostRedirects:
				return fmt.Errorf("the server redirects more than %d times", mostRedirects)
			}
			return nil
		},
	}
}

// notPublic are networks that are not the public internet's, beside those that the
// library knows as private, local and multicast.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}
