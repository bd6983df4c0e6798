/* SPDX-License-Identifier: MIT */
/*
 * Anything that a QEMU in the guest's hands may say, in portions of any size. What
 * is kept of it stays small, and a failure always says why.
 *
 * Input: a byte for the size of the portions, then the stream.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runner/vm/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct qmp *qmp, int r, const struct err *e)
{
	if (r < 0 && r != -EREMOTEIO && r != -EPROTO && r != -EMSGSIZE)
		abort();
	if (r < 0 && (e->errnum != -r || !e->text[0] || strlen(e->text) >= sizeof(e->text)))
		abort();
	if (r == 1 && (qmp->in.len > 64 * 1024 || memchr(strbuf_str(&qmp->in), '\n', qmp->in.len)))
		abort();
	/* Nothing is believed of whoever did not say hello. */
	if (!qmp->version[0] && (qmp->returns || qmp->resumed || qmp->migrated))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct qmp qmp;
	size_t portion, sent = 0;
	int pair[2], r = 1;

	if (size < 1)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    qmp_init(&qmp, pair[0], &e) < 0)
		abort();
	/* Less than a socket holds and than is read at once. */
	portion = data[0] ? (size_t)data[0] * 32 : 1;
	data++;
	size--;
	while (r == 1 && sent < size) {
		size_t n = size - sent < portion ? size - sent : portion;

		if (write(pair[1], data + sent, n) != (ssize_t)n)
			abort();
		sent += n;
		r = qmp_read(&qmp, &e);
		check(&qmp, r, &e);
	}
	close(pair[1]);
	if (r == 1 && qmp_read(&qmp, &e) != 0)
		abort();
	qmp_free(&qmp);
	return 0;
}
