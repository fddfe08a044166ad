#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# With -r, in whatever form it is given, no client can write, not a byte of the
# pool changes, and two such servers share it.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdinfo libnbd-bin
need_libnbd

serve s "pool=$tmp/pool" sizes=16M,32M pool-size=64M
"$python" -c 'import nbd, sys; h = nbd.NBD(); h.connect_uri(sys.argv[1]); h.pwrite(b"kept" * 1024, 0)' "$(uri s)"
stop s KILL # the owner record is that of a dead process: to be left as it is
sum=$(sha256sum <"$tmp/pool")
unchanged() {
	is "$(sha256sum <"$tmp/pool")" "$sum" "pool after $1"
}

# looked_at NAME WHAT - read it, try to write to it.
looked_at() {
	"$python" - "$(uri "$1")" <<'PY' || fail "$2: served wrongly"
import errno, nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
assert h.is_read_only()
assert h.pread(4096, 0) == b"kept" * 1024
h.set_strict_mode(0)
for f in (lambda: h.pwrite(b"x" * 512, 0), lambda: h.zero(512, 0), lambda: h.trim(512, 0)):
    try:
        f()
    except nbd.Error as e:
        assert e.errnum == errno.EPERM, e
        continue
    sys.exit("a write was accepted")
assert h.pread(4096, 0) == b"kept" * 1024
PY
	nbdinfo --list "$(uri "$1")" >/dev/null
}

forms=("-r" "-fr" "-rf" "--readonly" "--read-only" "--readonl" "-v -r" "--filter=log -r logfile=/dev/null" "-t 2 -r" "-r --filter noextents")
for form in "${forms[@]}"; do
	read -ra words <<<"$form"
	options=() params=()
	for word in "${words[@]}"; do
		case $word in
		*file=*) params+=("$word") ;;
		*) options+=("$word") ;;
		esac
	done
	serve r "${options[@]}" -- "pool=$tmp/pool" "${params[@]}"
	looked_at r "$form"
	stop r
	unchanged "a server with $form"
done

# After the parameters too; and a value of "-r" is none.
env "${preload[@]}" nbdkit -U - "$PRMEM_PLUGIN" "pool=$tmp/pool" -r \
	--run 'nbdinfo --is readonly "$uri"' 2>"$tmp/run.log" || fail "-r behind the parameters is not seen"
unchanged "-r behind the parameters"

# Two share it; a writer is kept out, and by a writer they are.
serve r1 -r -- "pool=$tmp/pool"
serve r2 --readonly -- "pool=$tmp/pool"
looked_at r1 "the first of two"
looked_at r2 "the second of two"
refused "$tmp/pool.*(in use|busy|open)" "pool=$tmp/pool"
stop r1
stop r2
unchanged "two servers at once"

# Nothing is made.
refused "disk pram7 does not exist .* -r" -r -- "pool=$tmp/pool" disk=pram7 size=1M
refused "disk pram2 does not exist .* -r" -r -- "pool=$tmp/pool" sizes=16M,32M,1M
refused "pool $tmp/none does not exist.* -r" -r -- "pool=$tmp/none" size=1M
[ ! -e "$tmp/none" ] || fail "a pool was made with -r"
refused "format=force and -r" -r -- "pool=$tmp/pool" format=force
unchanged "refusals"

# Without -r, "-r" as an option's argument is not taken for it.
mkdir "$tmp/x"
(cd "$tmp/x" && env "${preload[@]}" nbdkit -U - -e -r "$PRMEM_PLUGIN" "pool=$tmp/pool" disk=pram0 \
	--run "test \"\$(nbdinfo --can write \"\$uri\" && echo yes)\" = yes") 2>"$tmp/e.log" ||
	fail "the argument of -e was taken for -r: $(cat "$tmp/e.log")"
