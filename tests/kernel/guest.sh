# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Library of the kernel scenarios, guest side.  See vm.sh.

set -u
VM_IO_ERRORS='I/O error|blk_update_request|critical (medium|target) error|Buffer I/O|EXT4-fs (error|warning)'
VM_IO_ERRORS+='|EXT4-fs .*(aborting|remount)|XFS .*(orrupt|metadata I/O|log I/O|Shutting down|shutdown)'
VM_IO_ERRORS+='|BUG: |WARNING: CPU|Oops|blocked for more than|soft lockup|rcu.*stall'
VM_IO_ALLOWED='^$' # errors that the scenario causes on purpose

say()
{
	echo "$VM_NAME: $*"
}

ok()
{
	echo "$VM_NAME: ok: $*"
}

fail()
{
	echo "$VM_NAME: FAIL: $*"
	dmesg | tail -n 20
	exit 1
}

# check WHAT COMMAND...: run, say how it went, end at the first failure.
check()
{
	local what=$1 out

	shift
	if out=$("$@" 2>&1); then
		ok "$what"
	else
		printf '%s\n' "$out" | tail -n 20
		fail "$what: $*"
	fi
}

# check_fails WHAT COMMAND...
check_fails()
{
	local what=$1

	shift
	if "$@" >/tmp/check_fails.out 2>&1; then
		fail "$what: succeeded: $*"
	fi
	ok "$what"
}

# until_true SECONDS COMMAND...: poll.
until_true()
{
	local deadline=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

# mark NAME: tell the host.
mark()
{
	echo "VM-MARK $1"
}

# The kernel's own complaints fail a scenario, whatever the programs said.
check_dmesg()
{
	local found

	found=$(dmesg | grep -E "$VM_IO_ERRORS" | grep -vE "$VM_IO_ALLOWED")
	if [ -n "$found" ]; then
		printf '%s\n' "$found" | head -n 20
		fail "the kernel reported errors"
	fi
	ok "no error in the kernel's log"
}

vm_main()
{
	"guest_$VM_STAGE" || fail "stage $VM_STAGE"
	check_dmesg
}

# ---- what scenarios have in common

# The kernel's side of what they need.
load_modules()
{
	modprobe -a nd_e820 nd_pmem dax_pmem device_dax nbd ext4 xfs || fail "modules"
	# A namespace that was made before the last kexec is no longer /dev/pmem0.
	until_true 30 sh -c '[ -e /dev/pmem0 ] || [ -e /dev/dax0.0 ]' || fail "no persistent memory: $(cat /proc/cmdline)"
}

# devdax NAMESPACE: make it a device-DAX node, once; prints nothing.
devdax()
{
	ndctl create-namespace -f -e "$1" -m devdax -a 2M >/tmp/ndctl.out 2>&1 ||
		{ cat /tmp/ndctl.out; fail "ndctl"; }
	until_true 10 test -c "/dev/dax${1#namespace}" || fail "no /dev/dax${1#namespace}"
}

# serve NAME PARAMETER...: a server on /run/NAME.sock; its PID is in server_NAME.
serve()
{
	local name=$1 sock=/run/$1.sock

	shift
	rm -f "$sock"
	nbdkit -f -U "$sock" "${VM_PLUGIN:-prmem}" "$@" >"/run/$name.log" 2>&1 </dev/null &
	eval "server_$name=$!"
	until_true 60 test -S "$sock" || { cat "/run/$name.log"; fail "no server for $*"; }
}

# kill_server NAME [SIGNAL]
kill_server()
{
	local var=server_$1

	kill "-${2:-KILL}" "${!var}"
	wait "${!var}" 2>/dev/null
	return 0
}

# fill DIR: some files of all sizes.
fill()
{
	mkdir -p "$1/files"
	cp -r /usr/include/linux/netfilter "$1/files/" || return 1
	dd if=/dev/urandom of="$1/files/big" bs=1M count=8 status=none || return 1
	head -c 12345 /dev/urandom >"$1/files/odd"
	truncate -s 3M "$1/files/sparse"
}

# manifest DIR FILE: remember what fill() made.
manifest()
{
	(cd "$1/files" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$2"
	sync "$2"
}

# same DIR FILE: whether it is still that.
same()
{
	(cd "$1/files" && sha256sum --quiet -c "$2")
}

# readme HEADING: the lines of README below it.
readme()
{
	awk -v heading="### $1" '$0 == heading { on = 1; next } /^#/ { on = 0 } on && sub(/^    /, "")' /run/vm/README
}

# type_readme HEADING: type them, as a new user would.
type_readme()
{
	local line lines

	lines=$(readme "$1")
	[ -n "$lines" ] || fail "README has no lines below \"$1\""
	while IFS= read -r line; do
		check "README: $line" bash -c "$line </dev/null >/tmp/typed 2>&1 || { cat /tmp/typed; exit 1; }"
	done <<<"$lines"
}

# check_pool POOL: that nothing in it is damaged, every checksum.  The pool is closed.
check_pool()
{
	prmemctl scrub "$1"
}
