#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Random reads, writes, zeroes and trims at odd offsets, many in flight on two
# connections, against a model.  PRMEM_TEST_SEED replays a run.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

seed=${PRMEM_TEST_SEED:-$RANDOM}
echo "seed $seed (PRMEM_TEST_SEED=$seed replays)"
serve s "pool=$tmp/pool" size=3000000
"$python" - "$(uri s)" "$seed" "${PRMEM_TEST_OPS:-3000}" <<'PY'
import nbd, random, sys
uri, seed, nr_ops = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r = random.Random(seed)
conns = [nbd.NBD() for _ in range(2)]
for h in conns:
    h.connect_uri(uri)
size = conns[0].get_size()
model = bytearray(size)

def batch():
    """Operations on ranges that do not overlap, all in flight at once."""
    cuts = sorted(r.sample(range(size + 1), 24))
    # Some batches lie in a few pages, so that neighbours share pages.
    if r.random() < 0.6:
        base = r.randrange(size - 20000)
        cuts = sorted(r.sample(range(base, base + 20000), 24))
    pending = []
    for a, b in zip(cuts, cuts[1:]):
        h = r.choice(conns)
        n = min(b - a, r.choice([1, 100, 512, 4096, 10000, 1 << 20]))
        kind = r.choice("wwwwrrzt")
        if kind == "w":
            data = bytes(n) if r.random() < 0.1 else r.randbytes(n)
            flags = nbd.CMD_FLAG_FUA if r.random() < 0.1 else 0
            pending.append((h, h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(data)), a, flags=flags), None, None, kind, a, n))
            model[a:a + n] = data
        elif kind == "r":
            buf = nbd.Buffer(n)
            pending.append((h, h.aio_pread(buf, a), buf, bytes(model[a:a + n]), kind, a, n))
        else:
            cookie = h.aio_zero(n, a) if kind == "z" else h.aio_trim(n, a)
            model[a:a + n] = bytes(n)
            pending.append((h, cookie, None, None, kind, a, n))
    for h, cookie, buf, want, kind, a, n in pending:
        while not h.aio_command_completed(cookie):
            h.poll(-1)
        if buf is not None and buf.to_bytearray() != want:
            sys.exit(f"read of {n} at {a} is wrong (seed {seed})")
    return len(pending)

done = 0
while done < nr_ops:
    done += batch()
    if r.random() < 0.05:
        conns[0].flush()
if conns[1].pread(size, 0) != model:
    sys.exit(f"the disk is not as the model (seed {seed})")
PY
