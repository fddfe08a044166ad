#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# prmem-nbd itself: what attach, detach, list and status do and say, with
# several devices, servers of several kinds, monitors that die and are replaced.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

# attach ARGUMENT...: prints the device.
attach()
{
	prmem-nbd attach --timeout 3 "$@"
}

field() # DEVICE KEY
{
	prmem-nbd status --json "$1" | jq -r ".$2"
}

is()
{
	[ "$2" = "$3" ] || fail "$1: \"$2\", not \"$3\""
	ok "$1"
}

# becomes DEVICE STATE: within a moment.
becomes()
{
	local deadline=$((SECONDS + 20))

	until [ "$(field "$1" state)" = "$2" ]; do
		[ "$SECONDS" -lt "$deadline" ] || fail "$1 is $(field "$1" state), not $2"
		sleep 0.1
	done
	ok "status: $2"
}

# says PATTERN COMMAND...: it fails, and that is what it says.
says()
{
	local pattern=$1

	shift
	if "$@" >/tmp/says 2>&1; then
		fail "succeeded: $*"
	fi
	grep -qE -- "$pattern" /tmp/says || fail "$*: said \"$(cat /tmp/says)\", not /$pattern/"
	ok "refused: $(head -n 1 /tmp/says)"
}

readable()
{
	dd if="$1" of=/dev/null bs=64k count=4 iflag=direct status=none
}

the_same_disk()
{
	is "attach" "$(attach /run/a.sock pram0)" /dev/nbd0
	is "its identifier" "$(cut -d/ -f2 /sys/block/nbd0/backend)" pram0
	is "its blocks" "$(cat /sys/block/nbd0/queue/logical_block_size)" 4096
	is "its scheduler" "$(cat /sys/block/nbd0/queue/scheduler)" '[none] mq-deadline '
	is "its requests" "$(cat /sys/block/nbd0/queue/max_sectors_kb)" 1024
	is "its size" "$(blockdev --getsize64 /dev/nbd0)" $((32 << 20))
	is "attached again, it is the same device" "$(attach /run/a.sock pram0)" /dev/nbd0
	is "without a name, pram0 is meant" "$(attach /run/a.sock)" /dev/nbd0
	says 'attached as /dev/nbd0 already' attach --device /dev/nbd5 /run/a.sock pram0
	kill_server a
	is "while the server is away, it is still the same device" "$(attach /run/a.sock pram0)" /dev/nbd0
	becomes nbd0 waiting
	serve a pool=/dev/dax0.0
	check "read" readable /dev/nbd0
	becomes nbd0 attached
}

several_disks()
{
	is "another disk, as the device that was asked for" "$(attach --device /dev/nbd5 --connections 8 /run/a.sock pram1)" /dev/nbd5
	says 'in use' attach --device /dev/nbd5 /run/a.sock odd
	is "read-only" "$(attach --read-only /run/a.sock odd)" /dev/nbd1
	is "the kernel knows" "$(blockdev --getro /dev/nbd1)" 1
	check_fails "no write" dd if=/dev/zero of=/dev/nbd1 bs=512 count=1 oflag=direct
	is "a disk of odd size has small blocks" "$(cat /sys/block/nbd1/queue/logical_block_size)" 512
	is "so that all of it is there" "$(blockdev --getsize64 /dev/nbd1)" $(((1 << 20) + 512))
	is "list" "$(prmem-nbd list | awk 'NR > 1 { print $1, $2, $4 }' | tr '\n' ';')" \
		'/dev/nbd0 attached pram0;/dev/nbd1 attached odd;/dev/nbd5 attached pram1;'
	is "list --json" "$(prmem-nbd list --json | jq -r 'map(.device + " " + (.connections | tostring)) | join(";")')" \
		'/dev/nbd0 2;/dev/nbd1 2;/dev/nbd5 8'
	says 'no export|does not exist' attach /run/a.sock nonsense
	says 'no such socket' attach /run/none.sock pram0
	serve b pool=/run/b.pool size=1M
	is "a disk of the same name in another pool is another disk" "$(attach /run/b.sock pram0)" /dev/nbd2
	says 'more than once' prmem-nbd detach pram0
	check "detach by address" prmem-nbd detach 'nbd+unix:///pram0?socket=/run/b.sock'
	check "detach by export" prmem-nbd detach odd
	check "detach by device" prmem-nbd detach /dev/nbd5
	says 'not attached' prmem-nbd detach /dev/nbd5
	says 'nothing of this name' prmem-nbd detach odd
	check_fails "its monitor has gone" pgrep -f 'prmem-nbd attach.*pram1'
	kill_server b
}

monitors()
{
	local monitor

	monitor=$(field nbd0 monitor)
	kill -KILL "$monitor"
	becomes nbd0 unattended
	kill_server a
	serve a pool=/dev/dax0.0
	is "attach looks after it again" "$(attach /run/a.sock pram0)" /dev/nbd0
	becomes nbd0 attached
	check "and its dead connections are replaced" readable /dev/nbd0
	is "by another process" "$([ "$(field nbd0 monitor)" != "$monitor" ] && echo yes)" yes
	kill_server a
	serve a pool=/dev/dax0.0
	check "which also knows what to do later" readable /dev/nbd0

	prmem-nbd attach --foreground /run/a.sock pram0 >/run/foreground 2>/run/foreground.err &
	monitor=$!
	until_true 20 grep -q /dev/nbd0 /run/foreground || fail "foreground: $(cat /run/foreground.err)"
	is "one in the foreground takes over" "$(field nbd0 monitor)" "$monitor"
	kill -TERM "$monitor"
	wait "$monitor"
	is "SIGTERM ends it well" $? 0
	is "and leaves the device" "$(field nbd0 state)" unattended
	is "which a third takes" "$(attach /run/a.sock pram0)" /dev/nbd0
	becomes nbd0 attached
	check "read" readable /dev/nbd0
}

in_use()
{
	mkdir -p /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	says 'in use: unmount it first' prmem-nbd detach pram0
	check_dmesg
	VM_IO_ALLOWED='nbd0' # what --force brings about
	check "detach --force" prmem-nbd detach --force pram0
	check_fails "reading is an error now" dd if=/dev/nbd0 of=/dev/null bs=4k count=1 iflag=direct
	umount /mnt/card
	is "it can be attached anew" "$(attach --device /dev/nbd0 /run/a.sock pram0)" /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	check "unmount" umount /mnt/card
	check "somebody else detaches it" nbd-client -d /dev/nbd0
	until_true 20 sh -c '[ "$(prmem-nbd list | wc -l)" = 0 ]' || fail "list: $(prmem-nbd list)"
	ok "the monitor saw it"
}

other_servers()
{
	nbdkit -f -p 10810 memory 16M >/dev/null 2>&1 &
	until_true 20 nbdinfo --size nbd://localhost:10810/ || fail "no server by TCP"
	is "any server, by TCP" "$(attach nbd://localhost:10810/)" /dev/nbd0
	is "is known by its address" "$(cat /sys/block/nbd0/backend)" 'nbd:nbd://localhost:10810/'
	check "write" dd if=/dev/urandom of=/dev/nbd0 bs=1M count=16 oflag=direct status=none
	check "detach" prmem-nbd detach /dev/nbd0
}

guest_1()
{
	load_modules
	devdax namespace0.0
	serve a pool=/dev/dax0.0 sizes=32M,16M
	kill_server a
	serve a pool=/dev/dax0.0 disk=odd size=1049088
	kill_server a
	serve a pool=/dev/dax0.0
	the_same_disk
	several_disks
	monitors
	in_use
	other_servers
}

vm_main "$@"
