/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/bootstrap/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define LINE_SIZE 512
#define ENDS "\r\n"

static void copy_line(const char *from, size_t len, char *ret, size_t size)
{
	snprintf(ret, size, "%.*s", (int)(len < size ? len : size - 1), from);
	text_sanitize(ret);
}

/* The line that ends at @end: where it begins. */
static size_t line_start(const struct strbuf *said, size_t end)
{
	while (end > 0 && !strchr(ENDS, said->data[end - 1]))
		end--;
	return end;
}

static void show_last(const struct watch *watch)
{
	const struct strbuf *said = &watch->said;
	size_t end = said->len, start;
	char line[LINE_SIZE];

	/* Only what is complete. */
	end = line_start(said, end);
	while (end > 0 && strchr(ENDS, said->data[end - 1]))
		end--;
	start = line_start(said, end);
	if (start == end)
		return;
	copy_line(said->data + start, end - start, line, sizeof(line));
	watch->status(line);
}

void watch_add(struct watch *watch, const char *data, size_t len)
{
	struct strbuf *said = &watch->said;

	for (size_t i = 0; i < len; i++)
		strbuf_putc(said, data[i] ? data[i] : '?');
	if (said->len > WATCH_KEPT)
		strbuf_consume(said, said->len - WATCH_KEPT);
	if (watch->status && !said->failed)
		show_last(watch);
}

int watch_output(struct watch *watch, int fd, int signal_fd, int *ret_signal, struct err *e)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	char data[4096];

	for (;;) {
		ssize_t n;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "cannot wait for a program's output");
		if (fds[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
			*ret_signal = (int)info.ssi_signo;
			return err_msg(e, EINTR, "interrupted");
		}
		if (!fds[0].revents)
			continue;
		n = read(fd, data, sizeof(data));
		if (n < 0 && errno != EINTR)
			return err_errno(e, errno, "cannot read a program's output");
		if (n == 0)
			return watch->said.failed ? err_oom(e) : 0;
		if (n > 0)
			watch_add(watch, data, (size_t)n);
	}
}

void watch_tail(const struct watch *watch, unsigned int lines, struct strbuf *out)
{
	const struct strbuf *said = &watch->said;
	size_t start = said->len;

	for (unsigned int n = 0; start > 0 && n<lines; start -= start> 0) {
		size_t end = start;

		start = line_start(said, end);
		n += start < end;
		if (n == lines)
			break;
	}
	while (start < said->len) {
		size_t len = strcspn(said->data + start, ENDS);
		char line[LINE_SIZE];

		copy_line(said->data + start, len, line, sizeof(line));
		if (*line)
			strbuf_printf(out, "%s\n", line);
		start += len + 1;
	}
}

bool watch_find(const struct watch *watch, const char *words, char *ret, size_t size)
{
	const struct strbuf *said = &watch->said;
	const char *last = NULL;
	size_t start;

	for (const char *p = strbuf_str(said); (p = strstr(p, words)); p++)
		last = p;
	if (!last)
		return false;
	start = line_start(said, (size_t)(last - said->data));
	copy_line(said->data + start, strcspn(said->data + start, ENDS), ret, size);
	return true;
}
