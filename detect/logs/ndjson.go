package logs

import "bytes"

// readNDJSON reads one record per line. A line that is bad costs only itself.
func (f *file) readNDJSON() error {
	for {
		line, ok := f.w.nextLine()
		if !ok {
			return nil
		}
		if f.badPiece(line) {
			continue
		}
		text := bytes.TrimRight(line.text, " \t\r")
		if len(text) == 0 {
			continue
		}
		if err := f.value(text, line.line, line.column); err != nil {
			return err
		}
	}
}
