/* SPDX-License-Identifier: MIT */
/*
 * What was asked: the command line as typed values, nothing looked up yet. A
 * front end (the command line now) produces it; all below only reads it.
 */
#ifndef VMRUN_SPEC_VM_SPEC_H
#define VMRUN_SPEC_VM_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/base/strbuf.h"

enum root_mode { ROOT_RW, ROOT_READ_ONLY, ROOT_EPHEMERAL };
enum cache_policy { CACHE_AUTO, CACHE_NONE, CACHE_MMAP, CACHE_LOOSE };
enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum net_mode { NET_AUTO, NET_NONE, NET_USER };
enum seccomp_mode { SECCOMP_ENFORCE, SECCOMP_LOG };
enum timing_mode { TIMING_OFF, TIMING_TEXT, TIMING_JSON };
enum tty_mode { TTY_AUTO, TTY_ON, TTY_OFF };
enum verbosity { VERBOSE_OFF, VERBOSE_CLEAN, VERBOSE_RAW };

enum idmap_kind { IDMAP_AUTO, IDMAP_CALLER, IDMAP_SUBID, IDMAP_SINGLE, IDMAP_EXPLICIT };

#define ID_MAP_MAX 32 /* the kernel takes 340; nobody needs them on a command line */
#define SPEC_CPUS_MAX 256u

/* One line of uid_map: @count ids, guest's from @inside, host's from @outside. */
struct id_extent {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

struct id_map {
	struct id_extent e[ID_MAP_MAX];
	unsigned int n;
};

struct volume {
	char *src; /* as typed: relative to the working directory of vmrun */
	char *dst; /* absolute and normalised: no "//", ".", "..", not "/" */
	bool read_only;
};

enum disk_format { DISK_AUTO, DISK_RAW, DISK_QCOW2 };

#define DISKS_MAX 8

struct disk {
	char *src; /* as typed */
	bool read_only;
	enum disk_format format; /* AUTO: as its header says */
};

struct port_forward {
	char host_ip[16]; /* dotted quad, "127.0.0.1" unless told otherwise */
	uint16_t host_port;
	uint16_t guest_port;
	bool udp;
};

/* One bit for each field that somebody set, for merging and for conflicts. */
enum spec_field {
	SPEC_CPUS = 1 << 0,
	SPEC_MEMORY = 1 << 1,
	SPEC_TIMEOUT = 1 << 2,
	SPEC_NETWORK = 1 << 3,
};

struct vm_spec {
	unsigned int set; /* enum spec_field */

	char *root;	       /* ROOT as typed */
	struct strvec command; /* empty: the login shell */
	char *entrypoint;      /* "": none; NULL: what the base's image has */
	bool no_image_config;  /* what it says of how it is run does not count */

	enum root_mode root_mode;
	enum cache_policy cache;
	bool shared;
	enum idmap_kind idmap;
	struct id_map idmap_explicit; /* for both uids and gids */
	struct volume *volumes;
	unsigned int n_volumes;
	struct disk disks[DISKS_MAX];
	unsigned int n_disks;

	char *kernel;	   /* -k: host path, NULL: from the base */
	char *modules;	   /* host directory that holds modules.dep, "none", or NULL */
	char *append;	   /* -a: more kernel command line, or NULL */
	uint64_t memory;   /* bytes; a multiple of 1 MiB */
	unsigned int cpus; /* 0: the default of the accelerator */
	enum accel accel;

	enum seccomp_mode seccomp;
	bool allow_setuid; /* no warning of setuid files that others on the host could run */

	enum net_mode network;
	bool host_loopback; /* the guest reaches the host's 127.0.0.1 as 10.0.2.2 */
	struct port_forward *ports;
	unsigned int n_ports;

	char *name;	   /* or NULL */
	char *hostname;	   /* or NULL */
	char *user;	   /* USER[:GROUP], or NULL: root */
	char *workdir;	   /* absolute, or NULL */
	struct strvec env; /* "K=V", in order */
	enum tty_mode tty;
	uint64_t timeout_ms; /* 0: none */

	bool no_template;	      /* boot, whatever templates there are */
	uint64_t template_max_age_ms; /* an older template is made anew; 0: any age */
	uint64_t template_budget;     /* bytes of disk for all templates; 0: keep none */
	enum timing_mode timing;

	bool dry_run;
	enum verbosity verbose; /* raw: with the control sequences of the guest's console */
	bool quiet;
	bool help;    /* only this or ... */
	bool version; /* ... this was asked: nothing else was checked */
};

/** vm_spec_init() - the defaults; owns nothing yet. */
void vm_spec_init(struct vm_spec *spec);
void vm_spec_free(struct vm_spec *spec);

#endif
