package sample

// device is what a sign-in says of the machine it comes from.
type device struct {
	id, name, os, browser string
	compliant, managed    bool
	trust                 string
	agent                 string
}

// model is a kind of device that the company's people have.
type model struct {
	os, browser, agent, prefix, trust string
	phone                             bool
}

var models = []model{
	{"Windows11", "Edge 122.0.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 Edg/122.0.0.0", "LT-", "Azure AD joined", false},
	{"Windows10", "Chrome 122.0.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36", "WS-", "Hybrid Azure AD joined", false},
	{"Windows11", "Firefox 123.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:123.0) Gecko/20100101 Firefox/123.0", "LT-", "Azure AD joined", false},
	{"MacOs", "Safari 17.3", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Safari/605.1.15", "MB-", "Azure AD registered", false},
	{"Ios 17.3.1", "Mobile Safari 17.3", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Mobile/15E148 Safari/604.1", "iPhone-", "Azure AD registered", true},
	{"Android 14", "Chrome Mobile 122.0.0", "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Mobile Safari/537.36", "Android-", "Azure AD registered", true},
}

// laptops and phones are the indexes of models by kind.
var (
	laptops = []int{0, 0, 0, 1, 1, 2, 3, 3}
	phones  = []int{4, 4, 5}
)

// newDevice makes somebody's device of a model.
func newDevice(r random, m model) device {
	id := r.guid()
	return device{
		id: id, name: m.prefix + id[:8], os: m.os, browser: m.browser,
		compliant: !m.phone || r.chance(0.8), managed: !m.phone || r.chance(0.8),
		trust: m.trust, agent: m.agent,
	}
}

// The devices of those who have no business here: unregistered, and odd.
var (
	scriptedDevice = device{agent: "python-requests/2.31.0"}
	headlessDevice = device{os: "Linux", browser: "Chrome 119.0.0", agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36"}
	rentedDevice   = device{os: "Windows10", browser: "Chrome 121.0.0", agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36"}
	kaliDevice     = device{os: "Linux", browser: "Firefox 115.0", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"}
	proxyDevice    = device{os: "Windows10", browser: "Edge 121.0.0", agent: "axios/1.6.5"}
)
