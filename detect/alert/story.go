package alert

import "strings"

// storyPrefix is that of a story's id. A rule's id is a GUID, so that none begins
// with it.
const storyPrefix = "story:"

// StoryID returns the id of a story that rules share, by its name. The ledger
// keeps what is noted of the story under it, as it does for a rule under the
// rule's id.
func StoryID(name string) string { return storyPrefix + name }

// IsStoryID reports whether an id is a story's and no rule's.
func IsStoryID(id string) bool { return strings.HasPrefix(id, storyPrefix) }
