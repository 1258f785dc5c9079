package enginetest

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The part of RFC 6455 that an echo needs: whole messages without fragments, ping and close. No extensions.

const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA

	maxMessage = 1 << 20
)

// acceptKey answers a handshake's Sec-WebSocket-Key (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// serveWebSocket upgrades the connection and sends every message back until the client closes.
func serveWebSocket(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if key == "" || r.Header.Get("Upgrade") != "websocket" {
		http.Error(w, "a WebSocket upgrade is needed here", http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", acceptKey(key))
	for {
		op, payload, err := readFrame(rw.Reader)
		if err != nil {
			return
		}
		if op == opPing {
			op = opPong
		}
		if err := writeFrame(conn, op, payload, false); err != nil || op == opClose {
			return
		}
	}
}

// A WebSocket is the client's end of an open connection through nginx. It keeps the worker that accepted it alive after
// a reload.
type WebSocket struct {
	conn net.Conn
	r    *bufio.Reader
}

// DialWebSocket opens a WebSocket through the lab's nginx, for an URL such as ws://api.example.test/ws, or wss. Whatever
// the host resolves to, the connection goes to the lab.
func (l *Lab) DialWebSocket(rawURL string) (*WebSocket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	conn, err := l.dialTo(u.Scheme)(context.Background(), "", "")
	if err != nil {
		return nil, err
	}
	if u.Scheme == "wss" {
		conn = tls.Client(conn, &tls.Config{RootCAs: l.Roots(), ServerName: u.Hostname()})
	}
	ws := &WebSocket{conn: conn, r: bufio.NewReader(conn)}
	if err := ws.handshake(u); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open %s: %w", rawURL, err)
	}
	return ws, nil
}

func (ws *WebSocket) handshake(u *url.URL) error {
	ws.conn.SetDeadline(time.Now().Add(clientTimeout))
	defer ws.conn.SetDeadline(time.Time{})
	key := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	_, err := fmt.Fprintf(ws.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", u.RequestURI(), u.Host, key)
	if err != nil {
		return err
	}
	res, err := http.ReadResponse(ws.r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != acceptKey(key) {
		return fmt.Errorf("answered %s, not an upgrade", res.Status)
	}
	return nil
}

// Echo sends a text message and returns the message that comes back.
func (ws *WebSocket) Echo(message string) (string, error) {
	ws.conn.SetDeadline(time.Now().Add(clientTimeout))
	defer ws.conn.SetDeadline(time.Time{})
	if err := writeFrame(ws.conn, opText, []byte(message), true); err != nil {
		return "", err
	}
	op, payload, err := readFrame(ws.r)
	if err != nil {
		return "", err
	}
	if op != opText {
		return "", fmt.Errorf("got opcode %#x, not a text message", op)
	}
	return string(payload), nil
}

// Close says goodbye and closes the connection.
func (ws *WebSocket) Close() error {
	_ = writeFrame(ws.conn, opClose, nil, true)
	return ws.conn.Close()
}

// readFrame reads one frame and unmasks it (RFC 6455, section 5.2).
func readFrame(r io.Reader) (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n, err := readLength(r, head[1]&0x7F)
	if err != nil {
		return 0, nil, err
	}
	if n > maxMessage {
		return 0, nil, fmt.Errorf("frame of %d bytes is too large", n)
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	xor(payload, mask)
	return head[0] & 0x0F, payload, nil
}

// readLength reads the extended length that 126 and 127 announce.
func readLength(r io.Reader, short byte) (uint64, error) {
	switch short {
	case 126:
		var n uint16
		err := binary.Read(r, binary.BigEndian, &n)
		return uint64(n), err
	case 127:
		var n uint64
		err := binary.Read(r, binary.BigEndian, &n)
		return n, err
	}
	return uint64(short), nil
}

// writeFrame writes a whole message in one frame. A client must mask, a server must not (RFC 6455, section 5.1).
func writeFrame(w io.Writer, op byte, payload []byte, masked bool) error {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	var mask [4]byte // all zero changes nothing
	if masked {
		rand.Read(mask[:])
		b[1] |= 0x80
		b = append(b, mask[:]...)
	}
	start := len(b)
	b = append(b, payload...)
	xor(b[start:], mask)
	_, err := w.Write(b)
	return err
}

func xor(b []byte, mask [4]byte) {
	for i := range b {
		b[i] ^= mask[i%4]
	}
}
