#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""keys_client.py FOLDER TOKEN-FILE PROFILE/KEY [SECONDS]: asks a key socket as casemate-exec does, with
whatever token, and again for so many seconds where nothing was judged. Prints the last answer's status,
reason and message, or "closed" when there is no answer; never a key. Exit code 0: the key came; 1: it
did not."""

import json
import os
import socket
import struct
import sys
import time


def receive(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise ConnectionError("no answer")
        data += more
    return data


def ask(folder, token, key):
    request = json.dumps({"version": 1, "token": token, "keys": [key]}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(90)
        connection.connect(os.path.join(folder, "key.sock"))
        connection.sendall(struct.pack(">I", len(request)) + request)
        head = json.loads(receive(connection, struct.unpack(">I", receive(connection, 4))[0]))
        if head["status"] == "ok":
            receive(connection, sum(head["lengths"]))
        return head


def main():
    folder, token_file, key = sys.argv[1:4]
    end = time.monotonic() + float(sys.argv[4] if len(sys.argv) > 4 else 0)
    with open(token_file, encoding="utf-8") as f:
        token = f.read().strip()
    try:
        head = ask(folder, token, key)
        while head["status"] == "again" and time.monotonic() < end:
            time.sleep(1)
            head = ask(folder, token, key)
    except OSError as e:
        print(f"closed: {e}")
        return 1
    print(head["status"], head.get("reason", ""), head.get("message", ""))
    return 0 if head["status"] == "ok" else 1


sys.exit(main())
