#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# One server a pool, on device-DAX: servers that run, are stopped, went to the
# background, only read, come by another node of the same memory; and servers
# that are killed while they write: the next one serves what they left, and no
# store of theirs comes later.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

# server_says PARAMETER...: a server does not start; what it says.
server_says()
{
	timeout 60 nbdkit -f -U /run/refused.sock "$@" </dev/null >/run/refused 2>&1
	case $? in
	0 | 124) fail "was not refused: $*" ;;
	esac
	rm -f /run/refused.sock
	cat /run/refused
}

# refused_by PIDS POOL PATTERN: for writing and for reading, naming one of the processes.
refused_by()
{
	local how said

	for how in '' -r; do
		said=$(server_says $how prmem "pool=$2")
		grep -qE "in use by process ($1) \(nbdkit\).*${3:-}" <<<"$said" || fail "$how: said \"$said\", not that $1 has it"
	done
	ok "refused: $said"
}

opens_at_once()
{
	serve next pool=/dev/dax0.0
	kill_server next
	ok "then the next one starts at once"
}

a_server_that_runs()
{
	serve first pool=/dev/dax0.0 size=64M
	refused_by "$server_first" /dev/dax0.0
	say "by another node of the same memory"
	# shellcheck disable=SC2046 # two numbers
	mknod /run/other c $(stat -c '0x%t 0x%T' /dev/dax0.0)
	refused_by "$server_first" /run/other 'by another name of the same memory'
	say "stopped"
	kill -STOP "$server_first"
	until_true 10 grep -q '^State:.*stopped' "/proc/$server_first/status" || fail "it does not stop"
	refused_by "$server_first" /dev/dax0.0
	kill_server first
	opens_at_once
	serve first pool=/dev/dax0.0
	kill_server first TERM
	opens_at_once
}

a_server_in_the_background()
{
	local pid

	say "in the background"
	check "it starts" nbdkit -P /run/pid -U /run/background.sock prmem pool=/dev/dax0.0
	pid=$(cat /run/pid)
	refused_by "$pid" /dev/dax0.0
	kill -KILL "$pid"
	until_true 30 test ! -e "/proc/$pid" || fail "it does not die"
	opens_at_once
}

servers_that_read()
{
	local said

	say "reading"
	serve a -r pool=/dev/dax0.0
	serve b -r pool=/dev/dax0.0
	ok "two share the pool"
	said=$(server_says prmem pool=/dev/dax0.0)
	grep -qE "in use by process ($server_a|$server_b) " <<<"$said" || fail "a writer: $said"
	ok "refused: $said"
	kill_server a
	said=$(server_says prmem pool=/dev/dax0.0)
	grep -q "in use by process $server_b " <<<"$said" || fail "with one reader left, a writer: $said"
	ok "refused: $said"
	kill_server b TERM
	opens_at_once
}

# Whoever comes next reads the disk twice, with time between, and finds the same;
# and no less than what was acknowledged.
servers_that_are_killed()
{
	local round

	for round in 1 2 3 4 5; do
		serve old pool=/dev/dax0.0
		/usr/bin/python3 - "$round" >/run/acknowledged 2>&1 <<-'END' &
			import nbd, sys
			h = nbd.NBD()
			h.connect_unix("/run/old.sock")
			n = 0
			try:
			    while True:
			        n += 1
			        for at in range(0, 8 << 20, 1 << 20):
			            h.pwrite(b"%08d" % (int(sys.argv[1]) * 1000000 + n) * (1 << 17), at)
			        print(n, flush=True)
			except nbd.Error:
			    pass
		END
		writer=$!
		until_true 60 sh -c '[ $(wc -l </run/acknowledged) -ge 2 ]' || fail "nothing is written: $(cat /run/acknowledged)"
		# not waited for: the lock is what the next one has to go by
		kill -KILL "$server_old"
		rm -f /run/new.sock
		until nbdkit -U /run/new.sock -P /run/new.pid prmem pool=/dev/dax0.0 >/run/new.log 2>&1; do
			grep -q 'in use by' /run/new.log || fail "the next one: $(cat /run/new.log)"
		done
		/usr/bin/python3 - "$round" "$(tail -n 1 /run/acknowledged)" <<-'END' || fail "round $round"
			import nbd, sys, time
			h = nbd.NBD()
			h.connect_unix("/run/new.sock")
			first = h.pread(8 << 20, 0)
			least = int(sys.argv[1]) * 1000000 + int(sys.argv[2])
			for at in range(0, 8 << 20, 4096):
			    page = first[at:at + 4096]
			    if page != page[:8] * 512 or int(page[:8]) < least:
			        sys.exit("page %d: %r after %d was acknowledged" % (at // 4096, page[:8], least))
			time.sleep(0.5)
			if h.pread(8 << 20, 0) != first:
			    sys.exit("a store came after the next server had begun")
		END
		wait "$writer" "$server_old" 2>/dev/null
		kill -KILL "$(cat /run/new.pid)"
		until_true 30 test ! -e "/proc/$(cat /run/new.pid)" || fail "it does not die"
	done
	ok "killed five times while writing: what was acknowledged is there, and nothing came later"
	check "every checksum" check_pool /dev/dax0.0
}

guest_1()
{
	load_modules
	devdax namespace0.0
	a_server_that_runs
	a_server_in_the_background
	servers_that_read
	servers_that_are_killed
}

vm_main "$@"
