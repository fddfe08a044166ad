# SPDX-License-Identifier: BSD-3-Clause
"""What is done to a server, and how it is measured."""
import contextlib
import json
import os
import subprocess
import time

import nbd

CPUS = os.sched_getaffinity(0)


@contextlib.contextmanager
def placed(peer, one_cpu):
    """
    Let server and client run on all CPUs, or both on one.  With one connection
    the scheduler puts them on one CPU or on two as it likes, and wakes up an
    idle one or not: that alone makes the throughput of any server differ by
    five times from run to run.
    """
    cpus = {min(CPUS)} if one_cpu else CPUS
    peer.place(cpus)
    os.sched_setaffinity(0, cpus)  # what is started meanwhile, too
    try:
        yield
    finally:
        peer.place(CPUS)
        os.sched_setaffinity(0, CPUS)


class Result:
    def __init__(self, seconds, requests, nr_bytes, cpu_s):
        self.rate = requests / seconds
        self.mib_s = nr_bytes / seconds / (1 << 20)
        self.cpu_us = cpu_s * 1e6 / requests

    def as_dict(self):
        return {"per_s": self.rate, "mib_per_s": self.mib_s, "server_cpu_us": self.cpu_us}


class Fio:
    """A job of fio's nbd engine."""

    def __init__(self, name, rw, bs, depth, conns=1, fresh=False, extra=(), small=False):
        self.name = name
        self.args = [f"--rw={rw}", f"--bs={bs}", f"--iodepth={depth}", f"--numjobs={conns}", *extra]
        self.fresh = fresh
        self.small = small  # requests of 4 KiB or less
        self.page = bs == "4k"
        self.one_cpu = small and conns == 1

    def run(self, peer, seconds, directory):
        if self.fresh:
            peer.trim()
        argv = ["fio", "--name=global", "--ioengine=nbd", "--randseed=1", "--group_reporting",
                "--output-format=json", "--refill_buffers=0", "--thread", f"--runtime={int(seconds * 1000)}ms",
                f"--size={peer.size}", *self.args]
        if not self.fresh:
            # For so long; what is fresh ends when all of it has been written.
            argv.append("--time_based")
        for i, uri in enumerate(peer.uris()):
            argv += [f"--name=job{i}", f"--uri={uri}"]
        with placed(peer, self.one_cpu):
            before = peer.cpu_s()
            done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            cpu_s = peer.cpu_s() - before
        try:
            out = done.stdout.decode()
            job = json.loads(out[out.index("{"):])["jobs"][0]
        except (ValueError, KeyError, IndexError):
            job = None
        if done.returncode != 0 or job is None or job["error"] != 0:
            raise SystemExit(f"bench: fio fails on {peer.name}, {self.name}: {done.stderr.decode() or job}")
        parts = [job[kind] for kind in ("read", "write", "trim")]
        requests = sum(part["total_ios"] for part in parts)
        return Result(max(part["runtime"] for part in parts) / 1000, requests, sum(part["io_bytes"] for part in parts),
                      cpu_s)


class Fua:
    """Writes with FUA, one after the other, by libnbd from Python."""

    small = True

    def __init__(self, name, nr_bytes):
        self.name = name
        self.bytes = nr_bytes
        self.page = nr_bytes == 4096

    def run(self, peer, seconds, _directory):
        with placed(peer, True):
            return self.write(peer, seconds)

    def write(self, peer, seconds):
        h = peer.connect()
        flags = nbd.CMD_FLAG_FUA if h.can_fua() else 0
        buf = os.urandom(self.bytes)
        nr, off, step = 0, 0, self.bytes * 1021
        before, start = peer.cpu_s(), time.monotonic()
        while time.monotonic() - start < seconds:
            for _ in range(32):
                h.pwrite(buf, off, flags)
                off = (off + step) % (peer.size - self.bytes)
                off -= off % self.bytes
            nr += 32
        took = time.monotonic() - start
        cpu_s = peer.cpu_s() - before
        h.shutdown()
        return Result(took, nr, nr * self.bytes, cpu_s)


class Copy:
    """nbdcopy of a whole image."""

    small = False
    page = False

    def __init__(self, name, into):
        self.name = name
        self.into = into

    def run(self, peer, _seconds, directory):
        image = os.path.join(directory, "image")
        if self.into:
            peer.trim()
            argv = ["nbdcopy", image, peer.uri]
        else:
            argv = ["nbdcopy", peer.uri, "null:"]
        before, start = peer.cpu_s(), time.monotonic()
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        took = time.monotonic() - start
        return Result(took, peer.size >> 20, peer.size, peer.cpu_s() - before)


def make_image(directory, size):
    block = os.urandom(1 << 20)
    with open(os.path.join(directory, "image"), "wb") as f:
        for i in range(size >> 20):
            f.write(i.to_bytes(8, "little") + block[8:])


def fill(peer):
    """Write all of it once, with bytes that are not zero."""
    if not peer.keeps_data:
        return
    block = os.urandom(1 << 20)
    for uri in peer.uris():
        h = peer.connect(uri)
        for off in range(0, peer.size, 1 << 20):
            h.pwrite(off.to_bytes(8, "little") + block[8:], off)
        h.shutdown()


def all_workloads():
    jobs = [Fio("read 1 MiB, sequential, depth 8", "read", "1m", 8),
            Fio("write 1 MiB, sequential, depth 8", "write", "1m", 8)]
    for what, rw in (("read", "randread"), ("overwrite", "randwrite"), ("mixed", "randrw")):
        for depth in (1, 32):
            for conns in (1, 4):
                name = f"{what} 4 KiB, depth {depth}, {conns} connection" + ("s" if conns > 1 else "")
                jobs.append(Fio(name, rw, "4k", depth, conns, small=True, extra=("--norandommap",)))
    jobs += [Fio("overwrite 512 bytes, depth 32", "randwrite", "512", 32, small=True, extra=("--norandommap",)),
             Fio("fresh write 512 bytes, depth 32", "randwrite", "512", 32, fresh=True, small=True),
             Fio("fresh write 4 KiB, depth 32", "randwrite", "4k", 32, fresh=True, small=True),
             Fio("fresh write 1 MiB, depth 8", "write", "1m", 8, fresh=True),
             Fio("overwrite 4 KiB, flush after each", "randwrite", "4k", 1, extra=("--fsync=1", "--norandommap"),
                 small=True),
             Fio("overwrite 4 KiB, depth 32, flush after 32", "randwrite", "4k", 32,
                 extra=("--fsync=32", "--norandommap"), small=True),
             Fua("overwrite 4 KiB with FUA, depth 1", 4096),
             Fio("trim 64 KiB, depth 32", "randtrim", "64k", 32, extra=("--norandommap",)),
             Copy("nbdcopy in", True),
             Copy("nbdcopy out", False)]
    return jobs
