#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# For the machine that is its own client: every thread of the server is an "IO
# flusher" where the privilege is there (tests/kernel/07-pressure.sh runs where
# it always is), and none of them and no worse off where it is not; --swap
# (mlockall) works.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

# mlockall is refused where the limit is low; then --swap itself is.
if serve_log=$(env "${preload[@]}" nbdkit --swap -U - "$PRMEM_PLUGIN" "$tmp/pool" size=8M --run 'nbdinfo --size "$uri"' 2>&1); then
	grep -q 8388608 <<<"$serve_log" || fail "--swap: $serve_log"
else
	grep -qi mlock <<<"$serve_log" || fail "--swap: $serve_log"
fi

serve s "pool=$tmp/pool"
# Requests under way, so that all the threads there are have started.
"$python" - "$(uri s)" "${server_pid[s]}" <<'PY' || exit $?
import glob, nbd, os, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for i in range(64):
    h.pwrite(b"x" * 4096, i * 4096)
PF_MEMALLOC_NOIO = 0x80000
caps = [l for l in open(f"/proc/{sys.argv[2]}/status") if l.startswith("CapEff")][0]
privileged = int(caps.split()[1], 16) >> 24 & 1  # CAP_SYS_RESOURCE
print("with" if privileged else "without", "CAP_SYS_RESOURCE")
tasks = glob.glob(f"/proc/{sys.argv[2]}/task/*/stat")
assert len(tasks) > 1
for t in tasks:
    flags = int(open(t).read().rpartition(")")[2].split()[6])
    assert bool(flags & PF_MEMALLOC_NOIO) == bool(privileged), f"{t}: flags {flags:#x}"
assert h.pread(4096, 4096) == b"x" * 4096
PY
