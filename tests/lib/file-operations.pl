#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Does 130 things to files below the working directory, as root and as others, and
# prints what came of each: a line "WHO NAME: result". The same on every sound file system,
# but for what 9p cannot say: times before 1970, parts of a second.
use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock :seek :mode);
use POSIX ();

$| = 1;
umask 022;
my $who = "root";

sub say_result {
	my ($name, $result) = @_;
	print "$who $name: $result\n";
}

# op NAME, SUB: what it returns, or the error.
sub op {
	my ($name, $code) = @_;
	$! = 0;
	my $result = eval { $code->() };
	if ($@) {
		my $why = $@;
		$why =~ s/ at \S+ line.*//s;
		say_result($name, "died: $why");
	} elsif (!defined $result || $result eq "" || $result eq "0") {
		say_result($name, "error " . ($! + 0));
	} else {
		say_result($name, $result);
	}
}

sub put {
	my ($path, $text, $flags) = @_;
	sysopen(my $f, $path, $flags // (O_WRONLY | O_CREAT | O_TRUNC), 0666) or return;
	defined syswrite($f, $text) or return;
	close($f) or return;
	return "ok";
}

sub get {
	my ($path) = @_;
	sysopen(my $f, $path, O_RDONLY) or return;
	my $n = sysread($f, my $text, 100000);
	return defined $n ? "'$text'" : undef;
}

sub look {
	my ($path) = @_;
	my @st = lstat($path) or return;
	return sprintf "%o %d:%d links %d size %s", $st[2], $st[4], $st[5],
		S_ISDIR($st[2]) ? 0 : $st[3], S_ISDIR($st[2]) ? "-" : $st[7];
}

# as WHO, UID, GID, SUB: in a process of theirs.
sub as {
	my ($name, $uid, $gid, $code) = @_;
	my $pid = fork() // die "fork";
	if ($pid == 0) {
		$who = $name;
		$) = "$gid $gid";
		$( = $gid;
		$< = $> = $uid;
		die "setuid" if $> != $uid || $< != $uid;
		$code->();
		POSIX::_exit(0);
	}
	waitpid($pid, 0);
}

sub command {
	my @words = @_;
	my $pid = open(my $pipe, "-|") // die "fork";
	if ($pid == 0) {
		open(STDERR, ">&", \*STDOUT);
		exec(@words) or POSIX::_exit(127);
	}
	my $text = join "", <$pipe>;
	close($pipe);
	$text =~ s/\n/;/g;
	return "status " . ($? >> 8) . " $text";
}

sub files {
	op "create", sub { put("f", "hello") };
	op "read", sub { get("f") };
	op "stat", sub { look("f") };
	op "exclusive create of what exists", sub { put("f", "x", O_WRONLY | O_CREAT | O_EXCL) };
	op "append", sub { put("f", " world", O_WRONLY | O_APPEND) && get("f") };
	op "overwrite", sub { put("f", "J", O_WRONLY) && get("f") };
	op "truncate by open", sub { put("f", "abc", O_WRONLY | O_TRUNC) && get("f") };
	op "truncate by path", sub { truncate("f", 2) && get("f") };
	op "grow by path", sub { truncate("f", 10) && (-s "f") };
	op "hole", sub {
		sysopen(my $f, "hole", O_RDWR | O_CREAT) or return;
		sysseek($f, 1 << 20, SEEK_SET);
		syswrite($f, "end") or return;
		sysseek($f, 5, SEEK_SET);
		sysread($f, my $zero, 3);
		return (-s "hole") . " " . unpack("H*", $zero);
	};
	op "write to what is read-only by mode", sub { chmod(0444, "f") && put("f", "root may", O_WRONLY) };
	op "open of what is not there", sub { get("nothing") };
	op "open of a directory for writing", sub { mkdir("d") && put("d", "x", O_WRONLY) };
	op "file as a directory", sub { get("f/below") };
	op "long name", sub { put("n" x 255, "x") && look("n" x 255) };
	op "too long a name", sub { put("n" x 256, "x") };
	op "name of all bytes", sub { put(join("", map { chr } grep { $_ != 47 } 1 .. 255), "x") };
	op "lock", sub { open(my $f, "<", "f") or return; flock($f, LOCK_EX | LOCK_NB) && "ok" };
	op "unlink", sub { unlink("f") && "gone" };
	op "unlink again", sub { unlink("f") };
	op "unlink of a directory", sub { unlink("d") };
	op "read after unlink", sub {
		put("u", "still") or return;
		open(my $f, "<", "u") or return;
		unlink("u") or return;
		return scalar <$f>;
	};
}

sub owners {
	for my $ids ([0, 0], [0, 33], [33, 0], [1000, 1000], [65534, 65534], [65535, 65535]) {
		op "chown to @$ids", sub { put("o", "x") && chown(@$ids, "o") && look("o") };
		unlink("o");
	}
	op "chown of a link", sub {
		put("o", "x") && symlink("o", "l") or return;
		command("chown", "-h", "33:33", "l");
		return look("l") . ", " . look("o");
	};
	op "chown clears setuid", sub { chmod(06755, "o") && chown(33, 33, "o") && look("o") };
	for my $mode (0, 0200, 0400, 0644, 0777, 01777, 02711, 04755, 06755, 07777) {
		op sprintf("chmod %o", $mode), sub { chmod($mode, "o") && look("o") };
		op sprintf("read at mode %o", $mode), sub { get("o") };
	}
	op "chmod of another's", sub { chown(1000, 1000, "o") && chmod(0600, "o") && look("o") };
	op "setuid stays on another's", sub { chmod(04755, "o") && look("o") };
	op "write clears setuid", sub { put("o", "y", O_WRONLY) && look("o") };
	op "setgid directory", sub { mkdir("sg") && chown(0, 33, "sg") && chmod(02775, "sg") && look("sg") };
	op "group from a setgid directory", sub { put("sg/f", "x") && look("sg/f") };
	op "setgid from a setgid directory", sub { mkdir("sg/d") && look("sg/d") };
	op "times", sub { utime(1000000000, 1234567890, "o") && join(" ", (stat("o"))[8, 9]) };
	op "times of another's", sub { chown(33, 33, "o") && utime(5, 6, "o") && join(" ", (stat("o"))[8, 9]) };
}

sub directories {
	op "mkdir", sub { mkdir("a", 0750) && look("a") };
	op "mkdir again", sub { mkdir("a") };
	op "deep", sub { my $p = "a"; mkdir($p .= "/$_") or return for 1 .. 30; return -d $p ? "ok" : undef };
	op "rmdir of what is not empty", sub { rmdir("a") };
	op "closed directory", sub { mkdir("closed") && put("closed/f", "x") && chmod(0, "closed") && get("closed/f") };
	op "create in another's closed directory", sub { chown(33, 33, "closed") && put("closed/g", "x") && look("closed/g") };
	op "list", sub { opendir(my $d, "closed") or return; join(",", sort grep { !/^\./ } readdir($d)) };
	op "rename of a directory", sub { rename("closed", "moved") && look("moved") };
	op "rename into itself", sub { rename("moved", "moved/below") };
	op "rename over a directory with files", sub { mkdir("other") && put("other/f", "x") && rename("moved", "other") };
	op "rename over an empty directory", sub { mkdir("empty") && rename("moved", "empty") && look("empty/f") };
	op "rename over a file", sub { put("r1", "1") && put("r2", "2") && rename("r1", "r2") && get("r2") };
	op "rename of a file over a directory", sub { rename("r2", "other") };
	op "rename of what is not there", sub { rename("nothing", "x") };
	op "rename across directories", sub { rename("r2", "other/r2") && get("other/r2") };
	op "rename by case", sub { put("Case", "x") && rename("Case", "case") && look("case") };
	op "rmdir", sub { mkdir("r") && rmdir("r") && "gone" };
	op "many", sub { for (1 .. 300) { put("many$_", "") or return } my @n = glob("many*"); scalar @n };
	op "remove many", sub { unlink(glob("many*")) };
}

sub links {
	op "symlink", sub { put("t", "target") && symlink("t", "s") && get("s") };
	op "readlink", sub { readlink("s") };
	op "dangling", sub { symlink("nothing", "dangling") && get("dangling") };
	op "loop", sub { symlink("loop", "loop") && get("loop") };
	op "long symlink", sub { symlink("x" x 4000, "longlink") && length(readlink("longlink")) };
	op "create through a dangling link", sub { put("dangling", "made") && get("nothing") };
	op "unlink of a link leaves the target", sub { unlink("s") && get("t") };
	op "hard link", sub { link("t", "h") && look("h") };
	op "hard link to another's", sub { chown(33, 33, "t") && chmod(0600, "t") && link("t", "h2") && look("h2") };
	op "hard link over a file", sub { link("t", "nothing") };
	op "hard link to a directory", sub { link("a", "hd") };
	op "same inode", sub { (stat("t"))[1] == (stat("h"))[1] ? "same" : "other" };
	op "write by one name, read by the other", sub { put("h", "changed", O_WRONLY) && get("t") };
	op "hard link to a symlink", sub { symlink("t", "sl") && link("sl", "hsl") && readlink("hsl") };
}

sub attributes {
	put("x", "x");
	op "xattr", sub { command("setfattr", "-n", "user.color", "-v", "blue", "x") };
	op "xattr read", sub { command("getfattr", "--only-values", "-n", "user.color", "x") };
	op "xattr of 2000 bytes", sub { command("setfattr", "-n", "user.big", "-v", "b" x 2000, "x") };
	op "xattr list", sub { command("getfattr", "x") };
	op "xattr removed", sub { command("setfattr", "-x", "user.color", "x") };
	op "xattr of another's", sub { chown(33, 33, "x"); command("setfattr", "-n", "user.a", "-v", "1", "x") };
	op "xattr on a closed file", sub { chmod(0, "x"); command("setfattr", "-n", "user.b", "-v", "2", "x") };
	op "ACL", sub { chmod(0640, "x"); command("setfacl", "-m", "u:1000:rw,g:33:r", "x") };
	op "ACL read", sub { command("getfacl", "--omit-header", "--numeric", "x") };
	op "ACL removed", sub { command("setfacl", "-b", "x") . look("x") };
	op "default ACL", sub { mkdir("acl"); command("setfacl", "-d", "-m", "u:1000:rwx", "acl") };
	op "ACL by default", sub { put("acl/f", "x"); command("getfacl", "--omit-header", "--numeric", "acl/f") };
	op "tar", sub { command("sh", "-c", "tar -c --xattrs --acls acl x | tar -x --xattrs --acls -C a && ls a/acl") };
	op "cp -a", sub { command("cp", "-a", "x", "x2") . look("x2") };
	op "sed -i", sub { put("sed", "one\n"); command("sed", "-i", "s/one/two/", "sed") . get("sed") };
	op "install", sub { command("install", "-o", "33", "-g", "1000", "-m", "4711", "sed", "inst") . look("inst") };
}

sub others {
	put("mine", "root's");
	chmod(0600, "mine");
	mkdir("sticky");
	chmod(01777, "sticky");
	put("sticky/roots", "x");
	put("shared", "x");
	chown(0, 1000, "shared");
	chmod(0660, "shared");
	as "user", 1000, 1000, sub {
		op "read of what is closed to it", sub { get("mine") };
		op "write to it", sub { put("mine", "x", O_WRONLY) };
		op "create where only root may", sub { put("new", "x") };
		op "create in the sticky directory", sub { put("sticky/users", "x") && look("sticky/users") };
		op "unlink of root's in it", sub { unlink("sticky/roots") };
		op "rename of root's in it", sub { rename("sticky/roots", "sticky/x") };
		op "read by group", sub { get("shared") };
		op "write by group", sub { put("shared", "by group", O_WRONLY) && get("shared") };
		op "chmod of root's", sub { chmod(0666, "shared") };
		op "chown of its own to another", sub { chown(33, -1, "sticky/users") };
		op "chown of its own to its group", sub { chown(-1, 1000, "sticky/users") && look("sticky/users") };
		op "chown of its own to a foreign group", sub { chown(-1, 33, "sticky/users") };
		op "setuid of its own", sub { chmod(04755, "sticky/users") && look("sticky/users") };
		op "write to its own setuid file", sub { put("sticky/users", "y", O_WRONLY) && look("sticky/users") };
		op "setgid for a foreign group", sub { put("sticky/g", "x") && chmod(02755, "sticky/g") && look("sticky/g") };
		op "times of its own", sub { utime(7, 8, "sticky/users") && join(" ", (stat("sticky/users"))[8, 9]) };
		op "times of root's", sub { utime(7, 8, "shared") };
		op "times of root's to now", sub { utime(undef, undef, "shared") && "ok" };
		op "list of a closed directory", sub { opendir(my $d, "empty") ? "may" : undef };
		op "unlink of its own", sub { unlink("sticky/users") && "gone" };
	};
	as "other", 33, 33, sub {
		op "write to what is the group's", sub { put("shared", "x", O_WRONLY) };
		op "read of its own closed file", sub { get("x") };
		op "unlink of another's in the sticky directory", sub { unlink("sticky/g") };
	};
}

files();
owners();
directories();
links();
attributes();
others();
