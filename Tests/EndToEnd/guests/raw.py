# SPDX-License-Identifier: Apache-2.0
"""Speaks the guest protocol by hand, and breaks it in the way its argument names."""

import json
import os
import socket
import struct
import sys
import time

link = socket.socket(fileno=int(os.environ["BULKHEAD_FD"]))
behaviour = sys.argv[1]


def frame(message, body=b""):
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack(">II", 4 + len(text) + len(body), len(text)) + text + body


def send(message, body=b""):
    link.sendall(frame(message, body))


def exactly(count):
    data = b""
    while len(data) < count:
        piece = link.recv(count - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data


def receive():
    total, length = struct.unpack(">II", exactly(8))
    message = json.loads(exactly(length))
    return message, exactly(total - 4 - length)


def result(request, value, **more):
    return {"jsonrpc": "2.0", "id": request["id"], "result": value, **more}


def ok(request, **more):
    return result(request, {"status": 200, "headers": []}, **more)


def say(text):
    print(text, flush=True)


def linger():
    """Lives on without reading: the host has to end it."""
    while True:
        time.sleep(60)


# Before or at the handshake.

def handshake(protocol=1, handles=("http.request",)):
    request, _ = receive()
    send(result(request, {"protocol": protocol, "sdk": "raw", "handles": list(handles)}))


def silent():
    linger()


def early():
    send({"jsonrpc": "2.0", "id": 1, "method": "config.get", "params": {}})
    linger()


def wrong_protocol():
    handshake(protocol=2)
    linger()


def leave_at_once():
    say("nothing to do")
    sys.exit(3)


# After it: `request` is the first the host sends.

def frame_length(request):
    link.sendall(struct.pack(">II", 0x7FFFFFFF, 2))


def frame_tiny(request):
    link.sendall(struct.pack(">II", 3, 2) + b"{}")


def json_length(request):
    link.sendall(struct.pack(">II", 16, 400_000) + b"x" * 12)


def great_credit(request):
    send({"jsonrpc": "2.0", "method": "$/credit", "params": {"stream": 1, "bytes": 1 << 40}})


def json_too_long(request):
    link.sendall(struct.pack(">II", 300_004, 300_000))


def duplicate_keys(request):
    send(b'{"jsonrpc":"2.0","id":%d,"id":%d,"result":{}}' % (request["id"], request["id"]))


def deep(request):
    send(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")


def not_utf8(request):
    send(b'{"jsonrpc":"2.0","method":"\xff\xfe","params":{}}')


def trailing(request):
    send(b'{"jsonrpc":"2.0","method":"x"} {}')


def no_message(request):
    send({"hello": "world"})


def unknown_id(request):
    send({"jsonrpc": "2.0", "id": 987_654, "result": {}})


def reply_twice(request):
    link.sendall(frame(ok(request), b"once") + frame(ok(request), b"twice"))


def duplicate_id(request):
    slow = {"jsonrpc": "2.0", "id": 5, "method": "sql.query", "params": {"database": "main", "sql":
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9000000)"
            " SELECT count(*) FROM n"}}
    link.sendall(frame(slow) + frame(slow))


def stream_unknown(request):
    send({"jsonrpc": "2.0", "method": "$/data", "params": {"stream": 77, "end": False}}, b"x")


def stream_credit(request):
    send(ok(request, stream=1))
    data = {"jsonrpc": "2.0", "method": "$/data", "params": {"stream": 1, "end": False}}
    for _ in range(1000):
        send(data, b"\0" * 100_000)


def bad_status(request):
    send(result(request, {"status": 99, "headers": []}))
    serve_on()


def bad_header(request):
    send(result(request, {"status": 200, "headers": [["x-split", "a\r\nset-cookie: b=1"]]}), b"x")
    serve_on()


def socket_closed(request):
    link.close()


def frame_timeout(request):
    link.sendall(struct.pack(">II", 1000, 500) + b"{")


def never_answers(request):
    """Reads everything, answers nothing: cancelled calls keep their places."""
    while True:
        receive()


def never_reads(request):
    linger()


def request_flood(request):
    """Asks and asks without reading one answer."""
    asks = b"".join(
        frame({"jsonrpc": "2.0", "id": number, "method": "nobody.knows", "params": {"x": "y" * 500}})
        for number in range(1000))
    while True:
        link.sendall(asks)


def notification_flood(request):
    many = frame({"jsonrpc": "2.0", "method": "$/credit", "params": {"stream": 1, "bytes": 1 << 30}})
    for _ in range(2000):
        link.sendall(many * 500)
    send(ok(request), b"flooded")
    serve_on()


def many_streams(request):
    """Requests with streamed bodies that nobody takes."""
    for number in range(100_000):
        send({"jsonrpc": "2.0", "id": number, "method": "sql.query", "params": {}, "stream": number},
             b"z" * 1000)


def print_flood(request):
    line = ("noise " * 150 + "\n") * 100
    for _ in range(1500):
        sys.stdout.write(line)
    sys.stdout.flush()
    send(ok(request), b"printed")
    serve_on()


def granting(request):
    """Grants gigabytes for an upload, then reads nothing."""
    for _ in range(4):
        send({"jsonrpc": "2.0", "method": "$/credit",
              "params": {"stream": request["stream"], "bytes": (1 << 31) - 1}})
    linger()


def cancels(request):
    """Tells in its log what the host cancels, and answers it then."""
    asked = {request["id"]: request}
    say(f"asked {request['params']['target']}")
    while True:
        message, _ = receive()
        if message.get("method") == "$/cancel":
            say("cancelled")
            cancelled = asked.pop(message["params"]["id"])
            send({"jsonrpc": "2.0", "id": cancelled["id"],
                  "error": {"code": -32800, "message": "cancelled"}})
        elif message.get("method") == "http.request":
            asked[message["id"]] = message
            say(f"asked {message['params']['target']}")
            if message["params"]["target"] == "/quick":
                send(ok(asked.pop(message["id"])), b"quick")
        elif "id" in message:
            send(result(message, {}))
            if message["method"] == "shutdown":
                sys.exit(0)


def stubborn(request):
    """Answers, but not to being told to stop."""
    send(ok(request), b"still here")
    while True:
        message, _ = receive()
        if message.get("method") == "http.request":
            send(ok(message), b"still here")


def serve_on():
    while True:
        message, _ = receive()
        if message.get("method") == "http.request":
            send(ok(message), b"fine")
        elif "id" in message:
            send(result(message, {}))
            if message["method"] == "shutdown":
                sys.exit(0)


BEFORE = {"silent": silent, "early": early, "wrong-protocol": wrong_protocol,
          "leave-at-once": leave_at_once}

if behaviour in BEFORE:
    BEFORE[behaviour]()
handshake()
first, _ = receive()
while first.get("method") != "http.request":
    first, _ = receive()
globals()[behaviour.replace("-", "_")](first)
linger()
