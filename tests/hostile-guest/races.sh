#!/bin/bash
# SPDX-License-Identifier: MIT
# While directories turn into symlinks that lead out, and back, under everything that
# walks through them: nothing outside of the base and of the read-write volume is read,
# made or changed. Outside is: above the base, elsewhere on the host, the read-only volume,
# and what QEMU itself has in its jail.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

SECONDS_OF_RACE=${SECONDS_OF_RACE:-9}

mkdir -p "$WORK/home" "$WORK/outside/d" "$WORK/ro/d" "$WORK/rw"
copy_base "$WORK/home/base"
for dir in "$WORK/home" "$WORK/outside" "$WORK/outside/d" "$WORK/ro" "$WORK/ro/d"; do
	echo "canary of the host" >"$dir/secret"
	chmod 666 "$dir/secret"
done
chmod 777 "$WORK/outside" "$WORK/outside/d" "$WORK/ro" "$WORK/ro/d"
state() {
	(cd "$WORK" && find home outside ro -path home/base -prune -o \
		-printf '%p|%y|%m|%U|%G|%s|%T@|%C@|%n|%l\n' | sort && cat home/secret outside/secret ro/secret)
}
state >"$WORK/before"

# ROOT: a directory of the guest's to do it in; PLACE...: what the symlinks lead to. In each
# of them is, or would be, "secret" and "d/secret".
cat >"$WORK/rw/race.pl" <<'EOT'
use strict;
use warnings;
use Fcntl;
use Time::HiRes "time";
my ($seconds, $root, @places) = @ARGV;
my $until = time + $seconds;
my (%did, @pids);
$| = 1;

sub look {
	my ($file) = @_;
	read($file, my $text, 4096);
	print "BREACH: read it\n" if ($text // "") =~ /canary/;
}

# d is a directory, then a link, then another one.
sub swap {
	my ($where, $name) = @_;
	for (my $i = 0; time < $until; $i++) {
		my $to = $places[$i % @places];
		rename "$where/$name", "$where/$name.real" or next;
		symlink $to, "$where/$name";
		unlink "$where/$name";
		# And the link is moved into place at once.
		symlink $to, "$where/$name.link";
		rename "$where/$name.link", "$where/$name";
		# It is there for as long as looking it up takes.
		-e "$where/$name/d/secret" for 1 .. 4;
		unlink "$where/$name";
		rename "$where/$name.real", "$where/$name";
		$did{swap}++;
	}
}

# All that there is to be done to what is found below a path.
sub attack {
	my ($dir) = @_;
	for (my $i = 0; time < $until; $i++) {
		my $new = "$dir/made-$$-$i";
		$did{open}++ if open my $f, "<", "$dir/secret";
		look($f) if $f;
		if (open my $g, ">>", "$dir/secret") { print $g "changed\n"; $did{append}++ }
		$did{create}++ if sysopen my $h, $new, O_CREAT | O_EXCL | O_RDWR, 0666;
		$did{mkdir}++ if mkdir "$new.d";
		$did{symlink}++ if symlink "x", "$new.s";
		$did{link}++ if link "$dir/secret", "$new.l";
		$did{rename}++ if rename $new, "$new.r";
		$did{chmod}++ if chmod 0600 + $i % 64, "$dir/secret";
		$did{chown}++ if chown 1, 1, "$dir/secret";
		$did{utime}++ if utime 1, 1, "$dir/secret";
		$did{truncate}++ if $i % 8 == 0 && truncate "$dir/secret", 5;
		if (opendir my $d, $dir) { $did{readdir} += () = readdir $d }
		unlink "$new.r", "$new.s", "$new.l";
		rmdir "$new.d";
	}
}

sub start {
	my ($work, @arguments) = @_;
	pipe my $from, my $to;
	my $pid = fork;
	if (!$pid) {
		$work->(@arguments);
		print $to "$_ $did{$_}\n" for keys %did;
		close $to;
		exit 0;
	}
	close $to;
	push @pids, [$pid, $from];
}

for my $name ("a", "b") {
	mkdir "$root/$name";
	mkdir "$root/$name/d";
	for my $file ("$root/$name/secret", "$root/$name/d/secret") {
		open my $f, ">", $file or die "$file: $!";
		print $f "inside\n";
	}
	start(\&swap, $root, $name);
	start(\&swap, "$root/$name", "d");
	start(\&attack, "$root/$name");
	start(\&attack, "$root/$name/d");
}
my %all;
for (@pids) {
	my ($pid, $from) = @$_;
	while (<$from>) { my ($what, $n) = split; $all{$what} += $n }
	waitpid $pid, 0;
}
print "$_ $all{$_}\n" for sort keys %all;
EOT

# Where a symlink could lead to: by the host's names, upwards, and by QEMU's own (vm is the
# jail's; the guest has none).
up=../../../../../../../../../../..
places=("$WORK/outside" "$up$WORK/outside" /vm/root /vm/volumes/1 ../../volumes/1 ../.. "$up/vm/root")

race() { # DIRECTORY
	run vmrun --timeout=120s -v "$WORK/rw:/mnt" -v "$WORK/ro:/opt:ro" "$WORK/home/base" -- \
		perl /mnt/race.pl "$SECONDS_OF_RACE" "$1" "${places[@]}"
	expect_exit 0
	! grep BREACH "$WORK/out" || fail "the guest got out"
	for what in swap open create rename chmod link mkdir readdir; do
		grep -q "^$what [1-9]" "$WORK/out" || fail "nothing was raced: no $what"
	done
	say "$1: $(tr '\n' ' ' <"$WORK/out")"
	state >"$WORK/after"
	diff "$WORK/before" "$WORK/after" || fail "the guest changed what is outside"
	! as_guest_owner grep -rlE 'canary of the host' "$WORK/home/base/srv" "$WORK/rw" \
		--exclude=race.pl || fail "the canary is inside"
}
race /srv # of the base
race /mnt # of a volume
