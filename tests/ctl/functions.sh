# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Shared by the tests of prmemctl; what starts servers is that of the plugin's.
. "${top_srcdir:?}/tests/plugin/functions.sh"

# Not libtool's script around it, which takes longer than the program.
prmemctl=${top_builddir:?}/.libs/prmemctl
[ -x "$prmemctl" ] || prmemctl=$top_builddir/prmemctl
[ -x "$prmemctl" ] || fail "no $prmemctl"
export PRMEM_CONFIG_DIR=$tmp/config NO_COLOR=1 COLUMNS=80
# nbdkit is not built with a sanitizer, prmemctl is: no preload here.
ctl() {
	LD_LIBRARY_PATH=$top_builddir/.libs "$prmemctl" "$@"
}

# refuse STATUS PATTERN ARGUMENT... - prmemctl ends so, and says so in one line.
refuse() {
	local want=$1 pattern=$2 status=0
	shift 2
	ctl "$@" >"$tmp/refuse.out" 2>"$tmp/refuse.err" </dev/null || status=$?
	[ "$status" -eq "$want" ] || fail "status $status instead of $want: prmemctl $*: $(cat "$tmp/refuse.err")"
	[ "$(wc -l <"$tmp/refuse.err")" -eq 1 ] || fail "not one line: prmemctl $*: $(cat "$tmp/refuse.err")"
	grep -qE -- "^prmemctl: .*($pattern)" "$tmp/refuse.err" || fail "not said: $pattern; prmemctl $*: $(cat "$tmp/refuse.err")"
}

# show ARGUMENT... - what prmemctl says, in both streams, and its status: for
# comparing. Its standard input is $input, if that is set.
show() {
	local status=0
	printf '$'
	printf ' %s' "$@"
	printf '\n'
	ctl "$@" >"$tmp/show.out" 2>&1 <"${input:-/dev/null}" || status=$?
	cat "$tmp/show.out"
	[ "$status" -eq 0 ] || echo "status $status"
}

# wait_for COMMAND... - until it succeeds.
wait_for() {
	local deadline=$((SECONDS + wait_s))
	until "$@"; do
		[ $SECONDS -lt $deadline ] || fail "in vain: $*"
		sleep 0.02
	done
}

# load NAME EXPORT - keep a disk busy with verified writes (or reads, where it
# cannot be written), until unload.  A failure of it is one of the test.
load_pid=''
load() {
	"$python" - "$(uri "$1" "$2")" "$tmp/load.stop" >"$tmp/load.log" 2>&1 <<'PY' &
import nbd, os, random, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
size, block = h.get_size(), 16384
seed = 0
content = {}
while not os.path.exists(sys.argv[2]):
    seed += 1
    rng = random.Random(seed)
    at = rng.randrange(size // block) * block
    if h.is_read_only():
        content.setdefault(at, bytes(h.pread(block, at)))
    else:
        content[at] = rng.randbytes(block)
        h.pwrite(content[at], at)
    back = rng.choice(list(content))
    assert h.pread(block, back) == content[back], "at %d" % back
    if seed == 20:
        print("busy", flush=True)
for at, data in content.items():
    assert h.pread(block, at) == data, "in the end at %d" % at
PY
	load_pid=$!
	wait_for grep -qs busy "$tmp/load.log"
}

unload() {
	touch "$tmp/load.stop"
	wait "$load_pid" || fail "the disk under load: $(cat "$tmp/load.log")"
	rm -f "$tmp/load.stop"
}

# two_pages FILE - make $tmp/two: 4 MiB with FILE's first page twice, so far apart that
# an index of it has two leaves.
two_pages() {
	local at
	truncate -s 4M "$tmp/two"
	for at in 0 600; do
		dd if="$1" of="$tmp/two" bs=4096 count=1 seek=$at conv=notrunc status=none
	done
}

# damage_index POOL DISK [bit] - spoil a link in the root of a disk's index, which must have two levels:
# all of it, or a bit of it, which can be put right.
damage_index() {
	"$python" - "$@" <<'PY'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    def page(slot):
        f.seek((slot & 0xffffffff) * 4096)
        return f.read(4096)
    f.seek(88)
    root, height = struct.unpack("<QI", f.read(12))
    assert height == 1
    for slot in struct.unpack("<512Q", page(root)):
        if slot >> 32 & 15 == 6:
            continue
        record = page(slot)
        if record[192:256].rstrip(b"\0").decode() == sys.argv[2]:
            root, height = struct.unpack("<QI", record[64:76])
            assert height == 2
            f.seek((root & 0xffffffff) * 4096 + 8)
            link, = struct.unpack("<Q", f.read(8))
            f.seek(-8, 1)
            f.write(struct.pack("<Q", link ^ 1 << 50 if sys.argv[3:] else 0))
            sys.exit()
    sys.exit("no disk " + sys.argv[2])
PY
}
