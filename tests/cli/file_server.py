"""A host of files for the tests of fetching, on this machine: it can be told, request by request, how to misbehave. Also a
proxy. Python's standard library only."""
import http.server
import socket
import threading
import time
import urllib.request

PIECE = 16 * 1024


class Served:
    """One file: its bytes, and what to do with the next requests (functions that take the handler); afterwards and by
    default ranges are honoured as a good host does."""

    def __init__(self, data, etag='"1"', modified=None):
        self.data, self.etag, self.modified = data, etag, modified
        self.next = []
        self.always = None
        self.requests = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        served = self.server.files.get(self.path)
        if served is None:
            self.send_error(404)
            return
        self.served = served
        with self.server.lock:
            served.requests.append(dict(self.headers))
            action = served.next.pop(0) if served.next else served.always or good
        try:
            action(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def validators(self):
        if self.served.etag:
            self.send_header("ETag", self.served.etag)
        if self.served.modified:
            self.send_header("Last-Modified", self.served.modified)

    def asked_from(self):
        """Where the asked range begins; 0 for the whole, also where If-Range says that the file has changed."""
        text = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if text is None or (condition is not None and condition not in (self.served.etag, self.served.modified)):
            return 0
        return int(text.removeprefix("bytes=").removesuffix("-"))

    def start(self, begin, length=None):
        """The head of an answer that holds everything from `begin` on."""
        total = len(self.served.data)
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - begin if length is None else length))
        self.validators()
        self.end_headers()

    def end_abruptly(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def good(handler):
    begin = handler.asked_from()
    if begin >= len(handler.served.data):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(handler.served.data)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.start(begin)
    handler.wfile.write(handler.served.data[begin:])


def without_ranges(handler):
    handler.start(0)
    handler.wfile.write(handler.served.data)


def cut_after(count):
    """`count` bytes of what was asked for, then the connection ends."""
    def action(handler):
        begin = handler.asked_from()
        handler.start(begin)
        handler.wfile.write(handler.served.data[begin:begin + count])
        handler.end_abruptly()
    return action


def stalled_after(count):
    """The same, but the connection stays and nothing comes."""
    def action(handler):
        begin = handler.asked_from()
        handler.start(begin)
        handler.wfile.write(handler.served.data[begin:begin + count])
        handler.wfile.flush()
        handler.server.ended.wait(60)
        handler.close_connection = True
    return action


def slow(seconds):
    """Everything that was asked for, spread over so many seconds."""
    def action(handler):
        begin = handler.asked_from()
        handler.start(begin)
        rest = handler.served.data[begin:]
        for at in range(0, len(rest), PIECE):
            handler.wfile.write(rest[at:at + PIECE])
            handler.wfile.flush()
            time.sleep(seconds * PIECE / len(rest))
    return action


def held(event):
    """Half of what was asked for, and the rest when `event` is set."""
    def action(handler):
        begin = handler.asked_from()
        handler.start(begin)
        middle = (begin + len(handler.served.data)) // 2
        handler.wfile.write(handler.served.data[begin:middle])
        handler.wfile.flush()
        event.wait(60)
        handler.wfile.write(handler.served.data[middle:])
    return action


def status(code):
    return lambda handler: handler.send_error(code)


def redirect(location, headers=()):
    def action(handler):
        handler.send_response(302)
        handler.send_header("Location", location)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return action


def announcing(length):
    """A whole file whose head says another length."""
    def action(handler):
        handler.start(0, length)
        handler.wfile.write(handler.served.data)
        handler.end_abruptly()
    return action


def without_length(more=b""):
    """Until the connection ends, followed by what does not belong to the file."""
    def action(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(handler.served.data + more)
        handler.close_connection = True
    return action


def endless(a_second=None):
    """The file and then zeros, without a length, until the client goes away; `a_second` bytes of them, or as fast as can
    be. `served.sent` counts."""
    def action(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(handler.served.data)
        handler.served.sent = len(handler.served.data)
        while not handler.server.ended.wait(PIECE / a_second if a_second else 0):
            handler.wfile.write(bytes(PIECE))
            handler.served.sent += PIECE
    return action


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests of http on; of https only the wish is noted."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_CONNECT(self):
        self.server.asked.append("CONNECT " + self.path)
        self.send_error(502)

    def do_GET(self):
        self.server.asked.append(self.path)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.path) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class FileServer(http.server.ThreadingHTTPServer):
    """Runs from its making until `close`."""
    daemon_threads = True
    block_on_close = False

    def __init__(self, handler=Handler, host="127.0.0.1"):
        super().__init__((host, 0), handler)
        self.files, self.asked = {}, []
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def handle_error(self, request, client_address):
        """A client that goes away is nothing to write about."""

    @property
    def address(self):
        return "http://{}:{}".format(*self.server_address)

    def serve(self, path, *arguments, **more):
        self.files[path] = Served(*arguments, **more)
        return self.files[path]

    def close(self):
        self.ended.set()
        self.shutdown()
        self.server_close()
