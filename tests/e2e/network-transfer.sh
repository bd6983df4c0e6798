#!/bin/bash
# SPDX-License-Identifier: MIT
# The user network carries what it is given: much, both ways, many at once, and by
# published ports of both kinds.
. "$(dirname "$0")/../lib/e2e.sh"

mib=20
connections=60

# One server for all: "put" is answered with the sum of what came, "get" with the data.
head -c "${mib}M" /dev/urandom >"$WORK/data"
sum=$(sha256sum <"$WORK/data" | cut -d ' ' -f 1)
perl -MIO::Socket::INET -MDigest::SHA -e '
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 100) or die;
	$| = 1;
	$SIG{CHLD} = "IGNORE";
	print $s->sockport, "\n";
	while (my $c = $s->accept) {
		next if fork;
		my $word = <$c>;
		if ($word eq "put\n") {
			my $sum = Digest::SHA->new(256);
			my $left = <$c>;
			while ($left > 0) { my $n = read($c, my $b, $left > 65536 ? 65536 : $left) or last;
				$left -= $n; $sum->add($b) }
			print $c $sum->hexdigest, "\n";
		} elsif ($word eq "get\n") {
			open my $f, "<", shift or die;
			while (read $f, my $b, 65536) { print $c $b }
		} else {
			print $c "you said $word";
		}
		exit;
	}' "$WORK/data" >"$WORK/port" &
server=$!
wait_for 10 test -s "$WORK/port"
host=10.0.2.2/$(<"$WORK/port")

guest --network=user,host-loopback -v "$WORK/data:/data:ro" -- bash -ec "
	exec 3<>/dev/tcp/$host
	{ echo put; stat -c %s /data; cat /data; } >&3
	head -n 1 <&3
	exec 3<>/dev/tcp/$host
	echo get >&3
	sha256sum <&3 | cut -d ' ' -f 1"
expect_exit 0
expect_out "$sum"$'\n'"$sum"

# Both at once, neither in the other's way.
guest --network=user,host-loopback -v "$WORK/data:/data:ro" -- bash -ec "
	{ exec 3<>/dev/tcp/$host; echo get >&3; sha256sum <&3 | cut -d ' ' -f 1; } &
	exec 4<>/dev/tcp/$host
	{ echo put; stat -c %s /data; cat /data; } >&4
	head -n 1 <&4
	wait"
expect_exit 0
expect_out "$sum"$'\n'"$sum"

guest --network=user,host-loopback -- bash -c "
	for i in {1..$connections}; do
		{ exec 3<>/dev/tcp/$host && echo \$i >&3 && read -r answer <&3 && echo \"\$answer\"; } &
	done
	wait"
expect_exit 0
expect_eq "answers" "$(sort -n -k 3 "$WORK/out")" \
	"$(for ((i = 1; i <= connections; i++)); do echo "you said $i"; done)"
kill "$server"

# In by published ports, many at once, TCP and UDP.
tcp=$(free_port)
udp=$(free_port)
"$VMRUN" --accel=tcg -p "$tcp:80" -p "$udp:53/udp" "$BASE" -- perl -MIO::Socket::INET -e '
	my $t = IO::Socket::INET->new(LocalPort => 80, Listen => 100, ReuseAddr => 1) or die;
	my $u = IO::Socket::INET->new(LocalPort => 53, Proto => "udp") or die;
	$| = 1;
	print "listening\n";
	if (!fork) {
		while ($u->recv(my $b, 60000)) { $u->send(length($b) . " bytes") }
	}
	for (1 .. shift) { my $c = $t->accept; my $line = <$c>; print $c "guest: $line"; close $c }
	sleep 600' "$connections" >"$WORK/guest" 2>"$WORK/guest.err" &
pid=$!
wait_for 60 grep -q listening "$WORK/guest"
for ((i = 1; i <= connections; i++)); do
	{
		exec 3<>"/dev/tcp/127.0.0.1/$tcp"
		echo "$i" >&3
		read -r -t 60 answer <&3
		echo "$answer" >"$WORK/answer.$i"
	} &
	clients[i]=$!
done
wait "${clients[@]}"
for ((i = 1; i <= connections; i++)); do
	expect_eq "answer $i" "$(<"$WORK/answer.$i")" "guest: $i"
done
# A datagram is as large as may be.
for size in 1 1473 20000 60000; do
	answer=$(perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0],
			Proto => "udp") or die;
		for (1 .. 10) {
			$s->send("x" x $ARGV[1]);
			vec(my $r = "", fileno $s, 1) = 1;
			if (select $r, undef, undef, 3) { $s->recv(my $b, 100); print $b; last }
		}' "$udp" "$size")
	expect_eq "a datagram" "$answer" "$size bytes"
done
kill "$pid"
wait "$pid" || true
