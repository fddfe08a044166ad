#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random and malformed requests to a server of pram disks.

	nbd-fuzz.py [-s SEED] [-t SECONDS] SOCKET

The server must live, answer what is valid, and keep a page that nobody
touches as it was.  Prints the number of requests.
"""
import argparse
import os
import random
import socket
import struct
import sys
import time

import nbd

OPT_MAGIC = 0x49484156454F5054
REQUEST_MAGIC = 0x25609513
DEADLINE_S = 60
WITNESS_BYTES = 65536  # at the end of each disk; no request here is valid that changes it


class Fuzz:
    def __init__(self, path, seed):
        self.path = path
        self.random = random.Random(seed)
        self.nr = 0
        self.nr_errors = 0

    def connect(self, export="pram0", strict=0):
        h = nbd.NBD()
        h.set_strict_mode(strict)
        h.add_meta_context("base:allocation")
        h.set_export_name(export)
        h.connect_unix(self.path)
        return h

    def raw(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(DEADLINE_S)
        s.connect(self.path)
        return s

    def witness(self):
        """Write what must stay."""
        h = self.connect()
        self.size = h.get_size()
        self.content = random.Random(7).randbytes(WITNESS_BYTES)
        h.pwrite(self.content, self.size - WITNESS_BYTES)

    def verify(self):
        h = self.connect()
        if h.pread(WITNESS_BYTES, self.size - WITNESS_BYTES) != self.content:
            sys.exit("a page that nobody wrote to has changed")
        h.pwrite(b"x" * 4096, 8192)
        if h.pread(4096, 8192) != b"x" * 4096:
            sys.exit("what was written is not read")

    def offset(self):
        r = self.random
        return r.choice([
            0, 1, 511, 4095, 4096, self.size - 1, self.size, self.size + 1, self.size - 4096, 1 << 31, (1 << 32) - 1,
            1 << 32, (1 << 63) - 1, 1 << 62, r.randrange(self.size), r.randrange(self.size), r.randrange(1 << 63)])

    def length(self):
        r = self.random
        return r.choice([0, 1, 511, 512, 4095, 4096, 4097, 65536, 1 << 20, r.randrange(1, 200000)])

    def spares_witness(self, off, count):
        """Is it invalid anyway, or before what must stay?"""
        return off + count > self.size or off >= self.size or off + count <= self.size - WITNESS_BYTES

    def requests(self, nr):
        """Requests by libnbd, valid and not."""
        r = self.random
        h = self.connect()
        big = [(1 << 32) - 1, (1 << 32) - 4096, 1 << 31, (64 << 20) + 1]
        for _ in range(nr):
            off, count, flags = self.offset(), self.length(), r.choice([0, 0, 0, 1, 2, 4, 8, 16, 31, 255])
            kind = r.randrange(7)
            self.nr += 1
            try:
                if kind == 0:
                    if 0 < count:
                        h.pread(count, off, flags)
                elif kind == 1:
                    if self.spares_witness(off, count):
                        h.pwrite(bytes([r.randrange(256)]) * count, off, flags)
                elif kind == 2:
                    count = r.choice(big + [count])
                    if self.spares_witness(off, count):
                        h.trim(count, off, flags)
                elif kind == 3:
                    count = r.choice(big + [count])
                    if self.spares_witness(off, count):
                        h.zero(count, off, flags)
                elif kind == 4:
                    h.flush(flags)
                elif kind == 5:
                    h.cache(r.choice(big + [count]), off, flags)
                else:
                    seen = []
                    h.block_status(r.choice(big + [count]), off, lambda *a: seen.append(a) or 0, flags)
            except nbd.Error:
                self.nr_errors += 1
            if h.aio_is_dead() or h.aio_is_closed():
                h = self.connect()
        # A handle that is dropped hangs up without a word.

    @staticmethod
    def option(number, data=b""):
        return struct.pack(">QII", OPT_MAGIC, number, len(data)) + data

    @classmethod
    def session(cls, export=b"pram0"):
        """The bytes of a client that negotiates, reads, asks for a map, and goes."""
        go = struct.pack(">I", len(export)) + export + struct.pack(">H", 1) + struct.pack(">H", 3)
        context = b"base:allocation"
        meta = struct.pack(">I", len(export)) + export + struct.pack(">II", 1, len(context)) + context
        out = struct.pack(">I", 3)
        out += cls.option(8)  # structured replies
        out += cls.option(3)  # list
        out += cls.option(10, meta)  # set a metadata context
        out += cls.option(7, go)
        out += struct.pack(">IHHQQI", REQUEST_MAGIC, 0, 0, 1, 0, 4096)
        out += struct.pack(">IHHQQI", REQUEST_MAGIC, 0, 1, 2, 0, 16) + b"0123456789abcdef"
        out += struct.pack(">IHHQQI", REQUEST_MAGIC, 0, 7, 3, 0, (1 << 32) - 1)
        out += struct.pack(">IHHQQI", REQUEST_MAGIC, 0, 2, 4, 0, 0)
        return out

    @staticmethod
    def drain(s, seconds=0.05):
        """Read what there is, to the end or until nothing comes."""
        s.settimeout(seconds)
        try:
            while s.recv(65536):
                pass
        except (TimeoutError, socket.timeout, ConnectionError):
            pass

    def send(self, data, wait=False):
        self.nr += 1
        with self.raw() as s:
            try:
                s.sendall(data)
                if wait:
                    s.shutdown(socket.SHUT_WR)
                    self.drain(s, 2)
            except (BrokenPipeError, ConnectionError):
                pass

    def hang_up_everywhere(self):
        """After every byte of a session."""
        data = self.session()
        for n in range(len(data) + 1):
            self.send(data[:n])

    def known_cases(self):
        """What brought other servers down."""
        hello = struct.pack(">I", 3)
        for name in (b"A" * 4096, b"A" * 4097, b"A" * 65536, b"\0", b"\xff" * 255, b"pram0\0x", b""):
            for opt in (1, 6, 7):
                body = name if opt == 1 else struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
                self.send(hello + self.option(opt, body), wait=True)
            for claimed in (0, 1, len(name) + 1, 0x7FFFFFFF, 0xFFFFFFFF):
                self.send(hello + self.option(7, struct.pack(">I", claimed) + name), wait=True)
        # Options that are unknown, too long, out of order, after the end.
        for opt in list(range(0, 14)) + [0x7FFFFFFF, 0xFFFFFFFF]:
            self.send(hello + self.option(opt, os.urandom(40)), wait=True)
        self.send(hello + struct.pack(">QII", OPT_MAGIC, 7, 0xFFFFFFFF), wait=True)
        request = struct.pack(">IHHQQI", REQUEST_MAGIC, 0, 0, 1, 0, 4096)
        self.send(hello + request, wait=True)  # a request before the negotiation's end
        self.send(request, wait=True)
        session = self.session()
        self.send(session + self.option(7, b""), wait=True)  # an option after it
        for kind in list(range(0, 12)) + [0xFFFF]:
            for flags in (0, 0xFFFF):
                for off, count in ((0, 0), (0, 0xFFFFFFFF), ((1 << 64) - 1, 1), ((1 << 64) - 4096, 8192)):
                    if kind == 1 and count > 4096:
                        continue
                    self.send(session + struct.pack(">IHHQQI", REQUEST_MAGIC, flags, kind, 9, off, count),
                              wait=kind != 1 and self.random.randrange(8) == 0)
        for magic in (0, 0xFFFFFFFF, 0x67446698):
            self.send(session + struct.pack(">IHHQQI", magic, 0, 0, 1, 0, 0), wait=True)

    def block_status_of_4g(self):
        h = self.connect("pram1")
        for off in (0, 1, 4096, 12345):
            seen = []
            h.block_status((1 << 32) - 1, off, lambda name, o, entries, err: seen.append(entries) or 0)
            if not seen:
                sys.exit("no block status of 4 GiB - 1")
            h.trim((1 << 32) - 1, off)
            h.zero((1 << 32) - 1, off)
        self.nr += 12

    def garbage(self):
        """A session with bytes changed, cut and repeated."""
        r = self.random
        data = bytearray(self.session())
        for _ in range(r.randrange(1, 8)):
            at = r.randrange(len(data))
            how = r.randrange(4)
            if how == 0:
                data[at] ^= 1 << r.randrange(8)
            elif how == 1:
                data[at:at + 4] = r.choice([b"\xff" * 4, bytes(4), r.randbytes(4)])
            elif how == 2:
                del data[at:at + r.randrange(1, 30)]
            else:
                data[at:at] = data[at:at + r.randrange(1, 60)]
        self.send(bytes(data), wait=r.randrange(16) == 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", dest="seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("-t", dest="seconds", type=float, default=2)
    parser.add_argument("socket")
    args = parser.parse_args()
    print(f"seed {args.seed} (repeat with -s {args.seed})", flush=True)
    end = time.monotonic() + args.seconds
    fuzz = Fuzz(args.socket, args.seed)
    fuzz.witness()
    fuzz.hang_up_everywhere()
    fuzz.known_cases()
    fuzz.block_status_of_4g()
    fuzz.verify()
    while time.monotonic() < end:
        fuzz.requests(100)
        for _ in range(20):
            fuzz.garbage()
        fuzz.verify()
    fuzz.verify()
    print(f"NBD requests: {fuzz.nr}, refused {fuzz.nr_errors}")


main()
