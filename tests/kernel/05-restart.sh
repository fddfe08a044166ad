#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# Restarts under load: fio with verify on a mounted ext4 through prmem-nbd.  The
# server is killed ten times and once replaced by another build: no I/O error,
# no wrong byte, no remount.
#
# PRMEM_VM_NEWER names the plugin of the other build; without it, a copy of
# this one stands in.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

# Whatever else answers at the address, requests wait for the right disk.
another_disk_is_not_taken()
{
	local sum

	sum=$(dd if="$1" bs=1M count=4 iflag=direct status=none | sha256sum)
	kill_server card
	serve card pool=/run/other.pool size=256M
	dd if="$1" bs=1M count=4 iflag=direct status=none 2>/run/dd.err | sha256sum >/run/sum &
	reader=$!
	sleep 4
	check "another disk at the same address is not taken" sh -c "prmem-nbd status $1 | grep -q '^state: *waiting'"
	check "a reader waits" kill -0 "$reader"
	kill_server card
	serve card pool=/dev/dax0.0
	wait "$reader"
	check "it got the right data in the end" test "$(cat /run/sum)" = "$sum"
}

# Why the unit kills: asked to end, the server answers what still comes in with
# "shutting down", and the kernel makes an I/O error of that.  It takes a request
# at the wrong moment.
sigterm_is_no_way_to_restart()
{
	local try reader

	for try in $(seq 20); do
		fio --name=reader --filename="$1" --readonly --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=32 \
			--time_based --runtime=60 --eta=never >/run/reader.out 2>&1 &
		reader=$!
		sleep 1.5
		kill_server card TERM
		serve card pool=/dev/dax0.0
		until_true 60 sh -c "prmem-nbd status $1 | grep -q '^connections:  2 of 2'" || fail "not reattached"
		kill -TERM "$reader" 2>/dev/null
		wait "$reader"
		if grep -q 'Input/output error' /run/reader.out; then
			ok "SIGTERM instead of SIGKILL: an I/O error in round $try"
			VM_IO_ALLOWED='I/O error, dev nbd0|Buffer I/O error on dev nbd0'
			return
		fi
	done
	fail "SIGTERM never made an I/O error: then the unit need not kill"
}

guest_1()
{
	local i device plugin started

	load_modules
	devdax namespace0.0
	serve card pool=/dev/dax0.0 size=256M
	device=$(prmem-nbd attach --timeout 3 --connections 2 /run/card.sock pram0) || fail "attach"
	check "attached as /dev/nbd0" test "$device" = /dev/nbd0
	check "mkfs" mkfs.ext4 -q "$device"
	mkdir /mnt/card
	check "mount" mount "$device" /mnt/card
	cp -r /usr/include/linux/netfilter /mnt/card/still
	fio --name=direct --directory=/mnt/card --size=16M --ioengine=libaio --iodepth=8 --direct=1 --bs=4k \
		--rw=randwrite --verify=crc32c --loops=40 --verify_backlog=1024 --eta=never >/run/direct.out 2>&1 &
	direct=$!
	fio --name=buffered --directory=/mnt/card --size=16M --bs=4k-64k --rw=randrw --verify=crc32c \
		--verify_backlog=64 --fsync=32 --loops=40 --eta=never >/run/buffered.out 2>&1 &
	buffered=$!
	sleep 2
	plugin=$(nbdkit prmem --dump-plugin | sed -n 's/^path=//p')
	for i in 1 2 3 4 5 6 7 8 9 10 11; do
		kill -0 "$direct" "$buffered" || break
		if [ "$i" = 11 ]; then
			cp "${PRMEM_VM_NEWER:-$plugin}" /run/newer.so
			VM_PLUGIN=/run/newer.so
			cmp -s "$plugin" "$VM_PLUGIN" || say "the last one is another build"
		fi
		started=$SECONDS
		kill_server card
		serve card pool=/dev/dax0.0
		until_true 60 sh -c "prmem-nbd status $device | grep -q '^connections:  2 of 2'" || fail "not reattached"
		say "restart $i took $((SECONDS - started)) s"
		# until the requests of that moment are through
		until_true 60 sh -c "sync -f /mnt/card/still" || fail "I/O does not go on"
	done
	check "eleven restarts under load" test "$i" = 11
	kill -TERM "$direct" "$buffered"
	wait "$direct"
	wait "$buffered"
	for i in direct buffered; do
		grep -E 'verify:|error=|err=' "/run/$i.out" | grep -v 'err= 0' && { cat "/run/$i.out"; fail "fio $i"; }
		ok "fio $i: no wrong byte, $(grep -oE 'io=[0-9.]+[KMG]iB' "/run/$i.out" | head -n 1)"
	done
	check "never remounted read-only" sh -c "grep ' /mnt/card ' /proc/mounts | grep -q ' rw'"
	check "the other files" diff -r /usr/include/linux/netfilter /mnt/card/still
	check "the monitor counted" sh -c "prmem-nbd status --json $device | grep -qE '\"reattached\": ?11'"
	check "unmount" umount /mnt/card
	check "fsck" e2fsck -fn "$device"
	another_disk_is_not_taken "$device"
	check_dmesg
	sigterm_is_no_way_to_restart "$device"
	check "detach" prmem-nbd detach "$device"
	kill_server card
	check "every checksum" check_pool /dev/dax0.0
}

vm_main "$@"
