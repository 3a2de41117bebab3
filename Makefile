# The two commands of the README do their own set-up; see there.

TESTFLAGS ?=
BIN ?= bin/handler

.PHONY: demo test build package chromium clean

demo: ## the shipped rule over a generated day
	go run ./handler demo

test: .ci/node_modules/.package-lock.json .ci/venv/.installed chromium ## all tests
	go test -timeout 28m $(TESTFLAGS) ./...

# The tool itself is of this machine, whatever the binary is of.
build: ## the static binary where the Functions host looks for it, for this machine unless GOOS and GOARCH say which
	GOOS= GOARCH= go run ./infra/build -o $(BIN) -os '$(GOOS)' -arch '$(GOARCH)'

package: ## pushback.zip, which a function app is deployed from
	GOOS= GOARCH= go run ./infra/package -o pushback.zip

# The tools that tests verify against, at the versions of the lock file.
.ci/node_modules/.package-lock.json: .ci/package-lock.json
	npm ci --prefix .ci --no-audit --no-fund --ignore-scripts --loglevel=error

# The browser that the page of cards is tested in. Without root the test is skipped.
chromium:
	@for name in chromium chromium-browser google-chrome; do ! command -v $$name >/dev/null || exit 0; done; \
		[ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; }

# What reads the Bicep. Without python3-venv, and root to install it, the test is skipped.
.ci/venv/.installed: .ci/requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv; }
	@if python3 -c 'import ensurepip' 2>/dev/null; then rm -rf .ci/venv && python3 -m venv .ci/venv && \
		.ci/venv/bin/pip install -q --disable-pip-version-check --no-deps -r .ci/requirements.txt && touch $@; fi

clean:
	rm -rf bin pushback.zip .ci/node_modules .ci/venv
