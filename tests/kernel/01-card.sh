#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# The card: serve from memory that survives, attach with the plain nbd-client,
# make a file system, use it, stop everything, start again, find it all there.
# On a device-DAX node with ext4, from the lines of README; with xfs (two disks by
# sizes=), and on a pool that is a file of a DAX file system.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_MEMMAP='memmap=512M!1536M memmap=256M!2G nokaslr'

# card NAME MKFS DISK POOL PARAMETER...
card()
{
	local name=$1 mkfs=$2 disk=$3 pool=$4 dir=/mnt/$1

	shift 4
	mkdir -p "$dir"
	serve card "pool=$pool" "$@"
	check "$name: attach" nbd-client -unix /run/card.sock -N "$disk" -b 4096 /dev/nbd1
	check "$name: $mkfs" "$mkfs" -q /dev/nbd1
	check "$name: mount" mount /dev/nbd1 "$dir"
	check "$name: write" fill "$dir"
	manifest "$dir" /tmp/manifest
	check "$name: compare" same "$dir" /tmp/manifest
	check "$name: unmount" umount "$dir"
	check "$name: detach" nbd-client -d /dev/nbd1
	kill_server card TERM
	serve card "pool=$pool"
	check "$name: attach again, without a size" nbd-client -unix /run/card.sock -N "$disk" -b 4096 /dev/nbd1
	check "$name: mount again" mount /dev/nbd1 "$dir"
	check "$name: compare again" same "$dir" /tmp/manifest
	check "$name: unmount again" umount "$dir"
	check "$name: detach again" nbd-client -d /dev/nbd1
	kill_server card TERM
	check "$name: every checksum" check_pool "$pool"
}

guest_1()
{
	load_modules
	mkdir -p /run/prmem
	devdax namespace0.0
	type_readme "Or with the plain nbd-client"
	check "write" fill /srv
	manifest /srv /tmp/manifest
	type_readme "Restart the server, with the plain nbd-client"
	check "compare" same /srv /tmp/manifest
	check "the size is still that of its first start" sh -c '[ "$(blockdev --getsize64 /dev/nbd0)" = $((1 << 30)) ]'
	check "unmount" umount /srv
	check "detach" nbd-client -d /dev/nbd0
	killall -w nbdkit

	card "xfs on device-DAX" mkfs.xfs pram1 /dev/dax0.0 sizes=128M,320M

	ndctl create-namespace -f -e namespace1.0 -m fsdax >/dev/null 2>&1 || fail "ndctl -m fsdax"
	until_true 10 test -b /dev/pmem1 || fail "no /dev/pmem1"
	mkdir -p /mnt/pmem
	check "a DAX file system" mkfs.ext4 -q -b 4096 /dev/pmem1
	check "mount -o dax" mount -o dax=always /dev/pmem1 /mnt/pmem
	card "ext4 on fsdax" mkfs.ext4 pram0 /mnt/pmem/pool size=64M pool-size=128M
	check "the server knows that it is pmem" grep -qi 'persistent memory' /run/card.log
	umount /mnt/pmem
}

vm_main "$@"
