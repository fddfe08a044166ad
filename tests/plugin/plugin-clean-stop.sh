#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM while clients write: the server ends well, the pool is closed (its
# owner record names nobody), and what was acknowledged is there.  nbdkit calls
# no .close for the connections that the signal ends.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

owner() {
	od -An -tu8 -j $((4096 + 24)) -N 8 "$tmp/pool" | tr -d ' '
}

for round in 1 2 3; do
	serve s "pool=$tmp/pool" size=16M
	is "$(owner)" "${server_pid[s]}" "owner while it is served"
	"$python" - "$(uri s)" "${server_pid[s]}" "$tmp/acknowledged" <<'PY'
import nbd, os, signal, sys
conns = [nbd.NBD() for _ in range(4)]
for h in conns:
    h.connect_uri(sys.argv[1])
acknowledged = []
i = 0
try:
    while i < 1000000:
        if i == 100:
            os.kill(int(sys.argv[2]), signal.SIGTERM)
        conns[i % 4].pwrite(i.to_bytes(4, "big") * 1024, i % 4096 * 4096)
        acknowledged.append(i)
        i += 1
except nbd.Error:
    pass
open(sys.argv[3], "w").write("\n".join(map(str, acknowledged[-4096:])))
PY
	wait "${server_pid[s]}" || fail "the server ended with status $? in round $round"
	unset "server_pid[s]"
	is "$(owner)" 0 "owner after the end"
	serve s "pool=$tmp/pool"
	"$python" - "$(uri s)" "$tmp/acknowledged" <<'PY' || fail "acknowledged and lost"
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
last = [int(l) for l in open(sys.argv[2])]
assert len(last) >= 100
for i in last[:-1]:
    assert h.pread(4096, i % 4096 * 4096) == i.to_bytes(4, "big") * 1024, i
# The write after the last acknowledged one may be there or not; it is the next page.
assert h.pread(4096, last[-1] % 4096 * 4096) == last[-1].to_bytes(4, "big") * 1024
PY
	stop s
done
