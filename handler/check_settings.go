package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"pushback/detect/ledger"
	"pushback/detect/notify/teams"
	"pushback/handler/settings"
)

// settingsOf reads the settings of a file into the environment, and says so. What
// the environment has comes first, and a file that nobody named counts only if the
// environment has no setting at all.
func (c *checker) settingsOf(file settingsFile) error {
	if file.path == "" && slices.ContainsFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, settings.Prefix+"_") }) {
		return nil
	}
	path, names, err := file.apply()
	switch {
	case err != nil && file.path != "":
		return err
	case err != nil:
		c.note("settings", checkFailed, "%v", err)
	case path != "":
		c.note("settings", checkOK, "%s of %s, since the environment does not set them", count(int64(len(names)), "variable"), path)
	}
	return nil
}

// placeholder is the id that local.settings.json.example and infra/main.bicepparam
// have where yours belongs.
const placeholder = "00000000-0000-0000-0000-000000000000"

// unset finds settings that have a placeholder for a value, and forgets them.
func (c *checker) unset() (found bool) {
	refuse := func(name, value, instead string) bool {
		if !strings.Contains(value, placeholder) {
			return false
		}
		found = true
		what := "the placeholder"
		if value != placeholder {
			what = "with the placeholder"
		}
		c.note("settings", checkFailed, "the setting %s_%s is %s, %s of local.settings.json.example: set it to %s", settings.Prefix, name, value, what, instead)
		return true
	}
	s := &c.settings
	const own = "the id of your Log Analytics workspace, on its Overview page in the portal"
	if refuse("WORKSPACE_ID", s.WorkspaceID, own) {
		s.WorkspaceID = ""
	}
	s.AdditionalWorkspaces = slices.DeleteFunc(s.AdditionalWorkspaces, func(id string) bool {
		return refuse("ADDITIONAL_WORKSPACES", id, "the ids of your other workspaces, or to nothing")
	})
	if refuse("WORKSPACE_RESOURCE_ID", s.WorkspaceResourceID, "the resource id of your workspace, or to nothing") {
		s.WorkspaceResourceID = ""
	}
	if refuse("SENTINEL_WORKSPACE", s.SentinelWorkspace, "the resource id of your workspace with Microsoft Sentinel, or to nothing") {
		s.SentinelWorkspace = ""
	}
	return found
}

// timeZoneVariable has the host read the schedule in another time zone than UTC.
const timeZoneVariable = "WEBSITE_TIME_ZONE"

func (c *checker) timeZone() {
	if zone := os.Getenv(timeZoneVariable); zone != "" {
		c.note("schedule", checkWarning, "%s is %.40q: where the plan takes it, the host reads the schedule in that time zone and not in UTC, and Flex Consumption may fail with it. Remove it", timeZoneVariable, zone)
	}
}

// webhooks says what is wrong with the addresses of Teams, without posting.
func (c *checker) webhooks() {
	warn := func(setting string, w teams.WebhookURL) {
		for _, p := range w.Problems() {
			status := checkWarning
			if p.Certain {
				status = checkFailed
			}
			c.note("teams", status, "%s_%s, %s: %s", settings.Prefix, setting, w, p.Text)
		}
	}
	warn("TEAMS_WEBHOOK_URL", c.settings.TeamsWebhookURL)
	for _, r := range c.settings.TeamsRoutes {
		warn("TEAMS_ROUTES", r.Webhook)
	}
	for _, n := range c.settings.TeamsAddresses {
		warn(strings.TrimPrefix(n.Name, settings.Prefix+"_"), n.Webhook)
	}
}

// emulator warns of a connection string that is meant for the storage emulator and
// leads to Azure.
func (c *checker) emulator() {
	for _, v := range []struct{ name, connection string }{
		{settings.Prefix + "_TABLE_CONNECTION", string(c.settings.TableConnection)},
		{hostStorage, os.Getenv(hostStorage)},
	} {
		if ledger.IsEmulatorElsewhere(v.connection) {
			c.note("ledger", checkWarning, "%s has the storage emulator's account, devstoreaccount1, and no TableEndpoint, so that it leads to Azure: set it to UseDevelopmentStorage=true, or add TableEndpoint=%s", v.name, emulatorEndpoint)
		}
	}
}

// emulatorEndpoint is where Azurite serves tables.
const emulatorEndpoint = "http://127.0.0.1:10002/devstoreaccount1"

// everySecond says what a schedule like * */15 * * * * was meant to be.
func everySecond(s *settings.Schedule) string {
	seconds, rest, _ := strings.Cut(s.String(), " ")
	if strings.Trim(seconds, "0123456789") == "" {
		return ""
	}
	return fmt.Sprintf("Its first field are the seconds: for one tick put 0 there, 0 %s", rest)
}
