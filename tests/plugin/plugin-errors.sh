#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What bad input gets: one line that says what, where and what to do, a status
# other than 0, and a pool that is byte for byte as before.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

# A pool with two disks and some data, as a killed server leaves it.
good=$tmp/good
serve s "pool=$good" sizes=1M,2M pool-size=4M
"$python" -c 'import nbd, sys; h = nbd.NBD(); h.connect_uri(sys.argv[1]); h.pwrite(b"kept" * 9999, 5)' "$(uri s)"
stop s KILL

# unchanged FILE PATTERN ... - as refused, and the file is as it was.
unchanged() {
	local file=$1 before
	shift
	before=$(sha256sum <"$file"; stat -c '%s %i %a' "$file")
	refused "$@"
	is "$(sha256sum <"$file"; stat -c '%s %i %a' "$file")" "$before" "$file after: $*"
}
bad() {
	unchanged "$good" "$@"
}

# --- parameters
refused 'pool= is missing: give'
refused 'pool= is empty: give' pool=
bad 'size= is too small \(0\): give 1 byte at least' "$good" size=0
bad 'size= is empty: give' "$good" size=
bad 'size= is negative \(-1\): give' "$good" size=-1
for size in x 1x 1GG 0x10 ' 1' 1.5G K '1 G' 1,2; do
	bad 'size= is not a size .*: give a whole number' "$good" "size=$size"
done
for size in 17T 16385G 1P 1E 99999999999999999999 99999999999999999999G 9223372036854775807; do
	bad 'size= is too large .*: give 16 TiB at most' "$good" "size=$size"
done
bad 'item 2 of sizes= is empty: give' "$good" sizes=1M,,2M
bad 'item 1 of sizes= is empty: give' "$good" sizes=
bad 'item 3 of sizes= is empty: give' "$good" sizes=1M,2M,
bad 'item 3 of sizes= is not a size \(x\): give' "$good" sizes=1M,2M,x,3M
bad 'item 1 of sizes= is too small \(0\): give' "$good" sizes=0,1M
bad 'item 2 of sizes= is too large \(17T\): give' "$good" sizes=1M,17T
bad 'item 1 of sizes= is not a size \(9{20,}' "$good" "sizes=$(printf '9%.0s' {1..500})x"
bad 'size= and sizes= are both given: ' "$good" size=1M sizes=1M
bad 'disk= and sizes= are both given: ' "$good" disk=a sizes=1M
bad 'size= is given twice .*: give it once' "$good" size=1M size=1M
bad 'pool= is given twice .*: give it once' "$good" "$good"
for name in '' a/b a@b 'a b' $'a\tb' $'a\nb' "$(printf 'n%.0s' {1..64})" $'\x7f' é; do
	bad 'is not a valid name: give 1 to 63 printable' "$good" "disk=$name" size=1M ||
		fail "disk=$name"
done
bad 'unknown parameter foo=: ' "$good" foo=bar
bad 'unknown parameter pool_size=: write pool-size=' "$good" pool_size=1G
bad 'unknown parameter SIZE=: write size=' "$good" SIZE=1G
bad 'format=maybe is unknown: give auto, never or force' "$good" format=maybe
bad 'format= is unknown: give' "$good" format=
for n in 0 -1 x '' 65537 1M 99999999999999999999; do
	bad 'max-disks=.* is not a number of disks: give 1 to 65536' "$good" "max-disks=$n"
done
for flag in '' 2 maybe yess 'no ' $'no\n' $'\e[2J' "$(printf 'y%.0s' {1..400})"; do
	bad 'degraded=.* is neither yes nor no: give' -r -- "$good" "degraded=$flag"
	if grep -vE '^nbdkit: .{0,250}$' "$tmp/refused.out"; then
		fail "more than one line, or a long one: degraded=$flag"
	fi
done
bad 'degraded= is given without -r' "$good" degraded=ON
bad 'region=two\?lines has a control character' "$good" region=$'two\nlines'
bad 'pool-size= is too small \(4K\): give 256 KiB at least' "$good" pool-size=4K
bad 'pool-size= is too large \(17T\): give 16 TiB at most' "$good" pool-size=17T

# --- disks
bad 'disk pram2 does not exist in pool .*there: pram0, pram1.*: .*size=' "$good" disk=pram2
bad 'disk PRAM0 does not exist' "$good" disk=PRAM0
bad 'has 2 disks, and 1 more are too many for max-disks=2: ' "$good" disk=third size=1M max-disks=2
bad 'more disks than max-disks=2 allows: ' "$good" sizes=1M,2M,3M max-disks=2
bad 'disk= cannot be in a pool that format=force makes empty: ' "$good" disk=pram0 format=force

# --- pools
refused "pool $tmp/none does not exist: give size= " "$tmp/none"
refused "pool $tmp/none does not exist, .*format=never" "$tmp/none" size=1M format=never
refused "directory $tmp/none of pool .* make it first" "$tmp/none/pool" size=1M
[ ! -e "$tmp/none" ] || fail "a refused start made $tmp/none"
refused 'device /dev/dax77.7 does not exist: ndctl' /dev/dax77.7 size=1M
[ ! -e /dev/dax77.7 ] || fail "a file was made in /dev"
refused "$tmp.* is a directory" "$tmp" size=1M
refused '/dev/null.* no device-DAX' /dev/null size=1M
refused '/dev/zero.* no device-DAX' /dev/zero size=1M format=force
mkfifo "$tmp/fifo"
refused "$tmp/fifo" "$tmp/fifo" size=1M
ln -s loop "$tmp/loop"
refused "$tmp/loop" "$tmp/loop" size=1M

# A new pool in which the disks have no room is gone again.
refused "pool $tmp/none is full|not made in pool $tmp/none" "$tmp/none" pool-size=256K \
	"sizes=$(printf '1M,%.0s' {1..99})1M"
[ ! -e "$tmp/none" ] || fail "a start that failed left its pool behind"

# Too small, empty, foreign.
: >"$tmp/f"
unchanged "$tmp/f" "$tmp/f.* empty" "$tmp/f"
head -c 100000 /dev/zero >"$tmp/f"
unchanged "$tmp/f" "$tmp/f.* too small .*262144" "$tmp/f" size=1M
unchanged "$tmp/f" "$tmp/f.* too small .*262144" "$tmp/f" size=1M format=force
head -c 1000000 /dev/urandom >"$tmp/f"
unchanged "$tmp/f" "$tmp/f.*format=force" "$tmp/f" size=1M
unchanged "$tmp/f" "$tmp/f" "$tmp/f" size=1M format=never
head -c 1M /dev/zero >"$tmp/f"
unchanged "$tmp/f" "$tmp/f" "$tmp/f" size=1M format=never
unchanged "$tmp/f" "$tmp/f" "$tmp/f" disk=pram0
printf x | dd of="$tmp/f" bs=1 seek=1048575 conv=notrunc status=none
unchanged "$tmp/f" "$tmp/f.*format=force" "$tmp/f" size=1M
if command -v mkfs.ext4 >/dev/null; then
	head -c 8M /dev/zero >"$tmp/f"
	mkfs.ext4 -q "$tmp/f" 2>/dev/null
	unchanged "$tmp/f" "$tmp/f.*ext4.*format=force" "$tmp/f" size=1M
fi
if command -v mkswap >/dev/null; then
	head -c 8M /dev/zero >"$tmp/f"
	mkswap "$tmp/f" >/dev/null 2>&1
	unchanged "$tmp/f" "$tmp/f.*swap.*format=force" "$tmp/f" size=1M
fi

# Cut off, too long.
cp "$good" "$tmp/f"
truncate -s 2M "$tmp/f"
unchanged "$tmp/f" "$tmp/f.* cut short.* 2097152 .* 4194304" "$tmp/f"
cp "$good" "$tmp/f"
truncate -s 5M "$tmp/f"
unchanged "$tmp/f" "$tmp/f.* 5242880 .* 4194304" "$tmp/f"

# Superblocks: both damaged; newer; one damaged opens, says so, and is repaired.
damage() { # HOW - into $tmp/f, from $good
	"$python" - "$good" "$tmp/f" "$1" <<'PY'
import sys
data, how = bytearray(open(sys.argv[1], "rb").read()), sys.argv[3]

def crc32c(block):
    crc = 0xffffffff
    for byte in block:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff

for at in (0, 32 * 4096):
    if how == "both" or how == "first" and at == 0 or how == "second" and at > 0:
        data[at + 200] ^= 4
    elif how == "newer":
        data[at + 56 + 7] |= 0x40  # an incompat bit
        data[at + 4092:at + 4096] = crc32c(data[at:at + 4092]).to_bytes(4, "little")
open(sys.argv[2], "wb").write(data)
PY
}
damage both
unchanged "$tmp/f" "$tmp/f.* both superblocks .*format=force" "$tmp/f"
unchanged "$tmp/f" "$tmp/f.* both superblocks .*format=force" "$tmp/f" size=1M
damage newer
unchanged "$tmp/f" "$tmp/f.*(62|newer)" "$tmp/f"
for which in first second; do
	damage $which
	serve s "$tmp/f"
	grep -q 'superblock .* damaged .*repaired' "$tmp/s.log" || fail "the repair of the $which superblock is not said"
	"$python" -c '
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
sys.exit(h.pread(4 * 9999, 5) != b"kept" * 9999)' "$(uri s)" || fail "the data is not there"
	stop s
	serve s "$tmp/f"
	if grep -q damaged "$tmp/s.log"; then
		fail "the $which superblock was not repaired"
	fi
	stop s
done

# Busy.
serve s "$good"
refused "$good.* ${server_pid[s]}\b" "$good"
refused "$good.* ${server_pid[s]}\b" "$good" size=1M format=force
stop s

# Unreadable: not for root, who may read all.
chmod 0 "$good"
if [ "$(id -u)" -ne 0 ]; then
	refused "$good.*[Pp]ermission" "$good"
elif command -v setpriv >/dev/null && setpriv --reuid=65534 --clear-groups test -r "$PRMEM_PLUGIN" 2>/dev/null; then
	chmod 755 "$tmp"
	before=$(sha256sum <"$good")
	if setpriv --reuid=65534 --clear-groups env "${preload[@]}" nbdkit -f -U - "$PRMEM_PLUGIN" "$good" >"$tmp/refused.out" 2>&1 </dev/null; then
		fail "an unreadable pool was served"
	fi
	grep -qE "^nbdkit: error: .*$good.*[Pp]ermission" "$tmp/refused.out" || fail "unreadable: $(cat "$tmp/refused.out")"
	is "$(sha256sum <"$good")" "$before" "unreadable pool"
else
	echo "not tried: an unreadable pool (no user who may not read it but may read the plugin)"
fi
