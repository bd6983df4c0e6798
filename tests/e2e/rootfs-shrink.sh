#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 300
# vmrun rootfs shrink: what it says is what it reclaims, and nothing else is changed.
. "$(dirname "$0")/../lib/e2e.sh"

shrink() {
	"$VMRUN" rootfs shrink "$@"
}

in_subid() {
	as_subid_owner bash -euc "cd '$base'; $1"
}

contents() { # of all files but what is to go: modes, times, bytes
	in_subid 'find . -xdev -type f -not -path "./var/cache/*" -not -path "./var/lib/apt/*" \
		-not -path "./var/lib/dpkg/*-old" -printf "%p %m %U:%G %T@ %s\n" -exec sha256sum {} + | sort'
}

disk() { # KiB
	in_subid 'du -sk .' | cut -f 1
}

kib() { # what stdout says of a kind, in KiB
	sed -n "s/^$1  *\([0-9.]*\) \([A-Za-z]*\) .*/\1 \2/p" "$WORK/out" |
		awk '{ print int($1 * ($2 == "MiB" ? 1024 : $2 == "KiB" ? 1 : 1 / 1024) + 0.5) }'
}

expect_near() { # WHAT GOT WANTED SLACK
	[[ $(($2 - $3)) -le $4 && $(($3 - $2)) -le $4 ]] || fail "$1: $2 instead of $3"
}

base=$WORK/base
chmod 755 "$WORK"
copy_base "$base"
run shrink --dry-run "$base"
expect_exit 0
own=$(kib zeros) # of kernel modules
in_subid 'mkdir -p var/cache/apt/archives/partial var/lib/apt/lists/partial usr/share/doc/zoo usr/share/man/man1 zoo
	head -c 3000000 /dev/urandom >var/cache/apt/archives/x_1_all.deb
	head -c 2000000 /dev/urandom >var/lib/apt/lists/mirror_Packages
	echo c >usr/share/doc/zoo/copyright; head -c 500000 /dev/urandom >usr/share/doc/zoo/manual.pdf
	head -c 100000 /dev/urandom >usr/share/man/man1/x.1; head -c 300000 /dev/urandom >var/log/old.log.1
	head -c 5242880 /dev/zero >zoo/zeros; { echo a; head -c 1000000 /dev/zero; echo b; head -c 70000 /dev/zero; } >zoo/some
	head -c 1048576 /dev/zero >zoo/setuid; chmod 4755 zoo/setuid; ln zoo/zeros zoo/zeros-too
	{ head -c 4086 /dev/zero; printf SWAPSPACE2; head -c 1000000 /dev/zero; } >zoo/swap
	head -c 12288 /dev/zero >zoo/few; touch -d "2001-01-01 01:01:01.123456789" zoo/zeros zoo/some
	head -c 40000 /dev/urandom >zoo/noise; sync'
contents >"$WORK/before"
in_subid 'touch -a -d "2002-02-02 02:02:02.222222222" zoo/noise zoo/some'
was=$(disk)
run shrink --dry-run "$base"
expect_exit 0
expect_silent
expect_near "fetched packages" "$(kib "fetched packages")" 2932 60
expect_near "package lists" "$(kib "package lists")" 1956 60
expect_near zeros "$(kib zeros)" $((own + 5120 + 1000000 / 1024 + 70000 / 1024)) 100
grep -q "could be reclaimed" "$WORK/out" || fail "it does not say that nothing was done"
! grep -q documentation "$WORK/out" || fail "documentation is looked for"
said=$(kib total)
expect_eq "after a dry run" "$(disk)" "$was"
run shrink "$base"
expect_exit 0
expect_silent
expect_eq "access times" "$(stat -c %x "$base/zoo/noise" "$base/zoo/some" | grep -c ^2002-02-02)" 2
expect_near "said by the real one" "$(kib total)" "$said" 100
expect_near reclaimed $((was - $(disk))) "$said" 100
[[ $said -gt 10000 ]] || fail "too little: $said KiB"
contents | diff "$WORK/before" - >"$WORK/diff" || fail "something else changed: $(head -c 2000 "$WORK/diff")"
[[ ! -e $base/var/cache/apt/archives/x_1_all.deb && -d $base/var/lib/apt/lists/partial && -e $base/var/log/old.log.1 ]] ||
	fail "what is left?"
expect_eq "blocks of zeros" "$(stat -c %b "$base/zoo/zeros")" 0
[[ $(stat -c %b "$base/zoo/setuid") -ge 2048 && $(stat -c %b "$base/zoo/swap") -ge 1900 ]] || fail "a hole where none may be"
run shrink "$base"
expect_exit 0
expect_eq "a second time" "$(kib total)" 0
run shrink --logs --docs "$base"
expect_exit 0
[[ -e $base/usr/share/doc/zoo/copyright && ! -e $base/usr/share/doc/zoo/manual.pdf && ! -e $base/var/log/old.log.1 &&
	! -e $base/usr/share/man/man1/x.1 ]] || fail "what is left of documentation and logs?"
run vmrun --ephemeral "$base" -- sh -c 'dpkg -V | grep -v " /usr/share/\(doc\|man\|info\)/"; echo works'
expect_out works

# Hostile: what names lead to is left alone.
outside=$WORK/outside
mkdir "$outside"
head -c 1000000 /dev/zero >"$outside/file"
blocks=$(stat -c %b "$outside/file")
in_subid "rm -rf var/cache/apt usr/share/doc; ln -s '$outside' var/cache/apt; ln -s '$outside' usr/share/doc
	ln -s '$outside/file' zoo/link; mkfifo zoo/fifo"
run timeout 60 "$VMRUN" rootfs shrink --docs "$base"
[[ $status -le 1 ]] || fail "status $status"
[[ -e $outside/file && $(stat -c %b "$outside/file") -eq $blocks ]] || fail "it was outside"

# Not while a guest writes to it.
"$VMRUN" --accel=tcg "$base" -- sh -c 'echo up; sleep 60' >"$WORK/guest" 2>/dev/null &
pid=$!
wait_for 120 grep -q up "$WORK/guest"
run shrink "$base"
expect_refused "in use by a guest"
kill "$pid"
wait "$pid" || true
run shrink "$outside"
expect_refused "is no root directory"
as_guest_owner rm -rf "$base"
