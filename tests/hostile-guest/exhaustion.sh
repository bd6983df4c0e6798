#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest that takes all there is: processes, memory, /tmp, files open at a time, 9p's own
# handles. The errors are the guest's; vmrun and the host go on, and so does the next guest.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

mkdir "$WORK/rw"

say "a fork bomb"
guest --timeout=5s -m 256m -- bash -c 'bomb() { bomb | bomb & }; bomb; sleep 1000'
[[ $status -eq 124 || $status -eq 137 ]] || fail "exit status $status"
expect_no_control "$WORK/err"

say "/tmp and /dev/shm"
guest -m 256m -- sh -c '
	for dir in /tmp /dev/shm /run; do
		head -c 300m /dev/zero >$dir/full && echo "$dir took 300 MB"
		rm $dir/full
	done
	echo done'
expect_exit 0
expect_out "done"
expect_err "No space left on device"

# The limit of what QEMU may have open is what vmrun found: well below what the guest asks for.
say "files open at a time"
run bash -c 'ulimit -n 256; "$@"' - "$VMRUN" --accel=tcg --ephemeral -v "$WORK/rw:/mnt" "$BASE" -- sh -c '
	ulimit -n 20000
	perl -e "
		my (@open, \$n);
		for (1 .. 1500) { open my \$f, q(>), qq(/mnt/\$_) or last; push @open, \$f; \$n++ }
		print qq(\$n files: \$!\n);
		close \$_ for @open;
		open my \$f, q(<), q(/mnt/1) or die qq(none any more: \$!);
		print qq(done\n)"'
expect_exit 0
grep -q '^done$' "$WORK/out" || fail "the guest cannot go on"
say "$(head -n 1 "$WORK/out")"

# A handle of 9p's without an open file: a path each.
say "handles of 9p"
guest --ephemeral --timeout=120s -v "$WORK/rw:/mnt" -- sh -ec '
	perl -e "
		use Fcntl;
		my @held;
		for (1 .. 1500) { sysopen my \$f, qq(/mnt/\$_), 010000000 | O_CREAT or last; push @held, \$f }
		print scalar(@held) > 0 ? qq(held\n) : qq(none: \$!\n)"
	ls /mnt >/dev/null
	echo done'
expect_exit 0

say "memory"
guest --timeout=8s -m 256m -- perl -e '
	my @held;
	for (1 .. 24) { $pid = fork; next if $pid; my $x = "x" x 100_000_000; sleep 1000 }
	sleep 1000'
# Killed, panicked, or so busy that only --timeout ends it.
[[ $status -eq 124 || $status -eq 125 || $status -eq 137 ]] || fail "exit status $status"
say "exit status $status: $(head -n 1 "$WORK/err")"

guest -- sh -c 'exit 7'
expect_exit 7
expect_silent
