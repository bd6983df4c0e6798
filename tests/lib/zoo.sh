# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Everything that a file can have, for tests of what keeps it.

# Prints the commands that make ./zoo, as the root of an id map.
make_zoo() { # TOP: what of it an ordinary user can make
	cat <<-'EOT'
		mkdir zoo; cd zoo
		name=$(printf "x%.0s" {1..255})
		echo content >plain; : >empty; echo w >"$name"; echo n >$'new\nline\x01\xff'
		truncate -s 10M all-hole
		truncate -s 10M holes; printf data | dd of=holes bs=1 seek=3000000 conv=notrunc status=none
		printf end >>holes
		head -c 1000000 /dev/urandom >random
		mkdir d; ln plain d/second; ln plain third; ln -s plain link; ln link link-too
		ln -s /nowhere/at/all dangling; mkfifo -m 600 fifo; ln fifo fifo-too
		python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
		echo s >setuid; chown 7:8 setuid; chmod 6755 setuid; echo g >setgid; chmod 2711 setgid
		mkdir sticky setgid-dir closed; chmod 1777 sticky; chown 5:6 setgid-dir; chmod 2775 setgid-dir
		echo i >setgid-dir/inherits; echo c >closed/file; chmod 0 closed/file closed
		echo o >owned; chown 33:44 owned; ln -s x owned-link; chown -h 33:44 owned-link
		setfattr -n user.one -v 1 plain; setfattr -n user.empty plain
		setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' y)" random
		setfattr -n user.dir -v d d
		setfacl -m u:33:rw,g:44:r,m::rw plain; mkdir acl; setfacl -d -m u:77:rwx acl
		echo d >acl/inherits; mkdir acl/below; setfacl -m u:12:x acl
		echo cap >cap; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 cap
		mkdir -p deep/$(printf "level/%.0s" {1..200})
		touch -d '1999-01-02 03:04:05.123456789' random d; touch -h -d '2001-01-01 1:1:1.000000001' link
		touch -a -d '2002-02-02 02:02:02.222222222' owned
		touch -d '1970-01-01 00:00:00 UTC' empty; touch -d '2400-01-01' plain fifo socket sticky
		setfattr -n user.root -v r ..; touch -d '2003-03-03 03:03:03.333333333' ..
	EOT
}
