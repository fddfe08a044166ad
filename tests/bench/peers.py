# SPDX-License-Identifier: BSD-3-Clause
"""The servers that are compared, each on a Unix socket of its own."""
import os
import shutil
import signal
import socket
import subprocess
import time

import nbd

HZ = os.sysconf("SC_CLK_TCK")


class Peer:
    """A server.  argv() says how it is started in the foreground."""

    env = {}
    export = ""
    keeps_data = True

    def __init__(self, directory, size, plugin=None):
        self.dir = os.path.join(directory, self.name)
        os.mkdir(self.dir)
        self.size = size
        self.plugin = plugin
        self.socket = os.path.join(self.dir, "s")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = None

    @property
    def uri(self):
        return f"nbd+unix:///{self.export}?socket={self.socket}"

    def nbdkit(self, *args):
        return ["nbdkit", "-f", "-U", self.socket, *args]

    def file(self):
        path = os.path.join(self.dir, "disk")
        with open(path, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, self.size)
        return path

    def start(self):
        self.process = subprocess.Popen(self.argv(), env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while True:
            try:
                h = self.connect()
                h.shutdown()
                return
            except nbd.Error as error:
                self.process.poll()
                if self.has_ended() or time.monotonic() > deadline:
                    raise SystemExit(f"bench: {self.name} did not start: {error}; see {self.log.name}")
                time.sleep(0.02)

    def server_pid(self):
        return self.process.pid

    def has_ended(self):
        return self.process.returncode is not None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def uris(self):
        return [self.uri]

    def connect(self, uri=None):
        h = nbd.NBD()
        h.connect_uri(uri or self.uri)
        return h

    def trim(self):
        """Make it empty, where it can be."""
        h = self.connect()
        if h.can_trim():
            step = 32 << 20
            for off in range(0, self.size, step):
                h.trim(min(step, self.size - off), off)
        h.shutdown()

    def place(self, cpus):
        """Let it run on these CPUs; its threads and children to come, too."""
        for pid in tree(self.server_pid()):
            for task in os.listdir(f"/proc/{pid}/task"):
                try:
                    os.sched_setaffinity(int(task), cpus)
                except ProcessLookupError:
                    pass  # it has ended meanwhile

    def cpu_s(self):
        """CPU seconds of the server and of its children, gone ones too."""
        return sum(cpu_of(pid) for pid in tree(self.server_pid()))


def tree(pid):
    pids = [pid]
    for p in pids:
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children") as f:
                    pids += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return pids


def cpu_of(pid):
    """Of a process, all its threads, and its children that have ended."""
    try:
        # Its CPU clock (clock_getcpuclockid(3)) counts nanoseconds; /proc counts ticks of 10 ms.
        own_s = time.clock_gettime((~pid << 3) | 2)
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return own_s + sum(int(f) for f in fields[13:15]) / HZ


class PrmemPmem(Peer):
    """prmem on tmpfs, told to take it for persistent memory: all flushes and fences are made."""

    name = "prmem"
    env = {"PMEM_IS_PMEM_FORCE": "1"}
    disks = 1
    disks_used = 1

    def uris(self):
        """One for each disk that is used."""
        return [f"nbd+unix:///pram{i}?socket={self.socket}" for i in range(self.disks_used)]

    def argv(self):
        used = self.size * self.disks_used
        spare = used // 100 + (64 << 20)
        sizes = ",".join([str(self.size)] * self.disks)
        return self.nbdkit(self.plugin, f"pool={self.dir}/pool", f"pool-size={used + spare}", f"sizes={sizes}")


class PrmemCache(PrmemPmem):
    """prmem on tmpfs as an ordinary file."""

    name = "prmem-cache"
    env = {}


class Null(Peer):
    name = "null"
    keeps_data = False

    def argv(self):
        return self.nbdkit("null", f"size={self.size}")


class Floor(Peer):
    """The least that a server of checksummed bytes does: floor_plugin.c."""

    name = "floor"
    plugin_path = os.environ.get("BENCH_FLOOR", "")

    def argv(self):
        path = os.path.join(self.dir, "disk")
        with open(path, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, self.size // 4096 * (4096 + 8))
        return self.nbdkit(self.plugin_path, f"file={path}")

    env = {"PMEM_IS_PMEM_FORCE": "1"}


class Memory(Peer):
    name = "memory"

    def argv(self):
        return self.nbdkit("memory", f"size={self.size}")


class MemoryMalloc(Peer):
    name = "memory-malloc"

    def argv(self):
        return self.nbdkit("memory", f"size={self.size}", "allocator=malloc")


class File(Peer):
    name = "file"

    def argv(self):
        return self.nbdkit("file", self.file())


class Qemu(Peer):
    name = "qemu-nbd"

    def argv(self):
        return ["qemu-nbd", "-t", "-e", "64", "-f", "raw", "--cache=writeback", "--discard=unmap", "-k", self.socket,
                self.file()]


class NbdServer(Peer):
    name = "nbd-server"
    export = "x"

    def argv(self):
        conf, self.pid_file = os.path.join(self.dir, "conf"), os.path.join(self.dir, "pid")
        # It opens a port in any case: one that is free just now.
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with open(conf, "w") as f:
            f.write(f"[generic]\nunixsock={self.socket}\nport={port}\nlistenaddr=127.0.0.1\nduallisten=false\n"
                    f"[x]\nexportname={self.file()}\nflush=true\nfua=true\ntrim=true\n")
        return ["nbd-server", "-C", conf, "-p", self.pid_file]

    def server_pid(self):
        # In the foreground it would serve one client only.
        with open(self.pid_file) as f:
            return int(f.read())

    def has_ended(self):
        return self.process.returncode not in (None, 0)

    def stop(self):
        try:
            os.kill(self.server_pid(), signal.SIGTERM)
        except (OSError, ValueError):
            pass
        super().stop()


ALL = [PrmemPmem, PrmemCache, Null, Floor, Memory, MemoryMalloc, File, Qemu, NbdServer]
NEEDS = {"qemu-nbd": "qemu-utils", "nbd-server": "nbd-server", "fio": "fio", "nbdkit": "nbdkit",
         "nbdcopy": "libnbd-bin"}
