package text

import "testing"

func TestClient(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36":                         "Chrome 121 on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36 Edg/121.0.0.0":           "Edge 121 on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1": "Safari 17 on iOS",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36":                   "Chrome 120 on Android",
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0":                                                          "Firefox 122 on Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15":                   "Safari 17 on macOS",
		"Mozilla/5.0 Firefox/9":  "Firefox 9",
		"python-requests/2.31.0": "",
		"":                       "",
		"Mozilla/5.0 (Windows NT 10.0; [x](https://evil.example)) Chrome/<b>": "",
		"x Mozilla/5.0 (Windows NT 10.0) Chrome/121":                          "",
	} {
		if got := Client(agent); got != want {
			t.Errorf("Client(%q) = %q, want %q", agent, got, want)
		}
	}
}
