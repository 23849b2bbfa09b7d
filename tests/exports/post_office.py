"""An SMTP server on loopback that keeps what it is sent, or refuses it (RFC 5321, the little that is needed)."""

import socketserver
import threading
from email import message_from_bytes, policy


class Conversation(socketserver.StreamRequestHandler):
    """One client."""

    timeout = 10

    def handle(self):
        self.say(220)
        while line := self.rfile.readline().strip().upper():
            verb = line.split(b" ")[0].split(b":")[0]
            if verb == b"DATA":
                self.take()
            elif verb == b"RCPT" and self.server.refuses:
                self.say(450, "mailbox busy")
            elif verb == b"QUIT":
                return self.say(221)
            else:
                self.say(250)
        return None

    def take(self):
        self.say(354)
        lines = iter(self.rfile.readline, b".\r\n")
        text = b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)
        self.server.taken.append(message_from_bytes(text, policy=policy.default))
        self.say(250)

    def say(self, code, words="ok"):
        self.wfile.write(f"{code} {words}\r\n".encode())


class PostOffice(socketserver.ThreadingTCPServer):
    """Listens on a port of its own; `taken` are the messages."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.taken, self.refuses = [], False
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]
