#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kexec: into a next kernel with the disk mounted and in use (synced), then
# with it cleanly unmounted.  prmem-kexec refuses when the next kernel would
# not know of the reservation.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

start()
{
	load_modules
	# The info block lies in the range: the node is back by itself.
	[ "$VM_STAGE" -gt 1 ] || devdax namespace0.0
	until_true 10 test -c /dev/dax0.0 || fail "no /dev/dax0.0 after kexec"
	serve card pool=/dev/dax0.0 "$@"
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
}

next()
{
	echo "$((VM_STAGE + 1))" >/run/vm/stage
	check_dmesg
	say "kexec"
	prmem-kexec --initrd=/run/vm/initrd.img --now /run/vm/vmlinuz
	fail "kexec came back"
}

guest_1()
{
	start size=256M
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	check "write" fill /mnt/card
	manifest /mnt/card /run/vm/manifest
	check_fails "a command line without the reservation is refused" \
		prmem-kexec --load --command-line=console=ttyS0 /run/vm/vmlinuz
	check "nothing was loaded" grep -qx 0 /sys/kernel/kexec_loaded
	cp /proc/cmdline /run/vm/cmdline
	# In use: a writer is at work on another file when the kernel is replaced.
	(while :; do dd if=/dev/urandom of=/mnt/card/busy bs=64k count=64 conv=fsync status=none; done) &
	sleep 1
	next
}

guest_2()
{
	start
	check "mount recovers the journal" mount /dev/nbd0 /mnt/card
	check "what was synced is there" same /mnt/card /run/vm/manifest
	check "write more" cp -r /mnt/card/files /mnt/card/copy
	check "unmount" umount /mnt/card
	check "fsck" e2fsck -fn /dev/nbd0
	check "detach" prmem-nbd detach /dev/nbd0
	kill_server card TERM
	next
}

guest_3()
{
	start
	check "the file system was left clean" sh -c "dumpe2fs -h /dev/nbd0 2>/dev/null | grep -q 'state: *clean'"
	check "mount" mount /dev/nbd0 /mnt/card
	check "the first files" same /mnt/card /run/vm/manifest
	check "the second files" diff -r /mnt/card/files /mnt/card/copy
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach pram0
	kill_server card TERM
	check "every checksum" check_pool /dev/dax0.0 pram0
}

vm_main "$@"
