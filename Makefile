# The two commands of the README do their own set-up; see there.

TESTFLAGS ?=
BIN ?= bin/handler

.PHONY: demo test build chromium clean

demo: ## the shipped rule over a generated day
	go run ./handler demo

test: .ci/node_modules/.package-lock.json chromium ## all tests
	go test $(TESTFLAGS) ./...

build: ## the static binary where the Functions host looks for it
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $(BIN) ./handler

# The tools that tests verify against, at the versions of the lock file.
.ci/node_modules/.package-lock.json: .ci/package-lock.json
	npm ci --prefix .ci --no-audit --no-fund --ignore-scripts --loglevel=error

# The browser that the page of cards is tested in. Without root the test is skipped.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; }

clean:
	rm -rf bin .ci/node_modules
