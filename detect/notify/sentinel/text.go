package sentinel

import "pushback/detect/notify/text"

// plain returns a text from anywhere as one that Sentinel shows as it is. It
// has at most so many UTF-16 units, not columns, since the service counts what
// has no width too.
func plain(value string, most int) string { return text.CutUnits(text.Safe(value), most) }

// inert makes a value of a comment text and nothing else.
func inert(value string) string { return text.Entities(text.Defang(plain(value, mostValue))) }

// sentence makes a finding inert, which may have several values.
func sentence(value string) string { return text.Entities(text.Defang(plain(value, mostFinding))) }
