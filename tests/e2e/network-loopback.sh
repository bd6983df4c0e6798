#!/bin/bash
# SPDX-License-Identifier: MIT
# Services on the host's 127.0.0.1 are out of reach: by programs, by packets made by
# hand; and they are refused, so that nobody waits.
. "$(dirname "$0")/../lib/e2e.sh"

# Logs who connects by TCP or sends by UDP to its port.
perl -MIO::Socket::INET -MIO::Select -e '
	$t = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die;
	$u = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $t->sockport,
		Proto => "udp") or die;
	$| = 1;
	print $t->sockport, "\n";
	$s = IO::Select->new($t, $u);
	while (@ready = $s->can_read) {
		for (@ready) {
			if ($_ == $t) { $c = $t->accept; print $c "from the host\n"; close $c;
				print "tcp\n"; }
			else { $u->recv($b, 100); print "udp $b\n"; }
		}
	}' >"$WORK/server" &
server=$!
wait_for 10 test -s "$WORK/server"
port=$(head -n 1 "$WORK/server")

reached() {
	tail -n +2 "$WORK/server"
}

guest -- bash -c '
	for address in 10.0.2.2 10.0.2.3; do
		(: >/dev/tcp/$address/'"$port"') 2>&1 | grep -m 1 -o "Connection refused"
		echo x >/dev/udp/$address/'"$port"'
	done
	exit 7'
expect_exit 7
expect_out $'Connection refused\nConnection refused'
expect_eq "what the server saw" "$(reached)" ""

# A guest that makes its packets itself: a SYN and a datagram to each address, by the
# router's MAC address. What comes back is counted.
cat >"$WORK/raw.pl" <<'EOT'
use Socket;
my $port = shift;
my $mac = pack "H*", `cat /sys/class/net/eth0/address` =~ s/[:\n]//gr;
my $router = pack "H*", "52550a000202";
sub sum { my ($d) = @_; my $s = 0; $s += $_ for unpack "n*", length($d) & 1 ? "$d\0" : $d;
	$s = ($s & 0xffff) + ($s >> 16) while $s >> 16; pack "n", ~$s & 0xffff }
socket(my $s, 17, 3, 0x0008) or die "socket: $!";	# AF_PACKET, SOCK_RAW, IPv4
my $to = pack "S n i S C C a8", 17, 0x0800, `cat /sys/class/net/eth0/ifindex`, 1, 0, 6, $router;
my %wanted;
for my $address ("127.0.0.1", "0.0.0.0", "127.255.255.1", "10.0.2.2", "10.0.2.3", "10.0.2.4",
		 "10.0.2.15", "10.0.2.254") {
	my $addresses = inet_aton("10.0.2.15") . inet_aton($address);
	my $tcp = pack "n n N N C C n n n", 4000 + $wanted{n}++, $port, 7, 0, 0x50, 2, 1000, 0, 0;
	substr($tcp, 16, 2) = sum($addresses . pack("n n", 6, length $tcp) . $tcp);
	my $udp = pack "n n n n", 5000, $port, 12, 0;
	for ([6, $tcp], [17, $udp . "raw!"]) {
		my ($proto, $body) = @$_;
		my $ip = pack "C C n n n C C n", 0x45, 0, 20 + length $body, 1, 0, 64, $proto, 0;
		$ip .= $addresses;
		substr($ip, 10, 2) = sum($ip);
		send($s, $router . $mac . "\x08\x00" . $ip . $body, 0, $to) or die "send: $!";
	}
}
my (%got, $frame);
$SIG{ALRM} = sub { print join(" ", map { "$_=$got{$_}" } sort keys %got), "\n"; exit };
alarm 3;
while (defined recv($s, $frame, 2000, 0)) {
	next if substr($frame, 6, 6) eq $mac;
	my $proto = ord substr $frame, 23, 1;
	$got{$proto == 6 && ord(substr $frame, 47, 1) & 4 ? "reset" : $proto == 1 ? "icmp" : $proto}++;
}
EOT
guest -v "$WORK/raw.pl:/raw.pl:ro" -- perl /raw.pl "$port"
expect_exit 0
expect_out "icmp=8 reset=8"
expect_eq "what the server saw" "$(reached)" ""

# The same, where it is asked for: as 10.0.2.2, and by no other name.
guest --network=user,host-loopback -v "$WORK/raw.pl:/raw.pl:ro" -- bash -ec '
	exec 3<>/dev/tcp/10.0.2.2/'"$port"'
	cat <&3
	(: >/dev/tcp/10.0.2.3/'"$port"') 2>&1 | grep -m 1 -o "Connection refused"
	perl /raw.pl '"$port"' | grep -o "icmp=.*"'
expect_exit 0
expect_out $'from the host\nConnection refused\nicmp=7 reset=7'
expect_eq "what the server saw" "$(reached | sort -u)" $'tcp\nudp raw!'
kill "$server"

guest --network=none,host-loopback -- true
expect_refused "--network" "none,host-loopback"
