/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/disk/boot.h"
#include "rootfs-tools/disk/ext4.h"
#include "rootfs-tools/disk/fat.h"
#include "rootfs-tools/disk/gpt.h"
#include "rootfs-tools/disk/image.h"
#include "rootfs-tools/disk/tool_run.h"
#include "runner/base/cleanup.h"

static uint64_t get(const void *at, size_t bytes)
{
	const uint8_t *p = at;
	uint64_t value = 0;

	for (size_t i = bytes; i-- > 0;)
		value = value << 8 | p[i];
	return value;
}

/* --- partition table --- */

#define SECTORS 100000

static struct gpt_partition two[] = {
	{ .type = GPT_TYPE_BIOS_BOOT, .name = "first", .first = 34, .last = 2047, .id = { 1 } },
	{ .type = GPT_TYPE_ESP,
	  .name = "second",
	  .first = 2048,
	  .last = SECTORS - 34,
	  .id = { 2 } },
};
static uint8_t head[GPT_HEAD_BYTES], tail[GPT_TAIL_BYTES];

static struct gpt table(void)
{
	return (struct gpt){
		.sectors = SECTORS, .id = { 9 }, .partitions = two, .n_partitions = 2
	};
}

/* Another way than gpt.c's, by RFC 1952's table. */
static uint32_t crc32_by_table(const uint8_t *data, size_t len)
{
	uint32_t table[256], crc = 0xffffffff;

	for (uint32_t n = 0; n < 256; n++) {
		table[n] = n;
		for (int k = 0; k < 8; k++)
			table[n] = table[n] & 1 ? 0xedb88320 ^ table[n] >> 1 : table[n] >> 1;
	}
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static void check_header(const uint8_t *header, const uint8_t *entries, uint64_t at, uint64_t other,
			 uint64_t entries_at)
{
	uint8_t copy[92];

	memcpy(copy, header, sizeof(copy));
	memset(copy + 16, 0, 4);
	assert_memory_equal(header, "EFI PART", 8);
	assert_int_equal(get(header + 16, 4), crc32_by_table(copy, sizeof(copy)));
	assert_int_equal(get(header + 24, 8), at);
	assert_int_equal(get(header + 32, 8), other);
	assert_int_equal(get(header + 40, 8), 34);
	assert_int_equal(get(header + 48, 8), SECTORS - 34);
	assert_int_equal(get(header + 72, 8), entries_at);
	assert_int_equal(get(header + 80, 4), 128);
	assert_int_equal(get(header + 88, 4), crc32_by_table(entries, 128 * 128));
}

static void gpt_both_copies(void **state)
{
	static const uint8_t esp[] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
				       0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b };
	struct gpt gpt = table();

	(void)state;
	memset(head, 'c', sizeof(head));
	assert_int_equal(gpt_make(&gpt, head, tail), 0);
	for (size_t i = 0; i < 440; i++)
		assert_int_equal(head[i], 'c');
	assert_int_equal(head[450], 0xee);
	assert_int_equal(get(head + 454, 4), 1);
	assert_int_equal(get(head + 458, 4), SECTORS - 1);
	assert_int_equal(get(head + 510, 2), 0xaa55);
	check_header(head + 512, head + 1024, 1, SECTORS - 1, 2);
	check_header(tail + 32 * 512, tail, SECTORS - 1, 1, SECTORS - 33);
	assert_memory_equal(head + 1024, tail, 128 * 128);
	assert_memory_equal(head + 1024 + 128, esp, sizeof(esp));
	assert_int_equal(get(head + 1024 + 128 + 32, 8), 2048);
	assert_int_equal(get(head + 1024 + 128 + 40, 8), SECTORS - 34);
	assert_memory_equal(head + 1024 + 56, "f\0i\0r\0s\0t\0\0\0", 12);
}

static void gpt_of_more_than_an_mbr_can_say(void **state)
{
	struct gpt gpt = table();

	(void)state;
	gpt.sectors = (uint64_t)1 << 33;
	assert_int_equal(gpt_make(&gpt, head, tail), 0);
	assert_int_equal(get(head + 458, 4), 0xffffffff);
}

static void gpt_refuses(void **state)
{
	const struct gpt_partition sound = two[1];
	struct gpt gpt = table();

	(void)state;
	two[1].first = 2047;
	assert_int_equal(gpt_make(&gpt, head, tail), -EINVAL);
	two[1] = sound;
	two[1].last = SECTORS - 33;
	assert_int_equal(gpt_make(&gpt, head, tail), -EINVAL);
	two[1] = sound;
	two[1].last = two[1].first - 1;
	assert_int_equal(gpt_make(&gpt, head, tail), -EINVAL);
	two[1] = sound;
	two[1].name = "a name that has more than 36 letters..";
	assert_int_equal(gpt_make(&gpt, head, tail), -EINVAL);
	two[1] = sound;
	gpt.sectors = 20;
	assert_int_equal(gpt_make(&gpt, head, tail), -EINVAL);
	gpt = table();
	gpt.n_partitions = 129;
	assert_int_equal(gpt_make(&gpt, head, tail), -EINVAL);
}

/* --- vfat --- */

#define FAT_OFFSET 4096

static int make_fat(const struct fat_entry *entries, unsigned int n, uint64_t sectors,
		    struct err *e)
{
	int fd = memfd_create("fat", MFD_CLOEXEC);
	struct fat fat = { .fd = fd,
			   .offset = FAT_OFFSET,
			   .sectors = sectors,
			   .id = 0x12345678,
			   .label = "ESP        ",
			   .when = 1700000000,
			   .entries = entries,
			   .n_entries = n };
	int r;

	assert_int_equal(ftruncate(fd, (off_t)(FAT_OFFSET + sectors * 512)), 0);
	r = fat_make(&fat, e);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static void read_sector(int fd, uint64_t sector, uint8_t ret[512])
{
	assert_int_equal(fs_pread_all(fd, ret, 512, FAT_OFFSET + sector * 512), 512);
}

static uint64_t data_start(int fd)
{
	uint8_t boot[512];

	read_sector(fd, 0, boot);
	return get(boot + 14, 2) + boot[16] * get(boot + 36, 4);
}

static uint32_t next_cluster(int fd, uint32_t cluster)
{
	uint8_t boot[512], part[512];

	read_sector(fd, 0, boot);
	read_sector(fd, get(boot + 14, 2) + cluster / 128, part);
	return (uint32_t)get(part + cluster % 128 * 4, 4);
}

/* Of the directory at @cluster the entry @name: its cluster, and its size. */
static uint32_t find_name(int fd, uint32_t cluster, const char *name, size_t *ret_size)
{
	uint8_t dir[512];

	read_sector(fd, data_start(fd) + cluster - 2, dir);
	for (size_t i = 0; i < 512; i += 32) {
		if (memcmp(dir + i, name, 11) != 0 || dir[i + 11] == 0x08)
			continue;
		*ret_size = get(dir + i + 28, 4);
		return (uint32_t)(get(dir + i + 26, 2) | get(dir + i + 20, 2) << 16);
	}
	fail_msg("no %s", name);
	return 0;
}

static void fat_reads_back(void **state)
{
	static char content[3000];
	const struct fat_entry entries[] = {
		{ -1, "EFI        ", NULL, 0 },
		{ 0, "BOOT       ", NULL, 0 },
		{ 1, "BOOTX64 EFI", content, sizeof(content) },
		{ -1, "EMPTY      ", "", 0 },
	};
	uint8_t sector[512], boot[512];
	_cleanup_close_ int fd = -1;
	uint32_t cluster;
	size_t size, at = 0;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(i * 7);
	fd = make_fat(entries, 4, FAT_SECTORS_MIN, &e);
	assert_true(fd >= 0);
	read_sector(fd, 0, boot);
	assert_int_equal(get(boot + 510, 2), 0xaa55);
	/* Less would be FAT16, and clusters end where the file system does. */
	assert_true(get(boot + 32, 4) - data_start(fd) >= 65525);
	assert_true(get(boot + 36, 4) * 128 >= get(boot + 32, 4) - data_start(fd) + 2);
	cluster = find_name(fd, 2, "EFI        ", &size);
	cluster = find_name(fd, cluster, "BOOT       ", &size);
	cluster = find_name(fd, cluster, "BOOTX64 EFI", &size);
	assert_int_equal(size, sizeof(content));
	for (; cluster < 0x0ffffff8; cluster = next_cluster(fd, cluster), at += 512) {
		read_sector(fd, data_start(fd) + cluster - 2, sector);
		assert_memory_equal(sector, content + at, size - at < 512 ? size - at : 512);
	}
	assert_int_equal(at, (sizeof(content) + 511) / 512 * 512);
	assert_int_equal(find_name(fd, 2, "EMPTY      ", &size), 0);
}

static void fat_refuses(void **state)
{
	const struct fat_entry large = { -1, "LARGE      ", "", (size_t)FAT_SECTORS_MIN * 512 };
	struct fat_entry many[16];
	struct err e;

	(void)state;
	assert_int_equal(make_fat(&large, 1, FAT_SECTORS_MIN, &e), -ENOSPC);
	assert_int_equal(make_fat(NULL, 0, FAT_SECTORS_MIN - 1, &e), -EINVAL);
	for (size_t i = 0; i < 16; i++)
		many[i] = (struct fat_entry){ -1, "MANY       ", "", 0 };
	assert_int_equal(make_fat(many, 16, FAT_SECTORS_MIN, &e), -EINVAL);
}

/* --- boot loader --- */

static void boot_is_placed(void **state)
{
	static uint8_t core[3 * 512];
	struct boot_images images = { .core = (char *)core, .core_len = sizeof(core) };
	struct err e;

	(void)state;
	images.mbr[0x64] = 0xff;
	images.mbr[0x66] = 0xeb;
	images.mbr[0x67] = 0x05;
	core[0x1fc] = 2;
	assert_int_equal(boot_place(&images, 34, &e), 0);
	assert_int_equal(get(images.mbr + 0x5c, 8), 34);
	assert_int_equal(get(images.mbr + 0x66, 2), 0x9090);
	assert_int_equal(get(core + 0x1f4, 8), 35);

	/* Patched once, or of another GRUB. */
	assert_int_equal(boot_place(&images, 34, &e), -EINVAL);
	images.mbr[0x66] = 0xeb;
	images.mbr[0x67] = 0x05;
	core[0x1fc] = 3;
	assert_int_equal(boot_place(&images, 34, &e), -EINVAL);
	core[0x1fc] = 2;
	images.core_len = 700;
	assert_int_equal(boot_place(&images, 34, &e), -EINVAL);
	images.core_len = 0;
	assert_int_equal(boot_place(&images, 34, &e), -EINVAL);
}

static void boot_config_says(void **state)
{
	struct boot_config config = { "6.1", "0-1", "/boot/vmlinuz-6.1", NULL };
	_cleanup_strbuf_ struct strbuf own = { 0 }, systems = { 0 };

	(void)state;
	boot_config_text(&config, &own);
	assert_non_null(strstr(strbuf_str(&own), "--set=root 0-1\n"));
	assert_non_null(strstr(strbuf_str(&own), "\tlinux /boot/vmlinuz-6.1 root=UUID=0-1 rw "));
	assert_non_null(strstr(strbuf_str(&own), "\tinitrd ($esp)/initrd.img\n"));
	config.initrd = "/boot/initrd.img-6.1";
	boot_config_text(&config, &systems);
	assert_non_null(strstr(strbuf_str(&systems), "\tinitrd /boot/initrd.img-6.1\n"));
}

/* --- layout --- */

static void layout_fits(void **state)
{
	struct image_layout l;
	struct err e;

	(void)state;
	for (uint64_t blocks = 10000; blocks < 400000000; blocks = blocks * 3 + 1) {
		assert_int_equal(image_lay_out(0, 10 << 20, blocks, &l, &e), 0);
		assert_true(l.root_sectors >= blocks * 8 && l.root_sectors < blocks * 8 + 3 * 2048);
		assert_int_equal(l.root_sectors % 8, 0);
		assert_int_equal(l.root_first, l.esp_first + l.esp_sectors);
		assert_int_equal(l.root_first % 2048, 0);
		assert_true(l.root_first + l.root_sectors + GPT_SECTORS_AT_END <= l.sectors);
		assert_int_equal(l.sectors % 2048, 0);
	}
	assert_int_equal(image_lay_out(0, 500 << 20, 10000, &l, &e), 0);
	assert_true(l.esp_sectors > 500 << 11);
}

static void layout_of_a_given_size(void **state)
{
	struct image_layout l;
	struct err e;

	(void)state;
	/* As many bytes as were asked for; what is no whole sector is left out. */
	assert_int_equal(image_lay_out(((uint64_t)1 << 30) + 700, 0, 10, &l, &e), 0);
	assert_int_equal(l.sectors, (1 << 21) + 1);
	assert_true(l.root_first + l.root_sectors + GPT_SECTORS_AT_END <= l.sectors);
	assert_int_equal(image_lay_out(70 << 20, 0, 10, &l, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "--size is too small"));
	assert_int_equal(image_lay_out(1, 0, 10, &l, &e), -ENOSPC);
	assert_int_equal(image_lay_out(UINT64_MAX, 0, 10, &l, &e), -EFBIG);
	assert_int_equal(image_lay_out(0, 0, UINT64_MAX / 8, &l, &e), -EFBIG);
}

/* --- the host's programs --- */

static void missing_tool_names_its_package(void **state)
{
	const char *const argv[] = { "no-such-program", NULL };
	struct tool_run run = { .tool = { .argv = argv },
				.name = argv[0],
				.package = "some-package" };
	int signal = 0;
	struct err e;

	(void)state;
	assert_int_equal(tool_run(&run, -1, &signal, &e), -ENOENT);
	assert_string_equal(e.text, "no-such-program is not installed here; install some-package");
}

/* --- ext4 --- */

struct ext4_world {
	struct fixture fx;
	int root; /* its */
	struct losses losses;
	struct err e;
};

static int set_up(void **state)
{
	struct ext4_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fixture_make(&w->fx);
	w->root = w->fx.fd;
	assert_int_equal(ext4_prepare(&w->e), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct ext4_world *w = *state;

	fixture_remove(&w->fx);
	free(w);
	return 0;
}

static void add(const struct ext4_world *w, const char *name, size_t len, off_t at)
{
	_cleanup_free_ char *data = malloc(len + 1);
	_cleanup_close_ int fd = openat(w->root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_non_null(data);
	memset(data, 'x', len);
	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_all(fd, data, len, (uint64_t)at), 0);
}

static int make_ext4(struct ext4_world *w, uint64_t blocks, int *ret_fd)
{
	struct ext4_make make = {
		.offset = 8192, .blocks = blocks, .id = { 1, 2, 3 }, .when = 1000, .epoch = 2000
	};
	struct ext4_need need;
	uint8_t digest[EXT4_DIGEST_BYTES];
	_cleanup_close_ int fd = memfd_create("ext4", MFD_CLOEXEC);
	int r;

	assert_int_equal(ext4_measure(w->root, &need, digest, &w->e), 0);
	make.fd = fd;
	make.inodes = ext4_inodes(&need);
	if (!make.blocks)
		make.blocks = ext4_size(&need);
	assert_int_equal(ftruncate(fd, (off_t)(8192 + make.blocks * EXT4_BLOCK)), 0);
	r = ext4_make(&make, w->root, &w->losses, &w->e);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static void ext4_is_the_same_twice(void **state)
{
	struct ext4_world *w = *state;
	_cleanup_close_ int a = -1, b = -1;
	char left[4096], right[4096];
	struct stat st;

	add(w, "b", 100, 0);
	add(w, "a", 5000000, 0);
	add(w, "sparse", 10, 1 << 30);
	assert_int_equal(mkdirat(w->root, "d", 0), 0);
	assert_int_equal(fchmodat(w->root, "d", 0700, 0), 0);
	assert_int_equal(mkfifoat(w->root, "fifo", 0600), 0);
	assert_int_equal(linkat(w->root, "b", w->root, "d/c", 0), 0);
	assert_int_equal(make_ext4(w, 0, &a), 0);
	assert_int_equal(make_ext4(w, 0, &b), 0);
	assert_int_equal(w->losses.n, 0);
	assert_int_equal(fstat(a, &st), 0);
	/* The hole took no space in it. */
	assert_true(st.st_size > 5000000 && st.st_size < 200 << 20);
	assert_int_equal(fs_pread_all(a, left, sizeof(left), 8192), sizeof(left));
	assert_int_equal(get(left + 1024 + 0x38, 2), 0xef53);
	assert_memory_equal(left + 1024 + 0x68, "\1\2\3", 4);
	assert_int_equal(get(left + 1024 + 0x30, 4), 1000);
	for (uint64_t at = 0; at < (uint64_t)st.st_size; at += sizeof(left)) {
		assert_int_equal(fs_pread_all(a, left, sizeof(left), at), sizeof(left));
		assert_int_equal(fs_pread_all(b, right, sizeof(right), at), sizeof(right));
		assert_memory_equal(left, right, sizeof(left));
	}
}

static void ext4_that_is_too_small(void **state)
{
	struct ext4_world *w = *state;
	_cleanup_close_ int fd = -1;

	add(w, "a", 30 << 20, 0);
	assert_int_equal(make_ext4(w, 6000, &fd), -ENOSPC);
	assert_non_null(strstr(w->e.text, "full at '/a'"));
	assert_true(make_ext4(w, 10, &fd) < 0);
}

static void ext4_digest_tells_trees_apart(void **state)
{
	uint8_t first[EXT4_DIGEST_BYTES], again[EXT4_DIGEST_BYTES];
	struct ext4_world *w = *state;
	struct ext4_need need;

	add(w, "a", 10, 0);
	assert_int_equal(ext4_measure(w->root, &need, first, &w->e), 0);
	assert_int_equal(need.inodes, 2);
	assert_int_equal(ext4_measure(w->root, &need, again, &w->e), 0);
	assert_memory_equal(first, again, sizeof(first));
	assert_int_equal(fchmodat(w->root, "a", 0600, 0), 0);
	assert_int_equal(ext4_measure(w->root, &need, again, &w->e), 0);
	assert_memory_not_equal(first, again, sizeof(first));
}

#define test_ext4(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpt_both_copies),
		cmocka_unit_test(gpt_of_more_than_an_mbr_can_say),
		cmocka_unit_test(gpt_refuses),
		cmocka_unit_test(fat_reads_back),
		cmocka_unit_test(fat_refuses),
		cmocka_unit_test(boot_is_placed),
		cmocka_unit_test(boot_config_says),
		cmocka_unit_test(layout_fits),
		cmocka_unit_test(layout_of_a_given_size),
		cmocka_unit_test(missing_tool_names_its_package),
		test_ext4(ext4_is_the_same_twice),
		test_ext4(ext4_that_is_too_small),
		test_ext4(ext4_digest_tells_trees_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
