package kql

import (
	"encoding/xml"
	"strings"
)

const (
	// mostXML is how long a text parse_xml() reads, as in the service.
	mostXML = 128 << 10
	// mostXMLDepth bounds how deep its elements are nested.
	mostXMLDepth = 200
)

// parsedXML makes a property bag of an XML document: attributes are @name, text
// beside them is #text, and elements of one name are an array. It is null for
// what is no XML. The decoder reads no entities but those of XML itself, so no
// text grows.
func parsedXML(text string) Value {
	if len(text) > mostXML {
		return Value{}
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = true
	for {
		token, err := d.RawToken()
		if err != nil {
			return Value{}
		}
		switch t := token.(type) {
		case xml.StartElement:
			val, ok := xmlElement(d, t, 0)
			if !ok || !xmlEnds(d) {
				return Value{}
			}
			out := newBag(1)
			out.set(xmlName(t.Name), val)
			return bagValue(out)
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return Value{}
			}
		case xml.EndElement:
			return Value{}
		}
	}
}

// xmlEnds says whether nothing but comments follows the document's element.
func xmlEnds(d *xml.Decoder) bool {
	for {
		token, err := d.RawToken()
		if err != nil {
			return err.Error() == "EOF"
		}
		switch t := token.(type) {
		case xml.StartElement, xml.EndElement:
			return false
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return false
			}
		}
	}
}

// xmlName is a name as it is written, with its prefix.
func xmlName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// xmlElement reads an element behind its start tag.
func xmlElement(d *xml.Decoder, start xml.StartElement, depth int) (Value, bool) {
	if depth > mostXMLDepth {
		return Value{}, false
	}
	out := newBag(len(start.Attr))
	for _, a := range start.Attr {
		out.set("@"+xmlName(a.Name), stringValue(a.Value))
	}
	var text strings.Builder
	children := make(map[string][]Value)
	var order []string
	textFirst := false
	for {
		token, err := d.RawToken()
		if err != nil {
			return Value{}, false
		}
		switch t := token.(type) {
		case xml.CharData:
			part := strings.TrimSpace(string(t))
			if part != "" && text.Len() == 0 {
				textFirst = len(order) == 0
			}
			text.WriteString(part)
		case xml.StartElement:
			val, ok := xmlElement(d, t, depth+1)
			if !ok {
				return Value{}, false
			}
			name := xmlName(t.Name)
			if children[name] == nil {
				order = append(order, name)
			}
			children[name] = append(children[name], val)
		case xml.EndElement:
			if t.Name != start.Name {
				return Value{}, false
			}
			return xmlContent(out, text.String(), textFirst, order, children), true
		}
	}
}

func xmlContent(out *bag, text string, textFirst bool, order []string, children map[string][]Value) Value {
	if len(out.keys) == 0 && len(order) == 0 {
		if text == "" {
			return Value{}
		}
		return xmlText(text)
	}
	if text != "" && textFirst {
		out.set("#text", xmlText(text))
	}
	for _, name := range order {
		val := children[name][0]
		if len(children[name]) > 1 {
			val = arrayValue(children[name])
		}
		out.set(name, val)
	}
	if text != "" && !textFirst {
		out.set("#text", xmlText(text))
	}
	return bagValue(out)
}

// xmlText is what an element says. It is a text, also where it looks like a
// number.
func xmlText(text string) Value { return stringValue(text) }
