package nginxconf

import "bytes"

// lua passes over the Lua code of a block, whose opening brace was read, and over its closing brace. Braces in strings and
// in comments don't count.
func (p *parser) lua() error {
	for depth := 1; depth > 0; {
		c, ok := p.peek()
		if !ok {
			return p.wrong("a block of Lua code is not closed")
		}
		rest := p.text[p.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("--[[")), bytes.HasPrefix(rest, []byte("[[")):
			p.until("]]")
		case bytes.HasPrefix(rest, []byte("--")):
			p.until("\n")
		case c == '"' || c == '\'':
			p.pos++
			if _, err := p.quoted(c); err != nil {
				return err
			}
		default:
			p.pos++
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			case '\n':
				p.line++
			}
		}
	}
	return nil
}

// until passes over the text up to and with the mark.
func (p *parser) until(mark string) {
	rest := p.text[p.pos:]
	n := bytes.Index(rest, []byte(mark))
	if n < 0 {
		n = len(rest)
	} else {
		n += len(mark)
	}
	p.line += bytes.Count(rest[:n], []byte("\n"))
	p.pos += n
}
