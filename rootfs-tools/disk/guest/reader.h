/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * vmrun-disk-reader runs in a helper guest that has a disk image as /dev/vda, read-only.
 * It finds the root file system in it, mounts that and what its fstab names of the same
 * image, and writes the tree to its standard output as a tar. A hostile image attacks
 * this guest's kernel, and what that one then says is believed no more than any archive.
 *
 *	scan.c	 the partitions, as the kernel found them, and what is in each
 *	fs.c	 the file systems: modules, mounts
 *	root.c	 which of them holds the root
 *	fstab.c	 what belongs below it
 *	walk.c	 the tree
 *	tar.c	 the archive
 *
 * On standard error it says, a line each: "note: " what was left out, "error: " why it
 * ends with 1, and at the end of all "end: " with the number of entries. Nothing else
 * tells a tree that is whole from one that was cut.
 *
 * It is a program that does one thing and ends: what fails ends it at once (die()).
 */
#ifndef VMRUN_DISK_GUEST_READER_H
#define VMRUN_DISK_GUEST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define PARTS_MAX 128
#define DISK_NAME "vda"

/* main.c */

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* scan.c */

struct part {
	unsigned int number; /* 0: the whole disk, which has no table */
	char name[32];	     /* "vda1" */
	const struct fs_type *fs; /* NULL: none that can be mounted */
	const char *other;	  /* what is there instead, if that is known and matters */
	/* As fstab has them; "" where there is none. */
	char uuid[40];
	char label[256];
	char partuuid[40];
	char partlabel[40];
};

struct disk {
	struct part parts[PARTS_MAX];
	unsigned int n;
};

void disk_scan(struct disk *ret);

/* fs.c */

struct fs_type {
	const char *name;
	/* Whether it is in the first HEAD_SIZE bytes of @part, which gets its names. */
	bool (*probe)(const uint8_t *head, struct part *part);
	const char *options;
	const char *unclean; /* instead, where a journal cannot be replayed on this disk */
};

#define HEAD_SIZE 135168 /* btrfs has its superblock at 64 KiB, ZFS-like others none here */

/** fs_probe() - fills in .fs, .other, .uuid and .label. */
void fs_probe(const uint8_t *head, struct part *part);

/**
 * fs_mount() - mount it read-only over @target.
 * @subvol: an option of btrfs's ("subvol=NAME"), or NULL.
 * @probing: only to look: nothing is said.
 * Return: 0 or -errno.
 */
int fs_mount(const struct part *part, const char *subvol, const char *target, bool probing);

/* root.c */

#define ROOT_DIR "/run/disk"

/** root_mount() - the root of the image over ROOT_DIR. @number: asked for, or 0. */
void root_mount(const struct disk *disk, unsigned int number);

/* fstab.c */

/** fstab_mount() - mount below ROOT_DIR what its fstab names of the same disk. */
void fstab_mount(const struct disk *disk);

/* walk.c */

/** walk() - write all below ROOT_DIR. Return: how many entries. */
uint64_t walk(void);

/* tar.c */

struct tar_entry {
	const char *path; /* "./usr" */
	const struct stat *st;
	const char *link; /* target of a symlink, or of a hard link */
	bool hard;
	int fd;	   /* of a regular file's content */
	int dir;   /* the entry is NAME below this one: for its attributes */
	const char *name;
};

/** tar_entry() - write all of it. */
void tar_entry(const struct tar_entry *entry);
/** tar_end() - the end mark. */
void tar_end(void);

#endif
