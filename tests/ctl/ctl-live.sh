#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a change means to clients: a new disk is there at once, a removed one
# answers with an error and its pages come back, sizes are seen by new
# connections; the socket is for one user; the log warns of little space.
. "${top_srcdir:?}/tests/ctl/functions.sh"
need nbdinfo libnbd-bin
need_libnbd

pool=$tmp/live.pool
ctl format "$pool" --size 32M >/dev/null
serve s -v -- "$pool" low-space=8M
socket=$(echo "$PRMEM_RUN_DIR"/*.control)
is "$(stat -c '%a %F' "$socket" "$PRMEM_RUN_DIR" | tr '\n' ' ')" "600 socket 700 directory " "rights of the socket"

ctl create "$pool" a 16M >/dev/null
is "$(nbdinfo --size "$(uri s a)")" 16777216 "size of a disk made at run time"

# A connection that stays open through all of it.
"$python" - "$(uri s a)" "$tmp/go" >"$tmp/client.log" 2>&1 <<'PY' &
import errno, nbd, os, sys, time
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(b"x" * 4194304, 0)
print("written", flush=True)
try:
    while True:
        assert h.pread(4096, 4096) == b"x" * 4096
        time.sleep(0.005)
except nbd.Error as e:
    assert e.errnum == errno.ESHUTDOWN and os.path.exists(sys.argv[2]), e
for attempt in (lambda: h.pread(4096, 0), lambda: h.pwrite(b"y", 0), lambda: h.zero(4096, 0)):
    try:
        attempt()
        sys.exit("a removed disk answers")
    except nbd.Error as e:
        assert e.errnum == errno.ESHUTDOWN, e
print("gone", flush=True)
PY
client=$!
wait_for grep -qs written "$tmp/client.log"
refuse 1 'disk a is in use' remove "$pool" a
is "$(ctl list "$pool" | awk '$1 == "a" { print $6 }')" o "flags of a disk that is open"
ctl resize "$pool" a 8M >/dev/null
is "$(nbdinfo --size "$(uri s a)")" 8388608 "size after shrinking"
ctl resize "$pool" a 24M >/dev/null
is "$(nbdinfo --size "$(uri s a)")" 25165824 "size after growing"
ctl rename "$pool" a z >/dev/null
is "$(nbdinfo --size "$(uri s z)")" 25165824 "size by the new name"
if nbdinfo --size "$(uri s a)" >/dev/null 2>&1; then
	fail "the old name is still served"
fi
number() { # KEY - of info
	ctl info "$pool" --json | sed -E "s/.*\"$1\":([0-9]+).*/\1/"
}
before=$(number free)
touch "$tmp/go"
ctl remove "$pool" z --force --wipe >/dev/null
wait "$client" || fail "the client: $(cat "$tmp/client.log")"
came_back() {
	[ "$(($(number free) - before))" -ge 4194304 ]
}
wait_for came_back
if nbdinfo --size "$(uri s z)" >/dev/null 2>&1; then
	fail "a removed disk is still served"
fi

# Counted, and seen.
ctl create "$pool" n 4M >/dev/null
"$python" - "$(uri s n)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for i in range(16):
    h.pwrite(b"n" * 65536, i * 65536)
for i in range(10):
    h.pread(4096, 0)
h.zero(8192, 0)
PY
ctl stat "$pool" n --json >"$tmp/stat"
"$python" - "$tmp/stat" <<'PY' || fail "numbers: $(cat "$tmp/stat")"
import json, sys
disk, = json.load(open(sys.argv[1]))["disks"]
assert (disk["write"]["requests"], disk["write"]["bytes"]) == (16, 1048576)
assert (disk["read"]["requests"], disk["read"]["bytes"]) == (10, 40960)
assert (disk["trim"]["requests"], disk["trim"]["bytes"]) == (1, 8192)
assert disk["pages"] == 254 and disk["crc_errors"] == 0
assert disk["write"]["latency_ns"]["p50"] <= disk["write"]["latency_ns"]["p99"] <= disk["write"]["latency_ns"]["max"]
assert disk["write"]["latency_ns"]["p50"] > 0 and sum(disk["write"]["latency_buckets"]) == 16
PY
ctl stat "$pool" --prometheus >"$tmp/prometheus"
grep -qE '^prmem_disk_bytes_total\{pool="[0-9a-f-]{36}",disk="n",op="write"\} 1048576$' "$tmp/prometheus" || fail "no number for Prometheus"
# As the text exposition format wants it: HELP and TYPE, and then all samples of
# that metric; no series twice; counters that are called so; a newline in the end.
"$python" - "$tmp/prometheus" <<'PY' || fail "not Prometheus's format: $(cat "$tmp/prometheus")"
import re, sys
text = open(sys.argv[1]).read()
assert text.endswith("\n")
types, seen, now, helped = {}, set(), None, None
for line in text.splitlines():
    if m := re.fullmatch(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)", line):
        helped = m[1]
    elif m := re.fullmatch(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)", line):
        now = m[1]
        assert now == helped and now not in types, line
        types[now] = m[2]
        assert (m[2] == "counter") == now.endswith("_total"), line
    else:
        m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (\d+(?:\.\d+)?)', line)
        assert m and m[1] == now, line
        assert (m[1], m[2]) not in seen, line
        seen.add((m[1], m[2]))
for what in "requests", "bytes", "errors", "crc_errors":
    assert types["prmem_disk_%s_total" % what] == types["prmem_pool_%s_total" % what] == "counter"
for what in "pages", "nodes", "latency_seconds":
    assert types["prmem_disk_" + what] == types["prmem_pool_" + what] == "gauge"
assert set(types) == {s[0] for s in seen}
PY
# As iostat: first all since the start, and then what is done meanwhile.
ctl stat "$pool" n --watch=0.05 --count 3 >"$tmp/watch"
is "$(grep -c '^(pool)' "$tmp/watch")" 3 "reports"
is "$(awk '/^DISK/ { print $2 } /^n / { print $2, $4, $5 }' "$tmp/watch")" "PAGES
254 10 40
READS/s
0 B 0
0 B 0" "first what was done, then what is done"
is "$(ctl stat "$pool" n --watch 0.05 2 | grep -c '^n ')" 2 "reports with the count behind the interval"
is "$(ctl stat n.pool 2 --watch 2>&1)" "prmemctl: pool $PWD/n.pool: no such file or device" "a disk with a number for a name"
is "$(ctl stat "$pool" --watch=0.05 --count 2 --json | wc -l)" 2 "reports in JSON"
# Ctrl-C is how it is ended.
LD_LIBRARY_PATH=$top_builddir/.libs env --default-signal=INT "$prmemctl" stat "$pool" --watch=0.02 >"$tmp/watched" 2>&1 </dev/null &
watcher=$!
wait_for grep -qs READS/s "$tmp/watched"
kill -INT $watcher
status=0
wait $watcher || status=$?
is "$status" 0 "status of a watch that was ended"
if grep prmemctl: "$tmp/watched"; then
	fail "a watch that was ended complains"
fi
# Who reads it leaves: it ends.
status=0
LD_LIBRARY_PATH=$top_builddir/.libs timeout "$wait_s" "$prmemctl" stat "$pool" --watch=0.05 2>/dev/null | head -n 1 >/dev/null || status=${PIPESTATUS[0]}
is "$status" 1 "status of a watch that nobody reads"
load s n
is "$(ctl stat "$pool" n --watch=0.3 --count 2 | awk '/^n / && NR > 4 { print ($2 > 0 && $5 > 0) }')" 1 "what is done in an interval"
unload

# Less than 8 MiB are left, and more again: one line each time.
ctl create "$pool" full 64M >/dev/null
fill() {
	"$python" - "$(uri s full)" "$1" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for i in range(26):
    h.pwrite(b"f" * 1048576, i * 1048576) if sys.argv[2] == "yes" else h.zero(1048576, i * 1048576)
PY
}
fill yes
wait_for grep -q 'little room is left' "$tmp/s.log"
fill yes
fill no
wait_for grep -q 'there is room again' "$tmp/s.log"
is "$(grep -c 'little room is left' "$tmp/s.log")" 1 "warnings"
ctl set "$pool" --low-space 32M >/dev/null
warned_again() {
	[ "$(grep -c 'little room is left' "$tmp/s.log")" -eq 2 ]
}
wait_for warned_again
is "$(ctl info "$pool" | sed -n 's/^low space *//p')" "warned of below 32 MiB, which is so" "threshold"

# Whoever abuses the socket does not hold up who uses a disk.
"$python" - "$(uri s n)" "$socket" <<'PY' || fail "the data path was held up"
import json, nbd, os, socket, sys, threading, time
end = threading.Event()

def abuse(first, more):
    while not end.is_set():
        s = socket.socket(socket.AF_UNIX)
        try:
            s.settimeout(0.2)
            s.connect(sys.argv[2])
            s.sendall(first)
            while more and not end.is_set():
                s.sendall(more)
            end.wait(0.05)
        except OSError:
            pass
        s.close()

abuses = [
    (b"", b"x" * 65536),                                     # no end
    (b'{"verb":"create","disk":"', b"y" * 65536),            # no end, and looks like something
    (b"[" * 60000 + b"\n", b""),                             # deep
    (os.urandom(60000) + b"\n", b""),                        # anything
    (b'{"verb":"import","disk":"q","size":9999999}\n', b""), # and then nothing
    (b'{"verb":"export","disk":"full"}\n', b""),             # and reads nothing of it
    (b'{"verb":"list"}\n' * 4000, b""),                      # and reads nothing of it
    (b"", b""),
]
threads = [threading.Thread(target=abuse, args=a) for a in abuses * 3]
for t in threads:
    t.start()
h = nbd.NBD()
h.connect_uri(sys.argv[1])
times, until = [], time.monotonic() + 1
while time.monotonic() < until or len(times) < 20:
    data, before = os.urandom(4096), time.monotonic()
    h.pwrite(data, 0)
    assert h.pread(4096, 0) == data
    times.append(time.monotonic() - before)
end.set()
for t in threads:
    t.join()
h.shutdown()
assert max(times) < 5, max(times)
PY
answers() {
	ctl list "$pool" >/dev/null 2>&1
}
wait_for answers
if ctl list "$pool" | grep -q '^q '; then
	fail "an import that never came is there"
fi

# The server is gone: the same command does it by itself. A killed one too.
stop s
[ ! -e "$socket" ] || fail "the socket is still there"
is "$(ctl list "$pool" | awk 'NR > 1 { print $1 }' | tr '\n' ' ')" "n full " "disks without a server"
serve s "$pool"
stop s KILL
ctl create "$pool" after 1M >/dev/null
serve s "$pool"
is "$(nbdinfo --size "$(uri s after)")" 1048576 "size of a disk made when nobody served"

# A copy of the pool has the same UUID: its server does not answer for this one.
stop s
cp "$pool" "$tmp/copy.pool"
serve t "$tmp/copy.pool"
serve s "$pool"
grep -q 'control socket .* another server has it' "$tmp/s.log" || fail "two servers, one socket: $(cat "$tmp/s.log")"
refuse 1 "in use by process ${server_pid[s]}\b" create "$pool" mine 1M
if nbdinfo --size "$(uri t mine)" >/dev/null 2>&1; then
	fail "the copy got the disk"
fi
