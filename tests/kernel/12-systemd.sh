#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# As a new user on a small Debian with systemd: the units serve and attach, the
# links are there, the mount comes up by itself after a kexec; a restart of the
# server goes unnoticed; everything goes down in order: unmounted, detached, and
# only then the server.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_LIMIT=900
VM_APPEND='vm.init=/sbin/init systemd.show_status=1 systemd.log_level=notice systemd.mask=serial-getty@ttyS0.service'
rootfs_packages=systemd,systemd-sysv,udev,kmod,nbdkit,ndctl,e2fsprogs,libpmem1,liburcu8,libisal2,libblkid1,libjson-c5
rootfs_packages+=,libnl-genl-3-200,kexec-tools,libnbd-bin,procps,nbd-client

# A small Debian in the cache.
make_rootfs()
{
	VM_ROOT=$VM_CACHE/rootfs-bookworm
	[ -e "$VM_ROOT/etc/debian_version" ] && return
	command -v mmdebstrap >/dev/null || vm_skip "no mmdebstrap (Debian package mmdebstrap)"
	[ "$(id -u)" -eq 0 ] || vm_skip "only root may make a root file system"
	vm_say "making a small Debian (once)"
	rm -rf "${VM_ROOT:?}.new"
	mmdebstrap --quiet --variant=minbase --include="$rootfs_packages" bookworm "$VM_ROOT.new" >"$VM_DIR/mmdebstrap.log" 2>&1 ||
		vm_skip "mmdebstrap failed: $(tail -n 1 "$VM_DIR/mmdebstrap.log")"
	mv "$VM_ROOT.new" "$VM_ROOT"
}

host()
{
	local unit=$VM_DIR/dest/etc/systemd/system

	make_rootfs
	mkdir -p "$unit/multi-user.target.wants"
	cat >"$unit/vm-guest.service" <<-'END'
		[Unit]
		After=basic.target remote-fs.target
		[Service]
		Type=exec
		ExecStart=/bin/bash -c '. /run/vm/env; VM_GUEST=1 VM_STAGE=$$(cat /run/vm/stage) bash $$VM_SCENARIO; echo $$? >/run/vm/status; systemctl poweroff'
		StandardOutput=tty
		StandardError=tty
		TTYPath=/dev/console
		KillMode=none
		SendSIGKILL=no
	END
	ln -s ../vm-guest.service "$unit/multi-user.target.wants/"
	vm_start
	vm_wait
	in_order "at poweroff" "$(sed 's/\r$//' "$VM_DIR/console" | sed '0,/VM-MARK poweroff/d')"
	in_order "at kexec" "$(sed 's/\r$//' "$VM_DIR/console" | sed '0,/VM-MARK kexec/d; /systemd-kexec.service/,$d')"
}

# in_order WHEN CONSOLE: what the manager said when it took things down.
in_order()
{
	local lines

	lines=$(grep -anE 'Unmounted.*(srv|/srv)|Stopped.*prmem disk|Stopped.*Server of the prmem pool|Stopped.*prmem-nbd@|Stopped.*prmem@' <<<"$2" |
		sed -E 's/.*Unmounted.*/mount/; s/.*(prmem disk|prmem-nbd@).*/disk/; s/.*(Server of|prmem@main).*/server/' | uniq)
	vm_say "$1 went down: $(tr '\n' ' ' <<<"$lines")"
	[ "$lines" = $'mount\ndisk\nserver' ] || vm_fail "$1: not in order"
}

# What the units said, when something fails.
if [ -n "${VM_GUEST:-}" ]; then
	fail()
	{
		echo "$VM_NAME: FAIL: $*"
		journalctl -b --no-pager -o cat -n 40 -u 'prmem*' -u srv.mount
		exit 1
	}
fi

is_up()
{
	check "prmem@main.socket listens" systemctl is-active prmem@main.socket
	check "prmem@main.service runs" systemctl is-active prmem@main.service
	check "prmem-nbd@main-pram0.service runs" systemctl is-active prmem-nbd@main-pram0.service
	until_true 30 test -b /dev/prmem/pram0 || fail "no link: $(ls -lR /dev/prmem)"
	ok "the link /dev/prmem/pram0 is there"
	check "the link by pool too" sh -c 'test -b /dev/prmem/by-pool/*-*-*-*-*/pram0'
	check "no failed unit of ours" sh -c '! systemctl --failed | grep prmem'
}

# As in prmem(7).
guest_1()
{
	prmem-reserve --namespace >/tmp/out 2>&1 || { cat /tmp/out; fail "prmem-reserve --namespace"; }
	until_true 10 test -c /dev/dax0.0 || fail "no /dev/dax0.0"
	check "the node belongs to the group disk" until_true 30 sh -c '[ "$(stat -c %G:%a /dev/dax0.0)" = disk:660 ]'
	mkdir -p /etc/prmem
	printf 'POOL=/dev/dax0.0\nOPTIONS="size=256M"\n' >/etc/prmem/main.conf
	echo 'PRMEM_NBD_OPTIONS="--timeout 3"' >/etc/prmem/nbd.conf
	check "enable the server" systemctl enable --now prmem@main.socket prmem@main.service
	check "enable the disk" systemctl enable --now prmem-nbd@main-pram0.service
	is_up
	check "mkfs" mkfs.ext4 -q /dev/prmem/pram0
	echo '/dev/prmem/pram0 /srv ext4 _netdev,nofail,noatime 0 2' >>/etc/fstab
	systemctl daemon-reload
	check "mount" mount /srv
	mkdir /srv/files
	cp -r /usr/share/doc /srv/files/
	(cd /srv/files && find . -type f -print0 | xargs -0 sha256sum) >/run/vm/manifest
	check "the unit's server answers prmemctl" prmemctl resize main pram0 320M
	check "the device grows" until_true 60 sh -c '[ "$(blockdev --getsize64 /dev/prmem/pram0)" = $((320 << 20)) ]'
	check "and the file system" resize2fs /dev/prmem/pram0

	(while :; do dd if=/dev/urandom of=/srv/busy bs=64k count=16 conv=fsync status=none || echo >/run/busy-failed; done) &
	busy=$!
	main=$(systemctl show -P MainPID prmem@main.service)
	check "restart the server under load" systemctl restart prmem@main.service
	check "it is another process" test "$main" != "$(systemctl show -P MainPID prmem@main.service)"
	check "writing goes on" timeout 60 dd if=/dev/urandom of=/srv/after bs=1M count=4 conv=fsync
	check "kill the monitor" systemctl kill --signal=SIGKILL prmem-nbd@main-pram0.service
	until_true 30 systemctl is-active prmem-nbd@main-pram0.service || fail "the monitor was not started again"
	check "kill the server" systemctl kill --signal=SIGKILL prmem@main.service
	check "writing goes on" timeout 60 dd if=/dev/urandom of=/srv/after bs=1M count=4 conv=fsync
	check "no write failed" test ! -e /run/busy-failed
	kill "$busy"
	check "the files are the same" same /srv /run/vm/manifest
	mkdir -p /etc/default/kexec.d
	echo 'LOAD_KEXEC=false' >/etc/default/kexec.d/prmem
	check "load the next kernel" prmem-kexec --load --initrd=/run/vm/initrd.img /run/vm/vmlinuz
	check "--check is content" prmem-reserve --check

	# the root is in memory: what is in /etc has to be brought along
	mkdir -p /run/vm/root/etc/systemd
	cp -a /etc/prmem /etc/fstab /etc/default /run/vm/root/etc/
	cp -a /etc/systemd/system /run/vm/root/etc/systemd/
	echo 2 >/run/vm/stage
	check_dmesg
	mark kexec
	systemctl kexec
	sleep 120
	fail "no kexec"
}

guest_2()
{
	until_true 60 findmnt /srv || { systemctl status 'prmem*' srv.mount; fail "/srv was not mounted"; }
	ok "/srv is mounted by itself"
	is_up
	check "the file system was left clean" sh -c '! dmesg | grep -q "EXT4-fs (nbd0): recovery"'
	check "the files are there" same /srv /run/vm/manifest
	check "up in order: server, disk, mount" came_up
	check_dmesg
	mark poweroff
}

came_up()
{
	local last=0 unit at

	for unit in prmem@main.socket prmem-nbd@main-pram0.service srv.mount; do
		at=$(systemctl show -P ActiveEnterTimestampMonotonic "$unit")
		echo "$unit $at"
		[ "$at" -gt "$last" ] || return 1
		last=$at
	done
}

vm_main "$@"
