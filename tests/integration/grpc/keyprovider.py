# SPDX-License-Identifier: Apache-2.0
"""keyprovider.py SOCKET METHOD: calls a method of ocicrypt's key provider (its proto has one message,
of one field of bytes) with the JSON on standard input. Prints the answer's JSON, or "STATUS: MESSAGE"
on standard error, with code 1."""

import sys

import grpc


def frame(data):
    head, n = bytearray([0x0A]), len(data)
    while n > 0x7F:
        head.append(0x80 | n & 0x7F)
        n >>= 7
    return bytes(head) + bytes([n]) + data


def unframe(message):
    at = next(i for i in range(1, len(message)) if message[i] < 0x80) + 1
    return message[at:]


def main():
    path, method = sys.argv[1:]
    with grpc.insecure_channel("unix:" + path) as channel:
        call = channel.unary_unary("/keyprovider.KeyProviderService/" + method)
        try:
            answer = call(frame(sys.stdin.buffer.read()), timeout=60)
        except grpc.RpcError as e:
            sys.exit(f"{e.code().name}: {e.details()}")
    sys.stdout.buffer.write(unframe(answer))


main()
