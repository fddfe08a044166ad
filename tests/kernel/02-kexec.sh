#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# What README tells a new user to type, from its own lines: from a machine that
# has no reservation to a kexec with the disk mounted and in use (synced); then a
# second kexec with it cleanly unmounted.  prmem-kexec refuses when the next
# kernel would not know of the reservation.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

VM_MEMORY=8G # what is not used costs nothing
VM_MEMMAP=

prepare()
{
	modprobe -a nd_e820 nd_pmem dax_pmem device_dax nbd ext4 || fail "modules"
	check "/run/prmem is made at boot" systemd-tmpfiles --create prmem.conf
	cp /run/vm/vmlinuz "/boot/vmlinuz-$(uname -r)"
	cp /run/vm/initrd.img "/boot/initrd.img-$(uname -r)"
}

host()
{
	vm_start
	vm_wait
	VM_MEMMAP=$(cat "$VM_DIR/share/command-line")
	vm_say "the next boot gets $VM_MEMMAP"
	vm_stage 2
	vm_start # ends with stage 4, two kernels later
	vm_wait
}

# GRUB and the way down are not of this machine; what it has instead:
guest_1()
{
	mkdir -p /etc/default/grub.d /usr/local/sbin
	: >/etc/default/grub
	printf '#!/bin/sh\n. /etc/default/grub\n. /etc/default/grub.d/prmem.cfg\n' >/usr/local/sbin/update-grub
	echo 'echo $GRUB_CMDLINE_LINUX >/run/vm/command-line' >>/usr/local/sbin/update-grub
	printf '#!/bin/sh\n: >/run/rebooted\n' >/usr/local/sbin/reboot
	chmod +x /usr/local/sbin/*
	type_readme "Once: reserve memory"
	check "the machine reboots" test -e /run/rebooted
}

guest_2()
{
	prepare
	type_readme "Once: make the disk"
	check "write" fill /srv
	manifest /srv /run/vm/manifest
	type_readme "Restart or upgrade the server, without unmounting"
	check "all is there, and nothing was unmounted" same /srv /run/vm/manifest
	check "write more" dd if=/dev/urandom of=/srv/more bs=1M count=4 conv=fsync
	check_fails "a command line without the reservation is refused" \
		prmem-kexec --load --command-line=console=ttyS0
	check "nothing was loaded" grep -qx 0 /sys/kernel/kexec_loaded
	# In use: a writer is at work on another file when the kernel is replaced.
	(while :; do dd if=/dev/urandom of=/srv/busy bs=64k count=64 conv=fsync status=none; done) &
	sleep 1
	next
}

next()
{
	echo "$((VM_STAGE + 1))" >/run/vm/stage
	check_dmesg
	type_readme "Start another kernel"
	fail "kexec came back"
}

guest_3()
{
	prepare
	until_true 30 test -c /dev/dax0.0 || fail "no /dev/dax0.0 after kexec"
	type_readme "There it is again"
	check "the journal was recovered" sh -c "dmesg | grep -q 'EXT4-fs (nbd0): recovery complete'"
	check "what was synced is there" same /srv /run/vm/manifest
	check "write more" cp -r /srv/files /srv/copy
	check "unmount" umount /srv
	check "fsck" e2fsck -fn /dev/nbd0
	check "detach" prmem-nbd detach /dev/nbd0
	killall nbdkit
	next
}

guest_4()
{
	prepare
	until_true 30 test -c /dev/dax0.0 || fail "no /dev/dax0.0 after the second kexec"
	type_readme "There it is again"
	check "the file system was left clean" sh -c "! dmesg | grep -q 'EXT4-fs (nbd0): recovery'"
	check "the first files" same /srv /run/vm/manifest
	check "the second files" diff -r /srv/files /srv/copy
	check "unmount" umount /srv
	check "detach" prmem-nbd detach main/pram0
	killall nbdkit
	until_true 30 sh -c '! pgrep nbdkit'
	check "every checksum" check_pool /dev/dax0.0
}

vm_main "$@"
