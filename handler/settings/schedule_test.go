package settings

import (
	"strings"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		text  string
		wrong string // part of what it says, or nothing if it is right
		pause time.Duration
	}{
		{text: "0 */5 * * * *", pause: 5 * time.Minute},
		{text: "* * * * * *", pause: time.Second},
		{text: "0  0 * * * *", pause: time.Hour},
		{text: "0 0 */2 * * *", pause: 2 * time.Hour},
		{text: "30 5/20 * * * *", pause: 20 * time.Minute},
		{text: "0 0,1,59 * * * *", pause: 58 * time.Minute},
		{text: "0 */90 * * * *", pause: time.Hour},
		{text: "0 0-59/10 9-17 * * *", pause: 15*time.Hour + 10*time.Minute},
		{text: "0 0 22-4 * * *", pause: 6 * time.Hour},
		{text: "0 30 9 * * *", pause: day},
		{text: "0 */5 * * * MON-FRI", pause: day},
		{text: "0 */5 * * * sun-Saturday", pause: 5 * time.Minute},
		{text: "0 */5 * * JAN-dec 0-6", pause: 5 * time.Minute},
		{text: "0 */5 * * Feb *", pause: day},
		{text: "0 0 0 29 2 *", pause: day},
		{text: "0 0 0 1-30/2 * *", pause: day},
		{text: "*/5 * * * *", wrong: "of six fields"},
		{text: "0 */5 * * * * *", wrong: "of six fields"},
		{text: "0\t*/5 * * * * *", wrong: "the second is"},
		{text: "99 x foo * bar *", wrong: `; the second is "99" and takes 0 to 59; the minute`},
		{text: "99 x foo * bar *", wrong: `; the minute is "x" and takes 0 to 59`},
		{text: "99 x foo * bar *", wrong: `; the hour is "foo" and takes 0 to 23`},
		{text: "99 x foo * bar *", wrong: `; the month is "bar" and takes 1 to 12 or JAN to DEC`},
		{text: "0 0 24 * * *", wrong: "the hour is"},
		{text: "0 0 0 0 * *", wrong: "the day is"},
		{text: "0 0 0 32 * *", wrong: "the day is"},
		{text: "0 0 0 * * 7", wrong: "the day of the week is \"7\" and takes 0 to 6 or SUN to SAT"},
		{text: "0 0 0 ? * *", wrong: "the day is"},
		{text: "MON 0 0 * * *", wrong: "the second is"},
		{text: "0 1-99 * * * *", wrong: "the minute is"},
		{text: "0 1- * * * *", wrong: "the minute is"},
		{text: "0 -5 * * * *", wrong: "the minute is"},
		{text: "0 1,,2 * * * *", wrong: "the minute is"},
		{text: "0 */0 * * * *", wrong: "the minute is"},
		{text: "0 */x * * * *", wrong: "the minute is"},
		{text: "0 */99999999999999999999 * * * *", wrong: "the minute is"},
		{text: "0 *-5 * * * *", wrong: "the minute is"},
		{text: "0 0 0 30,31 2 *", wrong: "never ticks"},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			var n schedule
			got := n.read(test.text, "")
			switch {
			case test.wrong != "":
				if !strings.HasPrefix(got, "an NCRONTAB expression") || !strings.Contains(got, test.wrong) || n.fields != nil {
					t.Errorf("got %q, want %q", got, test.wrong)
				}
			case got != "":
				t.Error(got)
			case n.plain().Pause() != test.pause:
				t.Errorf("%s pass, want %s", n.plain().Pause(), test.pause)
			}
		})
	}
}

func FuzzNcrontab(f *testing.F) {
	for _, seed := range []string{"0 */5 * * * *", "0 0 22-4 1,15 JAN-dec SUN/2", "x", "0 0 0 31 2 *", "60 * * * * *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n schedule
		if expected := n.read(text, ""); expected != "" {
			if n.fields != nil || strings.ContainsAny(expected, "\n\r\x1b") {
				t.Errorf("%q is refused with %q", text, expected)
			}
			return
		}
		for i, values := range n.fields {
			if f := ncrontabFields[i]; values == 0 || values>>(f.most+1) != 0 || values&(1<<f.least-1) != 0 {
				t.Errorf("%q: the %s has the values %b", text, f.name, values)
			}
		}
		if p := n.plain().Pause(); p <= 0 || p > 24*time.Hour {
			t.Errorf("%q pauses for %s", text, p)
		}
	})
}
