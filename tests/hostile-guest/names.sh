#!/bin/bash
# SPDX-License-Identifier: MIT
# Names of any bytes, directories of 10^5 entries, trees deeper than a path may be long, and
# the other extremes of a file system: what can be is the same on both sides, what cannot be
# is the guest's error, and vmrun goes on.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

mkdir -p "$WORK/rw/host" "$WORK/many"

# The same in the guest (perl) as on the host: the names below a directory, as one digest.
cat >"$WORK/rw/digest.pl" <<'EOT'
use Digest::MD5 "md5_hex";
opendir my $d, $ARGV[0] or die "$ARGV[0]: $!";
my @names = sort grep { $_ ne "." && $_ ne ".." } readdir $d;
print scalar(@names), " ", md5_hex(join "/", @names), "\n";
EOT
# 254 names of a byte, names of 2 to 255 bytes of all kinds, and what programs trip over.
cat >"$WORK/rw/make.pl" <<'EOT'
my ($dir, $seed) = @ARGV;
my %names = map { chr($_) => 1 } grep { $_ != 46 && $_ != 47 } 1 .. 255;
srand $seed;
for my $len (2 .. 255) {
	$names{join "", map { my $c = 1 + int rand 255; chr($c == 47 ? 48 : $c) } 1 .. $len} = 1;
}
$names{$_} = 1 for "...", "-rf", " ", "\n\n", "a\nb", "\$(reboot)", "\xff" x 255, "\xc3\xa4",
	"%s%n", "\\", "'", "\"", "\e[2J", "*", "?", "[", "~", "\xed\xa0\x80", "NUL", "a,b=c";
for (sort keys %names) {
	open my $f, ">", "$dir/$_" or die "name of " . length . " bytes: $!";
	print $f $_;
}
for (sort keys %names) {
	open my $f, "<", "$dir/$_" or die;
	local $/;
	<$f> eq $_ or die "another file by the name of $_";
}
open my $f, ">", "$dir/" . "x" x 256 and die "a name of 256 bytes";
$!{ENAMETOOLONG} or die "256 bytes: $!";
EOT

say "names"
perl "$WORK/rw/make.pl" "$WORK/rw/host" 1
guest --ephemeral -v "$WORK/rw:/mnt" -- sh -ec '
	mkdir /mnt/guest
	perl /mnt/make.pl /mnt/guest 2
	perl /mnt/digest.pl /mnt/guest
	perl /mnt/digest.pl /mnt/host
	perl -e "chdir q(/mnt/host) or die; opendir my \$d, q(.); for (readdir \$d) { next if /^\\.{1,2}\$/; rename(\$_, qq(x\$_)) or length > 254 or die }"
	perl /mnt/digest.pl /mnt/host'
expect_exit 0
expect_silent
expect_eq "names that the guest made" "$(perl "$WORK/rw/digest.pl" "$WORK/rw/guest")" "$(sed -n 1p "$WORK/out")"
expect_eq "names that the guest renamed" "$(perl "$WORK/rw/digest.pl" "$WORK/rw/host")" "$(sed -n 3p "$WORK/out")"
[[ $(sed -n 2p "$WORK/out") != "$(sed -n 3p "$WORK/out")" ]] || fail "nothing was renamed"

say "100000 entries"
perl -e 'for (1 .. 100_000) { open my $f, ">", "$ARGV[0]/entry-$_" or die }' "$WORK/many"
guest --ephemeral -v "$WORK/many:/mnt" -- sh -ec '
	perl -e "opendir my \$d, q(/mnt); my \$n = () = readdir \$d; print \$n - 2, qq(\n)"
	perl -e "unlink map { qq(/mnt/entry-\$_) } 1 .. 300"'
expect_exit 0
expect_out 100000
expect_eq "entries" "$(find "$WORK/many" -type f | wc -l)" 99700

say "deep trees, long links, large files"
guest --ephemeral -v "$WORK/rw:/mnt" -- perl -we '
	use strict;
	use Errno;
	sub expect { my ($what, $ok) = @_; print "$what\n" if !$ok }
	# 100 levels of 100 bytes, by steps: no path leads there.
	my $deepest = 0;
	mkdir "/mnt/deep"; chdir "/mnt/deep" or die;
	for (1 .. 100) {
		mkdir "d" x 100 and chdir "d" x 100 or last;
		$deepest = $_;
	}
	open my $f, ">", "bottom" or $deepest > 30 or print "no file at level $deepest: $!\n";
	close $f if $f;
	expect("only $deepest levels", $deepest >= 35);
	chdir "/mnt";
	expect("symlink of 4095 bytes: $!", symlink "s" x 4095, "long");
	expect("is read back", readlink("long") eq "s" x 4095);
	expect("symlink of 4096 bytes", !symlink("s" x 4096, "longer") && $!{ENAMETOOLONG});
	open my $sparse, "+>", "sparse" or die;
	expect("1 TB: $!", truncate $sparse, 1 << 40);
	sysseek $sparse, (1 << 40) - 3, 0;
	expect("its end: $!", syswrite($sparse, "end") == 3);
	sysseek $sparse, (1 << 40) - 4, 0;
	sysread $sparse, my $end, 10;
	expect("is read back", $end eq "\0end");
	open my $one, ">", "link-0" or die;
	link "link-0", "link-$_" or expect("link $_: $!", 0) for 1 .. 1000;
	expect("links: " . (stat "link-0")[3], (stat "link-0")[3] == 1001);
	print "done\n"'
expect_exit 0
expect_out "done"
expect_eq "size of the sparse file" "$(stat -c %s "$WORK/rw/sparse")" $((1 << 40))
[[ $(du -k "$WORK/rw/sparse" | cut -f 1) -lt 1000 ]] || fail "it takes room"
rm "$WORK/rw/sparse"
depth=$(find "$WORK/rw/deep" -type d | wc -l)
say "$depth levels deep"

say "extended attributes"
guest --ephemeral -v "$WORK/rw:/mnt" -- sh -c '
	cd /mnt; >file
	# Each is taken and read back, or refused.
	perl -e "
		my (\$set, \$got) = (0, 0);
		for my \$size (0, 1, 1000, 4000, 65000, 65536, 65537, 1 << 20) {
			my \$v = q(v) x \$size;
			my (\$file, \$name) = (q(/mnt/file), qq(user.v\$size));
			next if syscall(188, \$file, \$name, \$v, \$size, 0) != 0;
			\$set++;
			my \$back = q(x) x (\$size + 1);
			my \$n = syscall(191, \$file, \$name, \$back, \$size + 1);
			\$got++ if \$n == \$size && substr(\$back, 0, \$size) eq \$v;
			die qq(65537 bytes were taken) if \$size > 65536;
		}
		for (1 .. 300) {
			my (\$file, \$name) = (q(/mnt/file), qq(user.many\$_));
			syscall(188, \$file, \$name, my \$v = q(x) x 100, 100, 0);
		}
		my \$list = q(x) x 65536;
		my \$n = syscall(194, my \$file = q(/mnt/file), \$list, 65536);
		print qq(set \$set, got \$got, a list of \$n\n);
		exit(\$set < 2 || \$set != \$got || \$n < 0)"'
expect_exit 0
say "$(<"$WORK/out")"

guest -v "$WORK/rw:/mnt" -- sh -c 'exit 7'
expect_exit 7
