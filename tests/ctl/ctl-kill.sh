#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGKILL in the middle of any verb, of prmemctl or of the server, leaves the
# old state or the new one, and no damage.
. "${top_srcdir:?}/tests/ctl/functions.sh"

seed=${PRMEM_SEED:-$$$(date +%N)}
RANDOM=$((10#$seed % 32768))
echo "seed $seed (repeat with PRMEM_SEED=$seed)"
rounds=5
[ -z "${PRMEM_QUICK-}" ] || rounds=3

base=$tmp/base.pool
pool=$tmp/kill.pool
head -c 1M /dev/urandom >"$tmp/image"
ctl format "$base" --size 8M --label base >/dev/null
ctl import "$base" a "$tmp/image" >/dev/null
ctl create "$base" b 1M --description before >/dev/null

# state - all that a person sees; what an import left that was killed is no part of it.
state() {
	local info list
	info=$(ctl info "$pool" --json) && list=$(ctl list "$pool" --json) || return 1
	grep -oE '"(label|size)":[^,]*' <<<"$info" | head -n 2
	# A line a disk.
	printf '%s\n' "${list//\{\"name\"/$'\n'\"name\"}" | grep -v '\.importing"' |
		grep -oE '"name":"[^"]*"|"description":"[^"]*"|"size":[0-9]+|"read_only":[a-z]+|"reserve":[a-z]+' || true
}

# As in prmemctl(8); "grow --add" needs a file that is new each time.
verbs=(
	'create n 2M --reserve --description new'
	'resize b 3M'
	'resize a 512K --force'
	'rename a z'
	'set b description=after read-only=on reserve=on'
	'remove a'
	'remove a --wipe'
	'grow --size 12M'
	"import i $tmp/image"
	"export a $tmp/out"
	'format --force --label new'
)
run() { # VERB ARGUMENT...
	local verb=$1
	shift
	"$prmemctl" "$verb" "$pool" "$@" >"$tmp/run.log" 2>&1
}
export LD_LIBRARY_PATH=$top_builddir/.libs

olds=0 news=0
judge() {
	local now
	now=$(state) || fail "$1: the pool cannot be opened: $(ctl info "$pool" 2>&1)"
	if [ "$now" = "$old" ]; then
		olds=$((olds + 1))
	elif [ "$now" = "$new" ]; then
		news=$((news + 1))
	else
		fail "$1: neither old nor new:
$now
old:
$old
new:
$new"
	fi
	# What a crash leaves of the superblocks is put right by whoever opens the pool for writing.
	ctl remove "$pool" nothing 2>/dev/null || true
	ctl scrub "$pool" >"$tmp/scrub.log" 2>&1 || fail "$1: damage: $(cat "$tmp/scrub.log")"
	if [ "${1%% *}" = export ] && [ -e "$tmp/out" ]; then
		cmp "$tmp/out" "$tmp/image" || fail "$1: a part of an export has its name"
		rm "$tmp/out"
	fi
}

for verb in "${verbs[@]}"; do
	read -ra words <<<"$verb"
	cp --sparse=always "$base" "$pool"
	old=$(state)
	start=$(date +%s%N)
	run "${words[@]}" || fail "$verb: $(cat "$tmp/run.log")"
	took=$((($(date +%s%N) - start) / 1000))
	new=$(state)
	rm -f "$tmp/out"
	for ((i = 0; i < rounds; i++)); do
		cp --sparse=always "$base" "$pool"
		# In a subshell, which keeps to itself that something was killed.
		(
			timeout -s KILL "$(printf '0.%06d' $((RANDOM % (took + 1000) % 1000000)))" \
				"$prmemctl" "${words[0]}" "$pool" "${words[@]:1}" || true
		) >/dev/null 2>&1
		judge "$verb"
	done
	# What an import left is no hindrance to the next.
	if [ "${words[0]}" = import ]; then
		run "${words[@]}" --force || fail "$verb again: $(cat "$tmp/run.log")"
		if ctl list "$pool" | grep -q importing; then
			fail "$verb: something is left: $(ctl list "$pool")"
		fi
	fi
done
echo "prmemctl killed: $olds times the old state, $news times the new one"
[ "$olds" -gt 0 ] && [ "$news" -gt 0 ] || [ -n "${PRMEM_QUICK-}" ] || fail "all kills were too early, or too late"

# The server, and what a client is told then.
for verb in "${verbs[@]}"; do
	[ "${verb%% *}" != format ] || continue
	read -ra words <<<"$verb"
	cp --sparse=always "$base" "$pool"
	old=$(state)
	run "${words[@]}"
	new=$(state)
	rm -f "$tmp/out"
	for ((i = 0; i < rounds / 6; i++)); do
		cp --sparse=always "$base" "$pool"
		serve s "$pool"
		run "${words[@]}" &
		client=$!
		sleep "$(printf '0.%06d' $((RANDOM % 12000)))"
		stop s KILL
		status=0
		wait $client || status=$?
		# Then it was done by the server, or prmemctl did it after the server's end.
		if [ $status -eq 0 ] && [ "${words[0]}" != export ] && [ "$(state)" != "$new" ]; then
			fail "$verb: was acknowledged, and is not there"
		fi
		judge "$verb, server killed"
	done
done
echo "all: $olds times the old state, $news times the new one"
