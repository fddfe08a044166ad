#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What one connection has had acknowledged, another one reads, without a flush.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

serve s "pool=$tmp/pool" size=64M
"$python" - "$(uri s)" <<'PY'
import nbd, random, sys
r = random.Random(1)
conns = [nbd.NBD() for _ in range(8)]
for h in conns:
    h.connect_uri(sys.argv[1])
assert all(h.can_multi_conn() for h in conns)
for i in range(400):
    a, b = r.sample(conns, 2)
    n = r.choice([1, 512, 4096, 5000, 65536])
    off = r.randrange((64 << 20) - n)
    data = r.randbytes(n)
    a.pwrite(data, off)
    assert b.pread(n, off) == data
    if i % 4 == 0:
        b.trim(n, off)
        assert a.pread(n, off) == bytes(n)
# A connection that goes away takes nothing with it.
conns[0].pwrite(b"last", 0)
conns[0].shutdown()
assert conns[1].pread(4, 0) == b"last"
PY
