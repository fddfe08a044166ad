# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Shared by the tests of the plugin.  Each runs in a directory of its own and
# ends with all that it started gone.

set -e -u -o pipefail
: "${PRMEM_PLUGIN:?run me by make check}"
unset PMEM_IS_PMEM_FORCE PMEM_NO_FLUSH
export LC_ALL=C

# PRMEM_TEST_PMEM=1: on tmpfs, which libpmem is told to take for persistent memory.
if [ "${PRMEM_TEST_PMEM:-0}" = 1 ]; then
	export TMPDIR=/dev/shm PMEM_IS_PMEM_FORCE=1
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/prmem.XXXXXX")
export PRMEM_RUN_DIR=$tmp/run # where control sockets are
declare -A server_pid=()
wait_s=60 # deadline for what should take a moment; the machine may be busy

clean_up() {
	local status=$? name
	for name in "${!server_pid[@]}"; do
		kill -9 "${server_pid[$name]}" 2>/dev/null || true
		wait "${server_pid[$name]}" 2>/dev/null || true
	done
	# What a sanitizer says in passing is a failure too.
	if grep -lE 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer|runtime error:' "$tmp"/*.log 2>/dev/null; then
		status=1
	fi
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		for name in "$tmp"/*.log; do
			[ -s "$name" ] || continue
			echo "--- ${name##*/}"
			tail -n 20 "$name"
		done
	fi
	rm -rf "$tmp"
	exit "$status"
}
trap clean_up EXIT

fail() {
	echo "FAILED (line ${BASH_LINENO[0]}): $*"
	exit 1
}

skip() {
	echo "SKIP: $*"
	exit 77
}

# need COMMAND PACKAGE
need() {
	command -v "$1" >/dev/null || skip "no $1 (Debian package $2)"
}

# Debian's python3-libnbd is for Debian's python, whatever comes first in PATH.
python=/usr/bin/python3
need_libnbd() {
	"$python" -c 'import nbd' 2>/dev/null || skip "no libnbd for python (Debian package python3-libnbd)"
}

need nbdkit nbdkit

# A plugin with a sanitizer in it needs the sanitizer's library in nbdkit.  With
# that loaded first, glibc 2.36's lock of the locales is out of balance before
# the plugin is there, and whoever takes it hangs: p11-kit in exit(), where it
# frees a locale, and json-c, which makes one of the thread's for each text that it
# reads.  Neither needs to: the locale is C.
preload=()
sanitizer_library=
case ${PRMEM_SANITIZERS:-no} in
*address*) sanitizer_library=libasan.so ;;
*thread*) sanitizer_library=libtsan.so ;;
esac
if [ "$sanitizer_library" ]; then
	cat >"$tmp/shim.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <locale.h>
void freelocale(locale_t l) { (void)l; }
locale_t duplocale(locale_t l) { return l; }
locale_t newlocale(int mask, const char *name, locale_t base)
{
	locale_t (*next)(int, const char *, locale_t) = (locale_t (*)(int, const char *, locale_t))dlsym(RTLD_NEXT, "newlocale");

	return base != (locale_t)0 ? base : next(mask, name, base);
}
C
	${CC:-gcc} -shared -fPIC -o "$tmp/shim.so" "$tmp/shim.c"
	sanitizer_library=$(${CC:-gcc} -print-file-name=$sanitizer_library)
	[[ $sanitizer_library == /* ]] || skip "${CC:-gcc} has no $sanitizer_library to load into nbdkit: build with gcc"
	preload=("LD_PRELOAD=$sanitizer_library:$tmp/shim.so"
		"ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}")
fi

# serve NAME [NBDKIT-OPTION... --] PARAMETER... - start a server, wait until it serves.
serve() {
	local name=$1 options=() deadline
	shift
	if [[ " $* " == *" -- "* ]]; then
		while [ "$1" != -- ]; do
			options+=("$1")
			shift
		done
		shift
	fi
	rm -f "$tmp/$name.pid" "$tmp/$name.sock"
	env "${preload[@]}" nbdkit -f -U "$tmp/$name.sock" -P "$tmp/$name.pid" "${options[@]}" \
		"$PRMEM_PLUGIN" "$@" >"$tmp/$name.log" 2>&1 </dev/null &
	server_pid[$name]=$!
	deadline=$((SECONDS + wait_s))
	until [ -s "$tmp/$name.pid" ]; do
		kill -0 "${server_pid[$name]}" 2>/dev/null || fail "server $name did not start: $(cat "$tmp/$name.log")"
		[ $SECONDS -lt $deadline ] || fail "server $name does not start"
		sleep 0.02
	done
}

# stop NAME [SIGNAL] - stop a server (it may have ended well by itself) and wait for its end.
stop() {
	kill "-${2:-TERM}" "${server_pid[$1]}" 2>/dev/null || true
	wait "${server_pid[$1]}" 2>/dev/null || [ "${2:-TERM}" = KILL ] ||
		fail "server $1 ended with status $?"
	unset "server_pid[$1]"
}

# uri NAME [EXPORT]
uri() {
	echo "nbd+unix:///${2:-}?socket=$tmp/$1.sock"
}

# refused PATTERN [NBDKIT-OPTION... --] PARAMETER... - nbdkit must not start,
# say why in one line that matches PATTERN (grep -E), and exit with a status
# other than 0.
refused() {
	local pattern=$1 options=() status=0 lines
	shift
	if [[ " $* " == *" -- "* ]]; then
		while [ "$1" != -- ]; do
			options+=("$1")
			shift
		done
		shift
	fi
	timeout "$wait_s" env "${preload[@]}" nbdkit -f -U "$tmp/refused.sock" "${options[@]}" "$PRMEM_PLUGIN" "$@" \
		>"$tmp/refused.out" 2>&1 </dev/null || status=$?
	[ "$status" -ne 0 ] || fail "accepted: $*"
	[ "$status" -lt 124 ] || fail "status $status: $*: $(cat "$tmp/refused.out")"
	lines=$(grep -c '^nbdkit: .*error: ' "$tmp/refused.out" || true)
	[ "$lines" -eq 1 ] || fail "$lines error lines for $*: $(cat "$tmp/refused.out")"
	grep -qE -- "^nbdkit: .*error: .*($pattern)" "$tmp/refused.out" ||
		fail "not said: $pattern; for $*: $(cat "$tmp/refused.out")"
}

# map_of NAME [EXPORT] - the map of a disk: lines of offset, length, kind.
map_of() {
	nbdinfo --map "$(uri "$1" "${2:-}")" | awk '{ print $1, $2, $4 }'
}

# allocated NAME [EXPORT] - what the description says is allocated.
allocated() {
	nbdinfo --json "$(uri "$1" "${2:-}")" | sed -nE 's/.*"description": ".*, (.*) allocated,.*/\1/p'
}

# is TEXT TEXT WHAT - both are the same.
is() {
	[ "$1" = "$2" ] || fail "$3: got
$1
instead of
$2"
}
