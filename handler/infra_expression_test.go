package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// An expression is one of the language of templates: a text, a call, or something
// else, such as the property of what a call returns, as it stands.
type expression struct {
	source   string
	text     string
	isText   bool
	function string
	args     []expression
}

// parseExpression reads an expression up to a comma or a closing bracket, and returns
// what is left.
func parseExpression(s string) (expression, string, error) {
	s = strings.TrimLeft(s, " ")
	start := s
	if strings.HasPrefix(s, "'") {
		var text strings.Builder
		for i := 1; i < len(s); i++ {
			if s[i] != '\'' {
				text.WriteByte(s[i])
				continue
			}
			if i+1 < len(s) && s[i+1] == '\'' {
				text.WriteByte('\'')
				i++
				continue
			}
			return expression{source: s[:i+1], text: text.String(), isText: true}, s[i+1:], nil
		}
		return expression{}, "", fmt.Errorf("no end of %.40s", s)
	}
	name := strings.IndexAny(s, "(),. []")
	if name < 0 {
		return expression{source: s, function: s}, "", nil
	}
	e := expression{function: s[:name]}
	s = s[name:]
	if strings.HasPrefix(s, "(") {
		s = strings.TrimLeft(s[1:], " ")
		for !strings.HasPrefix(s, ")") {
			arg, rest, err := parseExpression(s)
			if err != nil {
				return expression{}, "", err
			}
			e.args = append(e.args, arg)
			s = strings.TrimLeft(rest, " ")
			switch {
			case strings.HasPrefix(s, ","):
				s = strings.TrimLeft(s[1:], " ")
			case !strings.HasPrefix(s, ")"):
				return expression{}, "", fmt.Errorf("neither another argument nor an end at %.40q", s)
			}
		}
		s = s[1:]
	}
	if strings.HasPrefix(s, "[") { // an item of what the call returns
		_, rest, err := parseExpression(s[1:])
		if err != nil {
			return expression{}, "", err
		}
		e, s = expression{function: "[]"}, strings.TrimPrefix(rest, "]")
	}
	if end := strings.IndexAny(s, "),]"); strings.HasPrefix(s, ".") && end > 0 {
		e, s = expression{function: "."}, s[end:]
	} else if strings.HasPrefix(s, ".") {
		e, s = expression{function: "."}, ""
	}
	e.source = start[:len(start)-len(s)]
	return e, s, nil
}

// appSettingsOf returns the settings that an expression makes of objects, and of
// parameters whose values are given.
func appSettingsOf(text string, parameters map[string]map[string]any) (map[string]any, error) {
	e, rest, err := parseExpression(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil || rest != "" {
		return nil, fmt.Errorf("%.80s: %q is left: %w", text, rest, err)
	}
	settings := map[string]any{}
	var add func(e expression) error
	add = func(e expression) error {
		switch {
		case e.function == "union":
			for _, arg := range e.args {
				if err := add(arg); err != nil {
					return err
				}
			}
		case e.function == "createObject" && len(e.args)%2 == 0:
			for i := 0; i < len(e.args); i += 2 {
				value := e.args[i+1].source
				if e.args[i+1].isText {
					value = e.args[i+1].text
				}
				settings[e.args[i].text] = value
			}
		case e.function == "parameters" && len(e.args) == 1 && parameters[e.args[0].text] != nil:
			maps.Copy(settings, parameters[e.args[0].text])
		default:
			return fmt.Errorf("not settings: %.80s", e.source)
		}
		return nil
	}
	if err := add(e); err != nil {
		return nil, err
	}
	return settings, nil
}

func TestInfraSettingsOf(t *testing.T) {
	t.Parallel()
	got, err := appSettingsOf("[union(createObject('A', 'it''s', 'B', reference('x', '1').y.z), union(createObject(), createObject('C', format('{0}', 'd')), parameters('extraSettings')))]", map[string]map[string]any{"extraSettings": {"C": "given"}})
	if want := map[string]any{"A": "it's", "B": "reference('x', '1').y.z", "C": "given"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, want %v: %v", got, want, err)
	}
	for _, wrong := range []string{"", "[union(createObject('A']", "[variables('a')]", "[parameters('a')]", "[union(createObject('A'))]", "['a"} {
		if got, err := appSettingsOf(wrong, nil); err == nil {
			t.Errorf("%s is %v", wrong, got)
		}
	}
}
