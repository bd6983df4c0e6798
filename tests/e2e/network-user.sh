#!/bin/bash
# SPDX-License-Identifier: MIT
# The user network: an address, a route and a name server, without waiting for DHCP.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- sh -ec '
	ls /sys/class/net | tr "\n" " "
	echo; grep -c "^eth0.00000000.0202000A" /proc/net/route
	cat /etc/resolv.conf'
expect_exit 0
expect_out $'eth0 lo \n1\nnameserver 10.0.2.3'

# Where the caller allows it, a connection to the host goes out and comes back.
perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
	$| = 1; print $s->sockport, "\n"; $c = $s->accept; print $c "from the host\n"' >"$WORK/port" &
server=$!
wait_for 10 test -s "$WORK/port"
guest --network=user,host-loopback -- \
	bash -ec "exec 3<>/dev/tcp/10.0.2.2/$(<"$WORK/port"); cat <&3"
expect_exit 0
expect_out "from the host"
wait "$server"

# The host's other addresses are open to it as to everybody; this network may have none.
address=$(hostname -I | tr ' ' '\n' | grep -m 1 -F . || true)
if [[ -n $address ]]; then
	perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", Listen => 1) or die;
		$| = 1; print $s->sockport, "\n"; $c = $s->accept; print $c "hello\n"' >"$WORK/port2" &
	server=$!
	wait_for 10 test -s "$WORK/port2"
	guest -- bash -ec "exec 3<>/dev/tcp/$address/$(<"$WORK/port2"); cat <&3"
	expect_out hello
	wait "$server"
fi
