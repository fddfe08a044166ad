#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# A machine that serves itself, with too little memory: the dirty pages of the
# mounted disk can only be written by the server on the same machine.  A hog
# takes nearly all memory while files are written: nothing deadlocks, the server
# is not killed, the data is right.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_MEMORY=1664M
VM_MEMMAP='memmap=512M!1G' # the last bytes of memory belong to the firmware

guest_1()
{
	local hogs=() i

	load_modules
	devdax namespace0.0
	echo 30 >/proc/sys/kernel/hung_task_timeout_secs
	# as the unit does: locked memory, never the victim
	echo '#!/bin/sh
echo -1000 >/proc/self/oom_score_adj
exec nbdkit --swap "$@"' >/run/nbdkit-swap
	chmod +x /run/nbdkit-swap
	/run/nbdkit-swap -f -U /run/card.sock prmem pool=/dev/dax0.0 size=400M >/run/card.log 2>&1 &
	server_card=$!
	until_true 60 test -S /run/card.sock || fail "no server: $(cat /run/card.log)"
	check "the server's memory is locked" sh -c "[ \$(awk '/^VmLck/ { print \$2 }' /proc/$server_card/status) -gt 1000 ]"
	check "attach" prmem-nbd attach --timeout 30 /run/card.sock pram0
	for i in /proc/"$server_card"/task/*/stat; do # PF_MEMALLOC_NOIO
		[ $(($(sed 's/.*) //' "$i" | cut -d' ' -f7) & 0x80000)) -ne 0 ] || fail "not an IO flusher: $i"
	done
	mkdir /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	fill /mnt/card
	manifest /mnt/card /tmp/manifest

	# Each takes what is left but 48 MiB, touches it again and again, and is
	# started anew when the kernel kills it.
	for i in 1 2; do
		(while :; do
			python3 -c '
import time
def available():
    return next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemAvailable"))
blocks = []
end = time.time() + 20
while time.time() < end:
    if available() > 48 * 1024:
        blocks.append(bytearray(b"x" * (4 << 20)))
    else:
        for b in blocks:
            b[::4096] = b"y" * (len(b) // 4096)
' 2>/dev/null
		done) &
		hogs+=($!)
	done
	until_true 60 sh -c "[ \$(awk '/^MemAvailable/ { print \$2 }' /proc/meminfo) -lt 100000 ]" || fail "no pressure"
	say "memory is short: $(grep MemAvailable /proc/meminfo)"
	for i in 1 2 3; do
		check "write 96 MiB through the page cache ($i)" \
			timeout 120 dd if=/dev/urandom of=/mnt/card/file.$i bs=1M count=96 status=none
		check "sync ($i)" timeout 120 sync -f /mnt/card
		sha256sum /mnt/card/file.$i >>/tmp/sums
	done
	kill "${hogs[@]}"
	pkill python3
	check "the server is alive" kill -0 "$server_card"
	check "the monitor never had to reattach" sh -c "prmem-nbd status --json /dev/nbd0 | grep -qE '\"reattached\": ?0'"
	echo 3 >/proc/sys/vm/drop_caches
	check "the files are right" sha256sum --quiet -c /tmp/sums
	check "the other files too" same /mnt/card /tmp/manifest
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach /dev/nbd0
	kill_server card
	check "every checksum" check_pool /dev/dax0.0
	VM_IO_ALLOWED='oom-kill|Out of memory|invoked oom-killer'
}

vm_main "$@"
