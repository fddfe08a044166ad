#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Whatever was acknowledged is there after SIGKILL, with the size left out.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

serve s "pool=$tmp/pool" size=64M
for round in 1 2 3 4 5; do
	# 200 writes of all kinds, none flushed; the server dies at once.
	"$python" - "$(uri s)" "$round" "$tmp/model" <<'PY'
import nbd, os, random, sys
uri, seed, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
r = random.Random(seed)
model = bytearray(open(path, "rb").read()) if os.path.exists(path) else bytearray(64 << 20)
h = nbd.NBD()
h.connect_uri(uri)
if h.pread(len(model) // 2, 0) != model[:len(model) // 2] or h.pread(len(model) // 2, len(model) // 2) != model[len(model) // 2:]:
    sys.exit("not what was acknowledged before")
for i in range(200):
    n = r.choice([1, 511, 512, 4096, 4097, 65536, 1 << 20])
    off = r.randrange(len(model) - n)
    if i % 10 == 9:
        h.zero(n, off)
        model[off:off + n] = bytes(n)
    else:
        data = r.randbytes(n)
        h.pwrite(data, off)
        model[off:off + n] = data
open(path, "wb").write(model)
os._exit(0)  # no orderly disconnect
PY
	stop s KILL
	serve s "pool=$tmp/pool"
done

# It has a size of its own; another one is said not to apply, and is not applied.
stop s KILL
serve s "pool=$tmp/pool" size=2G
grep -q 'disk pram0 exists and has 64 MiB: the size given, 2 GiB, is not applied' "$tmp/s.log" || fail "not said"
is "$(nbdinfo --size "$(uri s)")" 67108864 size
