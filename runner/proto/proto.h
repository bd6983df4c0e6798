/* SPDX-License-Identifier: MIT */
/*
 * The wire between vmrun and vmrun-init: frames over one virtio-serial port.
 * libc only; both sides compile this file.
 *
 *	u32 length of the payload | u16 type | u16 stream | payload
 *
 * All integers are little-endian. A frame longer than PROTO_MAX_PAYLOAD, of an
 * unknown type or for an unknown stream ends the conversation: neither side
 * trusts a length, and the host treats every byte as the guest's forgery.
 *
 * A conversation:
 *
 *	guest: HELLO                      modules loaded, nothing mounted
 *	host:  CONF ... CONF RUN          what to run, in one go
 *	guest: READY                      seed and clock taken, nothing else done yet
 *	guest: STARTED | FAIL             FAIL ends it; text and exit code inside
 *	both:  DATA EOF CLOSE CREDIT      streams
 *	host:  SIGNAL RESIZE              any time after RUN
 *	guest: EXIT                       all output sent, everything synced
 *
 * Flow control: a stream's sender may have at most PROTO_WINDOW bytes sent and
 * not yet credited. The receiver sends CREDIT once it has handed bytes on, so a
 * blocked reader never holds up control frames. EOF: the sender has no more.
 * CLOSE: the receiver wants no more (its reader is gone); the sender stops, and
 * what is on its way is dropped.
 *
 * After HELLO the guest is in the state that a template is saved in: all that
 * belongs to one run comes later, in CONF frames. A guest restored from one has
 * said its HELLO to somebody else, so the host speaks first, and READY is its
 * first sign of life.
 */
#ifndef VMRUN_PROTO_PROTO_H
#define VMRUN_PROTO_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION 2
#define PROTO_HEADER_SIZE 8u
/* One argument or environment string may have 128 KiB (MAX_ARG_STRLEN). */
#define PROTO_MAX_PAYLOAD (132u * 1024u)
#define PROTO_MAX_DATA (32u * 1024u)	    /* payload of one DATA frame */
#define PROTO_WINDOW (256u * 1024u)	    /* bytes in flight for each stream */
#define PROTO_MAX_CONF (8u * 1024u * 1024u) /* all CONF payloads of a run */

/* Name of the virtio-serial port, as found in /sys/class/virtio-ports/N/name. */
#define PROTO_PORT_NAME "vmrun.agent"
#define PROTO_TAG_ROOT "root"
#define PROTO_TAG_VOLUMES "volumes"

enum proto_type {
	PROTO_HELLO = 1, /* G: u32 PROTO_VERSION */
	PROTO_CONF,	 /* H: u16 enum proto_key, value */
	PROTO_RUN,	 /* H: empty */
	PROTO_STARTED,	 /* G: empty; the command was executed (execve succeeded) */
	PROTO_FAIL,	 /* G: u32 exit code (125, 126, 127), text */
	PROTO_WARN,	 /* G: text; the run goes on */
	PROTO_DATA,	 /* both: bytes of .stream */
	PROTO_EOF,	 /* both: empty */
	PROTO_CLOSE,	 /* both: empty */
	PROTO_CREDIT,	 /* both: u32 bytes */
	PROTO_SIGNAL,	 /* H: u32 number, as on x86-64 Linux */
	PROTO_RESIZE,	 /* H: u16 rows, u16 columns */
	PROTO_EXIT,	 /* G: u32 enum proto_exit, u32 exit code or signal number */
	PROTO_READY,	 /* G: empty; sooner, a run can be given up and started anew */
	PROTO_TYPE_MAX = PROTO_READY
};

enum proto_stream {
	PROTO_STDIN,  /* host to guest; the pty's input too */
	PROTO_STDOUT, /* guest to host; the pty's output too */
	PROTO_STDERR,
	PROTO_STREAMS
};

enum proto_exit { PROTO_EXITED = 1, PROTO_SIGNALED };

/* How the root file system is mounted. */
enum proto_root_mode { PROTO_ROOT_RW, PROTO_ROOT_RO, PROTO_ROOT_EPHEMERAL };
enum proto_cache { PROTO_CACHE_NONE, PROTO_CACHE_MMAP, PROTO_CACHE_LOOSE };

enum proto_key {
	PROTO_KEY_SEED = 1, /* 32 to 256 bytes for the guest's RNG */
	PROTO_KEY_CLOCK,    /* u64 nanoseconds since the epoch, at sending */
	PROTO_KEY_ROOT,	    /* u32 enum proto_root_mode, u32 enum proto_cache */
	PROTO_KEY_VOLUME,   /* u32 index, u32 read-only, u32 enum proto_cache, DST path;
			       repeated, in mount order */
	PROTO_KEY_HOSTNAME, /* text */
	PROTO_KEY_NETWORK,  /* u32 1: eth0 is 10.0.2.15/24, router 10.0.2.2, DNS 10.0.2.3 */
	PROTO_KEY_USER,	    /* "USER[:GROUP]", names or numbers; absent: root */
	PROTO_KEY_WORKDIR,  /* absolute path; absent: "/" or, for a login shell, its home */
	PROTO_KEY_ENV,	    /* "K=V"; repeated, later wins */
	PROTO_KEY_ARG,	    /* one argument; repeated; none at all: the user's login shell */
	PROTO_KEY_TTY,	    /* u16 rows, u16 columns: run on a pty of that size */
	PROTO_KEY_MAX = PROTO_KEY_TTY
};

struct proto_frame {
	uint16_t type;
	uint16_t stream;
	uint32_t len;
	const uint8_t *payload; /* points into the reader; valid until the next call */
};

/*
 * Incremental decoder: bytes in, in any portions; frames out.
 */
struct proto_reader {
	uint8_t *buf; /* PROTO_HEADER_SIZE + PROTO_MAX_PAYLOAD bytes, owned */
	size_t start; /* first byte not yet decoded */
	size_t end;
};

/** proto_reader_init() - Return: 0 or -ENOMEM. */
int proto_reader_init(struct proto_reader *r);
void proto_reader_free(struct proto_reader *r);

/**
 * proto_reader_space() - where to read() more bytes to; never 0 bytes while
 * proto_reader_next() was asked until it returned 0.
 */
size_t proto_reader_space(struct proto_reader *r, uint8_t **ret);
void proto_reader_commit(struct proto_reader *r, size_t n);

/**
 * proto_reader_next() - the next whole frame.
 *
 * Return: 1 and the frame; 0 when more bytes are needed; -EPROTO for a length,
 * type or stream that no correct peer sends (the reader is of no use any more).
 */
int proto_reader_next(struct proto_reader *r, struct proto_frame *ret);

/** proto_header() - encode a header into @out. */
void proto_header(uint8_t out[PROTO_HEADER_SIZE], uint16_t type, uint16_t stream, uint32_t len);

void proto_put16(uint8_t *p, uint16_t v);
void proto_put32(uint8_t *p, uint32_t v);
void proto_put64(uint8_t *p, uint64_t v);
uint16_t proto_get16(const uint8_t *p);
uint32_t proto_get32(const uint8_t *p);
uint64_t proto_get64(const uint8_t *p);

#endif
