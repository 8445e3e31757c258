# SPDX-License-Identifier: Apache-2.0
"""peer.py serve SOCKET | peer.py call SOCKET: the test service /test.Echo (see peer.c), served or
called by grpcio. Messages are opaque bytes. A client prints "ok: NAME" or "FAILED: NAME: WHY" a
line."""

import concurrent.futures
import sys
import threading
import time

import grpc

MESSAGE_MAX = [("grpc.max_receive_message_length", 8 << 20)]


class Service(grpc.GenericRpcHandler):
    def __init__(self):
        self.closed = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    def service(self, details):
        method = details.method.removeprefix("/test.Echo/")
        unary = {"Echo": self.echo, "Later": self.later, "Fail": self.fail, "Closed": self.count,
                 "Stop": self.stop}
        if method in unary:
            return grpc.unary_unary_rpc_method_handler(unary[method])
        streaming = {"Repeat": self.repeat, "Hold": self.hold}
        if method in streaming:
            return grpc.unary_stream_rpc_method_handler(streaming[method])
        return None

    def echo(self, message, _context):
        return message

    def later(self, message, _context):
        time.sleep(0.3)
        return message

    def fail(self, message, context):
        code = next(c for c in grpc.StatusCode if c.value[0] == message[0])
        context.abort(code, message[1:].decode())

    def count(self, _message, _context):
        return bytes([self.closed])

    def stop(self, _message, _context):
        self.stopping.set()
        return b""

    def repeat(self, message, _context):
        for _ in range(message[0]):
            yield message

    def hold(self, _message, context):
        ended = threading.Event()

        def end():  # whether or not this generator is asked for a second message
            with self.lock:
                self.closed += 1
            ended.set()

        context.add_callback(end)
        yield b""
        ended.wait()


def serve(path):
    service = Service()
    options = [("grpc.keepalive_time_ms", 200), ("grpc.keepalive_permit_without_calls", 1),
               ("grpc.http2.max_pings_without_data", 0)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(120), options=options)
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port("unix:" + path)
    server.start()
    print("ready", flush=True)
    service.stopping.wait()
    server.stop(0).wait()


def check(name, ok, detail=""):
    if ok:
        print(f"ok: grpcio: {name}", flush=True)
    else:
        print(f"FAILED: grpcio: {name}: {str(detail)[:300]!r}", flush=True)


def outcome(call, *args, **kwargs):
    """What the call returned and its status."""
    try:
        return call(*args, **kwargs), grpc.StatusCode.OK, ""
    except grpc.RpcError as e:
        return None, e.code(), e.details()


class Client:
    def __init__(self, channel):
        self.channel = channel

    def call(self, method, message, **kwargs):
        return outcome(self.channel.unary_unary("/test.Echo/" + method), message, **kwargs)

    def stream(self, method, message, **kwargs):
        return self.channel.unary_stream("/test.Echo/" + method)(message, **kwargs)

    def closed_is(self, want):
        for _ in range(100):
            if self.call("Closed", b"")[0] == bytes([want]):
                return True
            time.sleep(0.02)
        return False

    def unary(self):
        for name, message in {"short": b"hello", "empty": b"", "3 MiB": b"x" * (3 << 20)}.items():
            got = self.call("Echo", message)
            check(f"unary, {name}", got[0] == message, got[1:])
        got = self.call("Nothing", b"")
        check("unknown method", got[1] == grpc.StatusCode.UNIMPLEMENTED, got)
        got = self.call("Echo", b"zipped" * 1000, compression=grpc.Compression.Gzip)
        check("compressed", got[1] == grpc.StatusCode.UNIMPLEMENTED, got)
        got = self.call("Echo", bytes(5 << 20))
        check("too large", got[1] == grpc.StatusCode.RESOURCE_EXHAUSTED, got)
        text = "größer → ∞: 100%\n\"quoted\""
        got = self.call("Fail", bytes([5]) + text.encode())
        check("error with its text", got[1:] == (grpc.StatusCode.NOT_FOUND, text), got)

    def streams(self):
        for name, message in {
            "200 messages": b"\xc8more",
            "30 large ones": b"\x1e" + bytes(100 << 10),
            "no message": b"\x00",
            "a 3.9 MiB answer": b"\x01" + bytes((39 << 20) // 10),
        }.items():
            got = outcome(lambda m: list(self.stream("Repeat", m)), message)
            check(f"stream, {name}", got[0] == [message] * message[0], got[1:])

    def endings(self):
        stream = self.stream("Hold", b"")
        check("a held stream's first message", next(stream) == b"")
        stream.cancel()
        got = outcome(list, stream)
        check("cancelled here", got[1] == grpc.StatusCode.CANCELLED, got)
        check("cancelled there", self.closed_is(1))
        start = time.monotonic()
        got = outcome(list, self.stream("Hold", b"", timeout=0.2))
        took = time.monotonic() - start
        check("deadline here", got[1] == grpc.StatusCode.DEADLINE_EXCEEDED and 0.15 < took < 20,
              (got, took))
        check("deadline there", self.closed_is(2))

    def keepalive(self):
        """Pings every 100 ms, longer than the server has patience with what is idle."""
        stream = self.stream("Hold", b"", timeout=2.5)
        got = outcome(list, stream)
        check("pings for 2.5 s", got[1] == grpc.StatusCode.DEADLINE_EXCEEDED, got)
        check("the pinged stream ends", self.closed_is(3))

    def at_once(self):
        start = time.monotonic()
        later = self.channel.unary_unary("/test.Echo/Later")
        futures = [later.future(b"call %d" % i) for i in range(100)]
        got = [outcome(f.result) for f in futures]
        took = time.monotonic() - start
        check("100 calls at once", [g[0] for g in got] == [b"call %d" % i for i in range(100)]
              and took < 30, (got[0], took))

    def stopped(self):
        stream = self.stream("Hold", b"")
        check("a stream before the server's end", next(stream) == b"")
        self.channel.unary_unary("/test.Echo/Stop").future(b"")
        got = outcome(list, stream)
        check("the server ends with a stream open", got[1] == grpc.StatusCode.UNAVAILABLE, got)


def call(path):
    options = MESSAGE_MAX + [
        ("grpc.default_authority", path.replace("/", "%2F")),
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_timeout_ms", 500),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with grpc.insecure_channel("unix:" + path, options=options) as channel:
        client = Client(channel)
        client.unary()
        client.streams()
        client.endings()
        client.keepalive()
        client.at_once()
        client.stopped()


{"serve": serve, "call": call}[sys.argv[1]](sys.argv[2])
