package main

// version is the build's, which packaging sets; see infra/package.
var version = ""

// versionText is for people.
func versionText() string {
	if version == "" {
		return "development"
	}
	return version
}
