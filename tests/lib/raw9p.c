/* SPDX-License-Identifier: MIT */
/*
 * raw9p PCI-DEVICE OUTSIDE [SEED COUNT]
 *
 * Run by a guest's root: takes the 9p device from under the guest's kernel, which may not
 * use it any more (unbound it cannot be: it is mounted), and speaks to QEMU's server itself, as no kernel would: walks and names with "..", "/" and nothing in them,
 * paths that became symlinks after a handle was had on them, and COUNT messages of random
 * bytes. OUTSIDE is a directory of the host's that no export holds.
 *
 * The export is that of the volumes: "0" may be written to, "1" is read-only. Whatever
 * leads out of it is said as a line "BREACH: ..."; the last line is "done" and how many
 * messages were answered, refused ones among them.
 *
 * The device is driven by its legacy interface: registers in I/O space, one queue of
 * buffers in physical memory, which is a huge page of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE (2u << 20)
#define MSIZE 8192u
#define REQUEST_AT (64u << 10) /* in the page; the queue is before it */
#define REPLY_AT (128u << 10)

/* Registers of the legacy interface. */
enum {
	FEATURES = 4,
	QUEUE_ADDRESS = 8,
	QUEUE_SIZE = 12,
	QUEUE_SELECT = 14,
	QUEUE_NOTIFY = 16,
	DEVICE_STATUS = 18
};

/* Messages of 9P2000.L; an answer is one more, a refusal is RLERROR. */
enum {
	RLERROR = 7,
	TLOPEN = 12,
	TLCREATE = 14,
	TSYMLINK = 16,
	TMKNOD = 18,
	TRENAME = 20,
	TREADLINK = 22,
	TGETATTR = 24,
	TSETATTR = 26,
	TXATTRWALK = 30,
	TREADDIR = 40,
	TLINK = 70,
	TMKDIR = 72,
	TRENAMEAT = 74,
	TUNLINKAT = 76,
	TVERSION = 100,
	TATTACH = 104,
	TWALK = 110,
	TREAD = 116,
	TWRITE = 118,
	TCLUNK = 120,
	TREMOVE = 122
};

struct descriptor {
	uint64_t address;
	uint32_t len;
	uint16_t flags; /* 1: another follows, 2: the device writes it */
	uint16_t next;
};

static uint8_t *page;
static uint64_t physical;
static uint16_t port, queue_size, sent;
static unsigned long answered, refused, broken;

static _Noreturn void give_up(const char *what)
{
	printf("raw9p: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		give_up(path);
	close(fd);
}

/* --- the device --- */

static void get_memory(void)
{
	uint64_t entry;
	int fd;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	page = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		give_up("a huge page");
	memset(page, 0, HUGE_PAGE);
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 || pread(fd, &entry, 8, (off_t)((uintptr_t)page / 4096 * 8)) != 8)
		give_up("pagemap");
	close(fd);
	physical = (entry & ((1ull << 55) - 1)) * 4096;
}

static void take_device(const char *pci)
{
	char path[256], text[64];
	uint16_t command = 7; /* its I/O, its memory, and ours */
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", pci);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, 18) != 18)
		give_up(path);
	close(fd);
	text[18] = '\0';
	port = (uint16_t)strtoul(text, NULL, 16);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", pci);
	fd = open(path, O_RDWR);
	if (fd < 0 || pwrite(fd, &command, 2, 4) != 2)
		give_up(path);
	close(fd);
	if (iopl(3) < 0)
		give_up("iopl");
}

static void reset_device(void)
{
	outb(0, port + DEVICE_STATUS);
	outb(3, port + DEVICE_STATUS);
	outl(0, port + FEATURES);
	outw(0, port + QUEUE_SELECT);
	queue_size = inw(port + QUEUE_SIZE);
	if (!queue_size || queue_size > 256)
		give_up("no queue");
	memset(page, 0, REQUEST_AT);
	sent = 0;
	outl((uint32_t)(physical / 4096), port + QUEUE_ADDRESS);
	outb(7, port + DEVICE_STATUS);
}

static volatile uint16_t *available(void)
{
	return (uint16_t *)(void *)(page + 16u * queue_size);
}

static volatile uint16_t *used_index(void)
{
	size_t end = 16u * queue_size + 6 + 2u * queue_size;

	return (uint16_t *)(void *)(page + (end + 4095) / 4096 * 4096 + 2);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Sends what is at REQUEST_AT. Return: whether there is an answer. */
static bool exchange(uint32_t len, uint32_t room, uint64_t patience_ms)
{
	struct descriptor *d = (struct descriptor *)(void *)page;
	volatile uint16_t *avail = available();
	uint64_t end = now_ms() + patience_ms;

	d[0] = (struct descriptor){ physical + REQUEST_AT, len, 1, 1 };
	d[1] = (struct descriptor){ physical + REPLY_AT, room, 2, 0 };
	memset(page + REPLY_AT, 0, 16);
	avail[2 + sent % queue_size] = 0;
	__sync_synchronize();
	avail[1] = ++sent;
	__sync_synchronize();
	outw(0, port + QUEUE_NOTIFY);
	while (*used_index() != sent)
		if (now_ms() > end)
			return false;
	return true;
}

/* --- messages --- */

static uint8_t *at; /* the end of the message that is being made */

static void put8(unsigned int v)
{
	*at++ = (uint8_t)v;
}

static void put16(unsigned int v)
{
	put8(v & 255);
	put8(v >> 8 & 255);
}

static void put32(uint32_t v)
{
	put16(v & 65535);
	put16(v >> 16);
}

static void put64(uint64_t v)
{
	put32((uint32_t)v);
	put32((uint32_t)(v >> 32));
}

static void put_text(const char *s)
{
	size_t len = strlen(s);

	put16((unsigned int)len);
	memcpy(at, s, len);
	at += len;
}

static void begin(unsigned int type)
{
	at = page + REQUEST_AT + 4;
	put8(type);
	put16(type == TVERSION ? 0xffff : 1);
}

/* Return: whether it was granted. */
static bool finish(void)
{
	uint32_t len = (uint32_t)(at - (page + REQUEST_AT));
	uint8_t *reply = page + REPLY_AT;

	at = page + REQUEST_AT;
	put32(len);
	if (!exchange(len, MSIZE, 20000)) {
		printf("raw9p: message %u is not answered\n", page[REQUEST_AT + 4]);
		exit(3);
	}
	answered++;
	if (reply[4] == page[REQUEST_AT + 4] + 1)
		return true;
	refused++;
	if (reply[4] != RLERROR)
		printf("raw9p: message %u is answered by %u\n", page[REQUEST_AT + 4], reply[4]);
	return false;
}

static bool clunk(uint32_t fid)
{
	begin(TCLUNK);
	put32(fid);
	return finish();
}

/* Return: granted in whole, so that @fid is what they lead to. */
static bool walk(uint32_t from, uint32_t fid, const char *const *names, unsigned int n)
{
	begin(TWALK);
	put32(from);
	put32(fid);
	put16(n);
	for (unsigned int i = 0; i < n; i++)
		put_text(names[i]);
	return finish() && (page[REPLY_AT + 7] | page[REPLY_AT + 8] << 8) == (int)n;
}

static bool walk1(uint32_t from, uint32_t fid, const char *name)
{
	return walk(from, fid, &name, 1);
}

static bool open_fid(uint32_t fid, uint32_t flags)
{
	begin(TLOPEN);
	put32(fid);
	put32(flags);
	return finish();
}

static bool create(uint32_t dir, const char *name)
{
	begin(TLCREATE);
	put32(dir);
	put_text(name);
	put32(O_CREAT | O_RDWR);
	put32(0666);
	put32(0);
	return finish();
}

static bool make_dir(uint32_t dir, const char *name)
{
	begin(TMKDIR);
	put32(dir);
	put_text(name);
	put32(0777);
	put32(0);
	return finish();
}

static bool make_link(uint32_t dir, const char *name, const char *target)
{
	begin(TSYMLINK);
	put32(dir);
	put_text(name);
	put_text(target);
	put32(0);
	return finish();
}

static bool hard_link(uint32_t dir, uint32_t fid, const char *name)
{
	begin(TLINK);
	put32(dir);
	put32(fid);
	put_text(name);
	return finish();
}

static bool move(uint32_t dir, const char *name, uint32_t to, const char *new_name)
{
	begin(TRENAMEAT);
	put32(dir);
	put_text(name);
	put32(to);
	put_text(new_name);
	return finish();
}

static bool rename_fid(uint32_t fid, uint32_t to, const char *name)
{
	begin(TRENAME);
	put32(fid);
	put32(to);
	put_text(name);
	return finish();
}

static bool unlink_at(uint32_t dir, const char *name, uint32_t flags)
{
	begin(TUNLINKAT);
	put32(dir);
	put_text(name);
	put32(flags);
	return finish();
}

static bool make_node(uint32_t dir, const char *name)
{
	begin(TMKNOD);
	put32(dir);
	put_text(name);
	put32(0060666); /* a disk */
	put32(8);
	put32(0);
	put32(0);
	return finish();
}

/* Return: the inode's number, 0 for none; and its mode. */
static uint64_t inode(uint32_t fid, uint32_t *ret_mode)
{
	uint64_t path;

	begin(TGETATTR);
	put32(fid);
	put64(0x7ff);
	if (!finish())
		return 0;
	memcpy(&path, page + REPLY_AT + 7 + 8 + 5, sizeof(path));
	memcpy(ret_mode, page + REPLY_AT + 7 + 8 + 13, sizeof(*ret_mode));
	return path;
}

/* The bytes of an open file or directory that an answer has room for, as they come. */
static bool holds(uint32_t fid, unsigned int type, const char *what)
{
	begin(type);
	put32(fid);
	put64(0);
	put32(4096);
	return finish() && memmem(page + REPLY_AT + 11, 4096, what, strlen(what));
}

static void breach(const char *how, const char *name)
{
	printf("BREACH: %s %s\n", how, name);
}

/* --- attacks --- */

enum { ROOT = 1, RW, RO, A, B, C };

static void attach(uint32_t fid, const char *user, const char *tree)
{
	begin(TATTACH);
	put32(fid);
	put32(~0u);
	put_text(user);
	put_text(tree);
	put32(0);
	finish();
}

static void greet(void)
{
	begin(TVERSION);
	put32(MSIZE);
	put_text("9P2000.L");
	if (!finish())
		give_up("no 9P2000.L");
	attach(ROOT, "root", "");
}

/* Wherever that is, it is the root: not above. */
static void try_attach(void)
{
	static const char *const trees[] = { "",     "/",   "..",	"../..",
					     "/etc", "/vm", "/vm/root", "0/../.." };
	uint32_t mode, other;
	uint64_t root = inode(ROOT, &mode);

	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		attach(A, "root", trees[i]);
		if (inode(A, &other) && inode(A, &other) != root)
			breach("attached to", trees[i]);
		clunk(A);
	}
}

static const char *const bad_names[] = {
	"..", "../root", "../../vm/root", "/",	  "/vm/root", "/etc/passwd", "0/../..", "./..",
	"",   ".",	 "1/../../root",  "..//", "\0",	      "0/new",
};

static void try_walks(void)
{
	const char *up[16];
	uint32_t mode, other;
	uint64_t root = inode(ROOT, &mode);

	for (unsigned int n = 1; n <= 16; n++) {
		up[n - 1] = "..";
		if (walk(ROOT, A, up, n) && inode(A, &other) != root)
			breach("walked up from the root by", "..");
		clunk(A);
		if (walk(RW, A, up, n) && n > 1 && inode(A, &other) != root)
			breach("walked up from a volume by", "..");
		clunk(A);
		up[n - 1] = n == 15 ? "root" : "..";
	}
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(*bad_names); i++) {
		if (walk1(ROOT, A, bad_names[i]) && inode(A, &other) != root)
			breach("walked to", bad_names[i]);
		clunk(A);
		if (strcmp(bad_names[i], "..") && walk1(RW, A, bad_names[i]) &&
		    strchr(bad_names[i], '/'))
			breach("walked from a volume to", bad_names[i]);
		clunk(A);
	}
}

/* Names that are none, for all that makes, moves and removes. */
static void try_names(void)
{
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(*bad_names); i++) {
		const char *name = bad_names[i];

		walk(RW, A, NULL, 0);
		if (create(A, name))
			breach("created", name);
		clunk(A);
		if (make_dir(RW, name))
			breach("made the directory", name);
		if (make_link(RW, name, "x"))
			breach("made the symlink", name);
		if (make_node(RW, name))
			breach("made the device", name);
		if (hard_link(RW, RO, name))
			breach("linked", name);
		walk1(RW, A, "file");
		if (hard_link(RW, A, name))
			breach("linked a file as", name);
		if (rename_fid(A, RW, name))
			breach("renamed a file to", name);
		clunk(A);
		if (move(RW, "file", RW, name) || move(RW, name, RW, "moved"))
			breach("moved", name);
		if (unlink_at(RW, name, 0) || unlink_at(RW, name, 0x200))
			breach("removed", name);
	}
}

/* Out of what may be written to into what may not, and the other way round. */
static void try_read_only(void)
{
	walk1(RO, A, "secret");
	if (open_fid(A, O_RDWR) || open_fid(A, O_WRONLY | O_TRUNC))
		breach("opened for writing", "1/secret");
	clunk(A);
	walk(RO, A, NULL, 0);
	if (create(A, "new"))
		breach("created", "1/new");
	clunk(A);
	if (make_dir(RO, "new") || make_link(RO, "new", "x"))
		breach("made", "1/new");
	walk1(RO, A, "secret");
	if (hard_link(RW, A, "linked") || rename_fid(A, RW, "moved") ||
	    move(RO, "secret", RW, "moved"))
		breach("took", "1/secret");
	clunk(A);
	if (move(RW, "file", RO, "file") || unlink_at(RO, "secret", 0))
		breach("changed", "1");
	/* The mount points of both, and their parent. */
	if (unlink_at(ROOT, "0", 0x200) || move(ROOT, "0", ROOT, "9") || make_dir(ROOT, "9") ||
	    make_link(ROOT, "9", "/"))
		breach("changed", "the directory of volumes");
}

/*
 * Handles on a directory and on a file in it, which are then removed, and in their place is a
 * symlink. A handle is a path to the server, and that leads through it now.
 */
static void try_swapped(const char *target)
{
	const char *const inner[] = { "d", "secret" };
	uint32_t mode;

	make_dir(RW, "d");
	walk1(RW, A, "d");
	walk(A, B, NULL, 0);
	create(B, "secret");
	clunk(B);
	walk(RW, B, inner, 2);
	if (!unlink_at(A, "secret", 0) || !unlink_at(RW, "d", 0x200) || !make_link(RW, "d", target))
		give_up("cannot swap");
	if (inode(B, &mode))
		breach("looked through a symlink to", target);
	if (walk1(A, C, "secret") && inode(C, &mode))
		breach("walked through a symlink to", target);
	clunk(C);
	if (open_fid(B, O_RDONLY) && holds(B, TREAD, "canary"))
		breach("read through a symlink to", target);
	if (make_dir(A, "made") || make_link(A, "made-link", "x"))
		breach("made something through a symlink to", target);
	if (move(A, "secret", RW, "taken") || unlink_at(A, "secret", 0))
		breach("took through a symlink from", target);
	begin(TSETATTR);
	put32(B);
	put32(1); /* the mode */
	put32(0777);
	put32(0);
	put32(0);
	for (int i = 0; i < 5; i++)
		put64(0);
	if (finish())
		breach("changed through a symlink to", target);
	begin(TXATTRWALK);
	put32(B);
	put32(C);
	put_text("");
	finish();
	clunk(C);
	walk(A, C, NULL, 0);
	if (create(C, "made"))
		breach("created through a symlink to", target);
	clunk(C);
	walk(RW, C, inner, 1);
	if (open_fid(C, O_RDONLY | O_DIRECTORY) && holds(C, TREADDIR, "secret"))
		breach("listed", target);
	clunk(A);
	clunk(B);
	clunk(C);
	if (!unlink_at(RW, "d", 0))
		give_up("cannot swap back");
}

static uint64_t seed;

static uint32_t next(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

/* Random bytes behind a header that may be right. The device may break by it: begin anew. */
static void try_random(unsigned long count)
{
	static const uint8_t types[] = { 8,   12,  14,	16,  18,  20,  22,  24,	 26,  30,  32,
					 40,  50,  52,	54,  70,  72,  74,  76,	 100, 102, 104,
					 108, 110, 112, 114, 116, 118, 120, 122, 124, 126 };

	for (unsigned long i = 0; i < count; i++) {
		uint32_t len = 7 + next() % (next() % 4 ? 60 : 4000);
		bool lies = next() % 16 == 0;

		for (uint32_t j = 0; j < len; j++)
			page[REQUEST_AT + j] = (uint8_t)(next() % 3 ? next() % 4 : next());
		at = page + REQUEST_AT;
		put32(lies ? next() : len);
		put8(next() % 16 ? types[next() % sizeof(types)] : next() % 256);
		put16(next() % 4);
		if (exchange(len, next() % 16 ? MSIZE : next() % 16, 200)) {
			answered++;
			continue;
		}
		broken++;
		reset_device();
		greet();
		walk1(ROOT, RW, "0");
		walk1(ROOT, RO, "1");
	}
}

int main(int argc, char *argv[])
{
	const char *const targets[] = { "/vm/root", "/vm/volumes/1", "../1", "../../root",
					"/",	    "/proc/1",	     "/usr", "../../../../..",
					argv[2],    "/vm",	     "..",   "/proc/self/root" };

	if (argc < 3)
		return 2;
	setbuf(stdout, NULL);
	get_memory();
	take_device(argv[1]);
	reset_device();
	greet();
	if (!walk1(ROOT, RW, "0") || !walk1(ROOT, RO, "1"))
		give_up("no volumes");
	/* What must work, for the rest to mean anything. */
	walk(RW, A, NULL, 0);
	if (!create(A, "file") || !clunk(A) || !walk1(RO, A, "secret") || !open_fid(A, O_RDONLY) ||
	    !holds(A, TREAD, "canary") || !clunk(A))
		give_up("9p does not work");
	try_attach();
	try_walks();
	try_names();
	try_read_only();
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		try_swapped(targets[i]);
	if (argc > 4) {
		seed = strtoull(argv[3], NULL, 10);
		try_random(strtoul(argv[4], NULL, 10));
	}
	printf("done: %lu answers, %lu refusals, the device broke %lu times\n", answered, refused,
	       broken);
	return 0;
}
