#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# Memory that fails under a served disk.  Three kinds: a bad block of persistent
# memory under a pool that is a file of a DAX file system (the fault comes when
# the page is mapped), a memory failure of a device-DAX node, told to the
# kernel by MADV_HWPOISON and to the server in the middle of a copy, and holes of
# a file on an ext4 that is full.  Each time: an I/O error for that block alone, the
# server lives, writing the block heals it, the page is never used again, also
# after a restart.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_MEMMAP='memmap=256M!1536M memmap=256M!2G nokaslr'
marker=MARKER-OF-THE-PAGE-THAT-FAILS
block=37 # of 4096 bytes, on the disk

read_block()
{
	dd if=/dev/nbd0 bs=4096 skip="$1" count=1 iflag=direct status=none
}

# Every block but the bad one, as it was written.
others_are_right()
{
	local i

	for i in 0 1 36 38 39 63 100; do
		read_block "$i" | cmp - <(dd if=/tmp/image bs=4096 skip="$i" count=1 status=none) || return 1
	done
}

write_image()
{
	dd if=/dev/urandom of=/tmp/image bs=4096 count=128 status=none
	printf '%s' "$marker" | dd of=/tmp/image bs=4096 seek="$block" conv=notrunc status=none
	dd if=/tmp/image of=/dev/nbd0 bs=64k oflag=direct status=none
}

check_one_bad_block()
{
	check_fails "$1: the block is an I/O error" read_block "$block"
	check "$1: it alone is" others_are_right
	check_fails "$1: it stays one" read_block "$block"
	check "$1: the server lives" kill -0 "$server_card"
	head -c 4096 /dev/urandom >/tmp/new
	check "$1: write it" dd if=/tmp/new of=/dev/nbd0 bs=4096 seek="$block" oflag=direct
	read_block "$block" >/tmp/read || fail "$1: still an error after it was written"
	check "$1: it is healed" cmp /tmp/new /tmp/read
	check "$1: the server said so" grep -q 'bad memory' /run/card.log
}

host()
{
	mkdir -p "$VM_DIR/share/src/tests"
	cp -r "$VM_SRCDIR/../ctl" "$VM_SRCDIR/../plugin" "$VM_DIR/share/src/tests/"
	vm_start
	vm_wait
}

# The same script as in "make check", there on a tmpfs.
check_full_disk()
{
	check "a small ext4" mkfs.ext4 -q -F -m 0 -b 4096 /dev/pmem0 32m
	check "mount it" mount /dev/pmem0 /mnt/pmem
	check "a file system without space: ENOSPC, or an error of one page" \
		env PRMEM_SMALL_FS=/mnt/pmem top_srcdir=/run/vm/src top_builddir="$PRMEM_BUILDDIR" \
		PRMEM_PLUGIN="$PRMEM_BUILDDIR/.libs/nbdkit-prmem-plugin.so" bash /run/vm/src/tests/ctl/ctl-full-disk.sh
	umount /mnt/pmem
}

# Nearly the whole pool is written; touching the bad page would be an error.
check_never_used_again()
{
	dd if=/dev/urandom of=/tmp/full bs=1M count="$2" status=none
	check "$1: write all of it" dd if=/tmp/full of=/dev/nbd0 bs=1M oflag=direct status=none
	check "$1: read all of it" cmp /tmp/full /dev/nbd0
	check "$1: the server lives on" kill -0 "$server_card"
}

guest_1()
{
	local offset physical sectors

	load_modules
	# The I/O errors of that one block are what is wanted.
	VM_IO_ALLOWED="I/O error, dev nbd0, sector $((block * 8)) |Buffer I/O error on dev nbd0, logical block $block,"

	# ---- a bad block of persistent memory
	ndctl create-namespace -f -e namespace0.0 -m fsdax >/dev/null 2>&1 || fail "ndctl -m fsdax"
	until_true 10 test -b /dev/pmem0 || fail "no /dev/pmem0"
	mkdir /mnt/pmem
	check "a DAX file system" mkfs.ext4 -q -b 4096 /dev/pmem0
	check "mount -o dax" mount -o dax=always /dev/pmem0 /mnt/pmem
	serve card pool=/mnt/pmem/pool size=32M pool-size=36M
	check "attach" prmem-nbd attach --timeout 3 /run/card.sock pram0
	write_image
	kill_server card
	offset=$(grep -abo "$marker" /mnt/pmem/pool | head -n 1 | cut -d: -f1)
	physical=$(filefrag -b4096 -v /mnt/pmem/pool | awk -v b=$((offset / 4096)) '
		$1 ~ /^[0-9]+:$/ { gsub(/[.:]/, " "); if (b >= $2 && b <= $3) { print $4 + b - $2; exit } }')
	[ -n "$physical" ] || fail "where is page $((offset / 4096)) of the pool?"
	sectors=$((physical * 8))
	# the block device's own numbering: behind the namespace's info block
	echo "$sectors 8" >/sys/block/pmem0/badblocks || fail "badblocks"
	check "the bad block is there" grep -q "^$sectors 8" /sys/block/pmem0/badblocks
	serve card pool=/mnt/pmem/pool
	until_true 60 sh -c "prmem-nbd status /dev/nbd0 | grep -q '^connections:  2 of 2'" || fail "not reattached"
	check_one_bad_block "fsdax"
	kill_server card
	serve card pool=/mnt/pmem/pool
	check_never_used_again "fsdax, after a restart" 32
	check "fsdax: the page is still bad" grep -q "^$sectors 8" /sys/block/pmem0/badblocks
	check "detach" prmem-nbd detach /dev/nbd0
	kill_server card
	umount /mnt/pmem

	# ---- holes, and no space behind them
	check_full_disk

	# ---- a memory failure in the middle of a copy
	devdax namespace1.0
	export PRMEM_TEST_POISON=$marker
	LD_PRELOAD=$PRMEM_BUILDDIR/tests/kernel/.libs/poison_shim.so serve card pool=/dev/dax1.0 size=200M
	check "attach" prmem-nbd attach --timeout 3 /run/card.sock pram0
	write_image
	"$PRMEM_BUILDDIR/tests/kernel/hwpoison" /dev/dax1.0 "$marker" 2>/dev/null
	check "device-DAX: the kernel knows of the memory failure" grep -q 'HardwareCorrupted: *[1-9]' /proc/meminfo
	check "device-DAX: the server lives" kill -0 "$server_card"
	kill -USR2 "$server_card"
	until_true 30 grep -q 'poison: ready' /run/card.log || fail "no poison: $(cat /run/card.log)"
	check_one_bad_block "device-DAX"
	kill_server card
	unset PRMEM_TEST_POISON
	serve card pool=/dev/dax1.0
	until_true 60 sh -c "prmem-nbd status /dev/nbd0 | grep -q '^connections:  2 of 2'" || fail "not reattached"
	read_block "$block" >/tmp/read || fail "device-DAX: an error after the restart"
	check "device-DAX: it is healed after a restart" cmp /tmp/new /tmp/read
	check "detach" prmem-nbd detach /dev/nbd0
	kill_server card
	check "device-DAX: the page is not used again" never_referenced
}

# The page still holds the marker: nothing was ever written over it.
never_referenced()
{
	python3 - <<-END
		import mmap, os
		fd = os.open("/dev/dax1.0", os.O_RDWR)
		size = int(open("/sys/bus/dax/devices/dax1.0/size").read())
		raise SystemExit(mmap.mmap(fd, size).find(b"$marker") < 0)
	END
}

vm_main "$@"
