#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# A panic while the disk is being written: the crash kernel, loaded with the
# range on its command line, opens the pool; the file system recovers its
# journal, what was synced is whole, every checksum is right.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_APPEND='crashkernel=512M'
VM_PANIC_EXPECTED=yes

guest_1()
{
	load_modules
	devdax namespace0.0
	serve card pool=/dev/dax0.0 size=256M
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	check "write" fill /mnt/card
	manifest /mnt/card /run/vm/manifest
	sync -f /mnt/card
	check "load the crash kernel" prmem-kexec --panic --initrd=/run/vm/initrd.img \
		--append='nr_cpus=1 reset_devices irqpoll' /run/vm/vmlinuz
	check "it is loaded" grep -qx 1 /sys/kernel/kexec_crash_loaded
	(while :; do dd if=/dev/urandom of=/mnt/card/busy bs=64k count=64 conv=fsync status=none; done) &
	sleep 2
	check_dmesg
	echo 2 >/run/vm/stage
	sync
	say "panic"
	echo 1 >/proc/sys/kernel/sysrq
	echo c >/proc/sysrq-trigger
	sleep 60
	fail "no panic"
}

guest_2()
{
	check "this is the crash kernel" test -e /proc/vmcore
	load_modules
	until_true 30 test -c /dev/dax0.0 || fail "no /dev/dax0.0 in the crash kernel"
	check "every checksum" check_pool /dev/dax0.0
	serve card pool=/dev/dax0.0
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
	check "mount recovers the journal" mount /dev/nbd0 /mnt/card
	check "it had to" sh -c "dmesg | grep -q 'EXT4-fs (nbd0): recovery complete'"
	check "what was synced is whole" same /mnt/card /run/vm/manifest
	check "unmount" umount /mnt/card
	check "fsck" e2fsck -fn /dev/nbd0
	check "detach" prmem-nbd detach /dev/nbd0
	kill_server card TERM
}

vm_main "$@"
