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

# show ARGUMENT... - what prmemctl says, in both streams, and its status: for comparing.
show() {
	local status=0
	printf '$'
	printf ' %s' "$@"
	printf '\n'
	ctl "$@" >"$tmp/show.out" 2>&1 </dev/null || status=$?
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

# load NAME EXPORT - keep a disk busy with verified writes, until unload.
# A failure of it is one of the test.
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
    data = rng.randbytes(block)
    h.pwrite(data, at)
    content[at] = data
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
