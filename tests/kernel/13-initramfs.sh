#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# The initial ramdisk that the hook of initramfs-tools makes has all it takes to
# serve a pool and attach a disk before there is a root: its script is run in
# nothing but what was unpacked from it.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

if [ -z "${VM_GUEST:-}" ]; then
	command -v mkinitramfs >/dev/null || vm_skip "no mkinitramfs (Debian package initramfs-tools-core)"
fi

# mkinitramfs looks at how the kernel was configured.
host()
{
	cp "$VM_CACHE/$VM_KERNEL/boot/config-"* "$VM_DIR/share/"
	vm_start
	vm_wait
}

guest_1()
{
	local d

	load_modules
	devdax namespace0.0
	serve card pool=/dev/dax0.0 size=64M
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	fill /mnt/card
	manifest /mnt/card /tmp/manifest
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach pram0
	kill_server card

	mkdir -p /etc/prmem /tmp/conf /tmp/unpacked
	printf 'POOL=/dev/dax0.0\nOPTIONS=\nINITRAMFS=yes\nINITRAMFS_DISKS="pram0"\n' >/etc/prmem/main.conf
	printf 'POOL=/dev/dax1.0\nINITRAMFS=no\n' >/etc/prmem/other.conf
	cp /run/vm/config-* /boot/
	cp -r /etc/initramfs-tools/. /tmp/conf/
	# Only what is needed here: all modules, and what other packages add, would take minutes.
	sed -i 's/^MODULES=.*/MODULES=list/; /^COMPRESS/d' /tmp/conf/initramfs.conf
	printf 'COMPRESS=gzip\nCOMPRESSLEVEL=1\n' >>/tmp/conf/initramfs.conf
	rm -f /tmp/conf/conf.d/*
	find /usr/share/initramfs-tools/hooks -type f ! -name prmem ! -name kmod ! -name udev ! -name 'klibc*' \
		! -name '*busybox' -delete
	check "mkinitramfs" mkinitramfs -d /tmp/conf -o /tmp/initrd "$(uname -r)"
	check "unmkinitramfs" unmkinitramfs /tmp/initrd /tmp/unpacked
	root=/tmp/unpacked
	[ -d "$root/main" ] && root=$root/main
	check "the configuration is in it" test -e "$root/etc/prmem/main.conf"
	check "that of another pool is not" test ! -e "$root/etc/prmem/other.conf"
	check "the modules are in it" sh -c "find $root/ -name 'nbd.ko*' | grep -q . && find $root/ -name 'device_dax.ko*' | grep -q ."

	for d in dev proc sys run; do
		mkdir -p "$root/$d"
		mount --rbind "/$d" "$root/$d"
	done
	check "the script runs in it" chroot "$root" /bin/sh /scripts/local-top/prmem
	check "the disk is attached" test "$(prmem-nbd list --json | jq -r '.[0].device')" = /dev/nbd0
	check "the server survives the switch to the real root" sh -c "tr '\\0' ' ' </proc/\$(cat /run/prmem/main.initramfs)/cmdline | grep -q '^@nbdkit '"
	check "the units leave it alone" test -e /run/prmem/main.initramfs
	check "mount" mount /dev/nbd0 /mnt/card
	check "the files are there" same /mnt/card /tmp/manifest
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach main/pram0
}

vm_main "$@"
