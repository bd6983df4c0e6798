# SPDX-License-Identifier: MIT
#
# load-modules.pl NAME...: load modules of the running kernel, for guests without kmod.
use strict;
use warnings;

my ($dir) = glob('/lib/modules/*') or die "no modules\n";
my %line;
open(my $dep, '<', "$dir/modules.dep") or die "modules.dep: $!\n";
while (<$dep>) {
	my ($path, $needs) = /^(\S+):\s*(.*)$/ or next;
	my ($name) = $path =~ m{([^/]+)\.ko};
	$line{$name} = [ (reverse split(' ', $needs)), $path ];
}
for my $name (@ARGV) {
	for my $path (@{ $line{$name} // die "no module $name\n" }) {
		open(my $ko, '<', "$dir/$path") or die "$path: $!\n";
		# finit_module(fd, "", 0)
		next if syscall(313, fileno($ko), my $none = '', 0) == 0 || $!{EEXIST};
		die "$path: $!\n";
	}
}
