#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGKILL in the middle of any verb that changes something, of prmemctl or of
# the server, leaves the old state or the new one, and no damage.
#
# PRMEM_KILL_ROUNDS kills of each verb and party; make check does a few only.
. "${top_srcdir:?}/tests/ctl/functions.sh"

seed=${PRMEM_SEED:-$$$(date +%N)}
RANDOM=$((10#$seed % 32768))
echo "seed $seed (repeat with PRMEM_SEED=$seed)"
rounds=${PRMEM_KILL_ROUNDS:-1}

base=$tmp/base.pool
pool=$tmp/kill.pool
head -c 1M /dev/urandom >"$tmp/image"
head -c 700K /dev/urandom >"$tmp/other"
ctl format "$base" --size 8M --label base >/dev/null
ctl import "$base" a "$tmp/image" >/dev/null
ctl set "$base" a description=kept >/dev/null
ctl create "$base" b 1M --description before >/dev/null

# A pool that has something to be repaired.
two_pages "$tmp/image"
cp --sparse=always "$base" "$tmp/damaged.pool"
ctl import "$tmp/damaged.pool" bad "$tmp/two" >/dev/null
damage_index "$tmp/damaged.pool" bad

# state - all that a person sees, and what is on the disk that has data.
state() {
	local info list
	info=$(ctl info "$pool" --json) && list=$(ctl list "$pool" --json) || return 1
	grep -oE '"(label|size)":[^,]*' <<<"$info" | head -n 2
	# A line a disk.
	printf '%s\n' "${list//\{\"name\"/$'\n'\"name\"}" |
		grep -oE '"name":"[^"]*"|"description":"[^"]*"|"size":[0-9]+|"read_only":[a-z]+|"reserve":[a-z]+' || true
	case $list in
	*'"name":"a"'*) ctl export "$pool" a - 2>/dev/null | cksum ;;
	esac
}

verbs=(
	'create n 2M --reserve --description new'
	'resize b 3M'
	'resize a 512K --force'
	'rename a z'
	'set b description=after read-only=on reserve=on'
	'set --label after'
	'remove a'
	'remove a --wipe'
	'grow --size 12M'
	"grow --add $tmp/added --add-size 4M"
	"import i $tmp/image"
	"import a $tmp/other --force"
	"export a $tmp/out"
	'format --force --label new'
	'repair'
)
export LD_LIBRARY_PATH=$top_builddir/.libs
run() { # VERB ARGUMENT...
	local verb=$1
	shift
	"$prmemctl" "$verb" "$pool" "$@" >"$tmp/run.log" 2>&1
}
# fresh VERB - the pool as it is before.
fresh() {
	rm -f "$tmp/out" "$tmp/added"
	case $1 in
	repair) cp --sparse=always "$tmp/damaged.pool" "$pool" ;;
	*) cp --sparse=always "$base" "$pool" ;;
	esac
}

olds=0 news=0
judge() { # VERB WHO
	local now status=0
	# Whoever only looks, first: what a crash leaves of the superblocks and of disks is no damage.
	ctl check "$pool" >"$tmp/check.log" 2>&1 || status=$?
	case $1:$status in
	*:0 | repair:4) ;;
	*) fail "$1, $2 killed: damage: $(cat "$tmp/check.log")" ;;
	esac
	now=$(state) || fail "$1, $2 killed: the pool cannot be opened: $(ctl info "$pool" 2>&1)"
	if [ "$now" = "$old" ]; then
		olds=$((olds + 1))
	elif [ "$now" = "$new" ]; then
		news=$((news + 1))
	else
		fail "$1, $2 killed: neither old nor new:
$now
old:
$old
new:
$new"
	fi
	case $1 in
	repair) # It can be begun again.
		status=0
		ctl repair "$pool" >"$tmp/repair.log" 2>&1 || status=$?
		case $status in
		0 | 1 | 4) ;;
		*) fail "$1, $2 killed: status $status of the next: $(cat "$tmp/repair.log")" ;;
		esac
		;;
	export*)
		if [ -e "$tmp/out" ]; then
			cmp "$tmp/out" "$tmp/image" || fail "$1, $2 killed: a part of an export has its name"
		fi
		;;
	esac
	# And with what whoever writes next puts right.
	ctl remove "$pool" nothing 2>/dev/null || true
	[ "$(state)" = "$now" ] || fail "$1, $2 killed: changed by the next open:
$now
now:
$(state)"
	ctl scrub "$pool" --json >"$tmp/scrub.log" 2>&1 || fail "$1, $2 killed: damage: $(cat "$tmp/scrub.log")"
	grep -q '"leaked":0' "$tmp/scrub.log" || fail "$1, $2 killed: pages leaked: $(cat "$tmp/scrub.log")"
}

kill_prmemctl() { # VERB ARGUMENT... - after a part of the time that it takes
	# In a subshell, which keeps to itself that something was killed.
	(
		timeout -s KILL "$(printf '0.%06d' $((RANDOM % (took + 1000) % 1000000)))" \
			"$prmemctl" "$1" "$pool" "${@:2}" || true
	) >/dev/null 2>&1
}

kill_server() { # VERB ARGUMENT... - and what its client is told then
	local client status=0
	serve s "$pool"
	run "$@" &
	client=$!
	sleep "$(printf '0.%06d' $((RANDOM % 12000)))"
	stop s KILL
	wait $client || status=$?
	# Then it was done by the server, or prmemctl did it after the server's end.
	if [ $status -eq 0 ] && [ "$1" != export ] && [ "$(state)" != "$new" ]; then
		fail "$*: was acknowledged, and is not there"
	fi
}

kill_client() { # VERB ARGUMENT... - prmemctl, while the server does what it asked for
	serve s "$pool"
	kill_prmemctl "$@"
	# The server ends what it has begun, or takes it back.
	stop s
}

for verb in "${verbs[@]}"; do
	read -ra words <<<"$verb"
	fresh "$verb"
	old=$(state)
	start=$(date +%s%N)
	run "${words[@]}" || [ "$verb" = repair ] || fail "$verb: $(cat "$tmp/run.log")"
	took=$((($(date +%s%N) - start) / 1000))
	new=$(state)
	for ((i = 0; i < rounds; i++)); do
		fresh "$verb"
		kill_prmemctl "${words[@]}"
		judge "$verb" prmemctl
	done
	# With a server these two are refused.
	case $verb in
	format* | repair) continue ;;
	esac
	for ((i = 0; i < (rounds + 2) / 3; i++)); do
		fresh "$verb"
		kill_server "${words[@]}"
		judge "$verb" 'the server'
		fresh "$verb"
		kill_client "${words[@]}"
		judge "$verb" "the server's client"
	done
done
echo "$olds times the old state, $news times the new one"
if [ "$olds" -eq 0 ] || [ "$news" -eq 0 ]; then
	fail "all kills were too early, or too late"
fi
