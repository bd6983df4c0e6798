/* SPDX-License-Identifier: MIT */
/*
 * As much of QMP as a template needs. Each document is an object on a line of its
 * own, which ends in "\r\n":
 *
 *	QEMU: {"QMP": {"version": {"qemu": {...}}}}     the greeting: first, and once
 *	QEMU: {"return": ...} or {"error": {"desc": ...}}  one for each command, in order
 *	QEMU: {"event": NAME, "data": {...}}            at any time
 *
 * Commands go out without waiting for answers: none depends on what an earlier one
 * returns, and the first error ends the matter anyhow. That is why answers need no
 * ids and are only counted.
 */
#include "runner/vm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "runner/base/cleanup.h"

#define LINE_SIZE_MAX (64u * 1024u)
#define READ_SIZE (16u * 1024u)
#define VERSION_PART_MAX 9999

int qmp_init(struct qmp *qmp, int fd, struct err *e)
{
	*qmp = (struct qmp){ .fd = fd };
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, errno, "cannot prepare the socket of QEMU's monitor");
	return 0;
}

void qmp_free(struct qmp *qmp)
{
	cleanup_close(&qmp->fd);
	strbuf_free(&qmp->in);
}

static int no_qmp(struct err *e, const char *what)
{
	return err_msg(e, EPROTO, "QEMU's monitor does not speak QMP: %s", what);
}

static int take_greeting(struct qmp *qmp, const json_t *greeting, struct err *e)
{
	static const char *const parts[] = { "major", "minor", "micro" };
	const json_t *version = json_object_get(json_object_get(greeting, "version"), "qemu");
	uint32_t numbers[ARRAY_SIZE(parts)];

	if (qmp->version[0])
		return no_qmp(e, "a second greeting");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *part = json_object_get(version, parts[i]);
		json_int_t n = json_integer_value(part);

		if (!json_is_integer(part) || n < 0 || n > VERSION_PART_MAX)
			return no_qmp(e, "a greeting without a version");
		numbers[i] = (uint32_t)n;
	}
	/* Major 0 means that there was none yet. */
	if (!numbers[0])
		return no_qmp(e, "a greeting without a version");
	memcpy(qmp->version, numbers, sizeof(numbers));
	return 0;
}

static int take_error(const json_t *error, struct err *e)
{
	const char *text = json_string_value(json_object_get(error, "desc"));

	if (!text)
		return no_qmp(e, "an error without a description");
	return err_msg(e, EREMOTEIO, "QEMU refuses a command: %s", text);
}

static int take_event(struct qmp *qmp, const json_t *event, const json_t *data, struct err *e)
{
	const char *name = json_string_value(event);
	const char *status;

	if (!name)
		return no_qmp(e, "an event without a name");
	if (strcmp(name, "RESUME") == 0) {
		qmp->resumed = true;
	} else if (strcmp(name, "MIGRATION") == 0) {
		status = json_string_value(json_object_get(data, "status"));
		if (!status)
			return no_qmp(e, "a MIGRATION event without a status");
		if (strcmp(status, "failed") == 0)
			return err_msg(e, EREMOTEIO,
				       "QEMU failed to save or to load the guest's state");
		if (strcmp(status, "completed") == 0)
			qmp->migrated = true;
	}
	return 0;
}

static int take_document(struct qmp *qmp, const json_t *doc, struct err *e)
{
	const json_t *greeting = json_object_get(doc, "QMP");
	const json_t *error = json_object_get(doc, "error");
	const json_t *event = json_object_get(doc, "event");

	if (greeting)
		return take_greeting(qmp, greeting, e);
	if (!qmp->version[0])
		return no_qmp(e, "no greeting");
	if (error)
		return take_error(error, e);
	if (event)
		return take_event(qmp, event, json_object_get(doc, "data"), e);
	if (!json_object_get(doc, "return"))
		return no_qmp(e, "neither an answer nor an event");
	qmp->returns++;
	return 0;
}

static int take_line(struct qmp *qmp, const char *line, size_t len, struct err *e)
{
	json_error_t why;
	json_t *doc = json_loadb(line, len, 0, &why);
	int r;

	if (!doc)
		return json_error_code(&why) == json_error_out_of_memory ? err_oom(e) :
									   no_qmp(e, why.text);
	r = take_document(qmp, doc, e);
	json_decref(doc);
	return r;
}

static int take_lines(struct qmp *qmp, struct err *e)
{
	const char *end;

	while ((end = memchr(qmp->in.data, '\n', qmp->in.len))) {
		size_t len = (size_t)(end - qmp->in.data);
		int r;

		if (len > LINE_SIZE_MAX)
			break;
		r = take_line(qmp, qmp->in.data, len, e);
		strbuf_consume(&qmp->in, len + 1);
		if (r < 0)
			return r;
	}
	if (qmp->in.len > LINE_SIZE_MAX)
		return err_msg(e, EMSGSIZE, "QEMU's monitor sent a line of more than %u KiB",
			       LINE_SIZE_MAX >> 10);
	return 0;
}

int qmp_read(struct qmp *qmp, struct err *e)
{
	char buf[READ_SIZE];
	ssize_t n = read(qmp->fd, buf, sizeof(buf));
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n < 0 && errno != ECONNRESET)
		return err_errno(e, errno, "cannot read from QEMU's monitor");
	if (n <= 0)
		return 0;
	strbuf_add(&qmp->in, buf, (size_t)n);
	if (qmp->in.failed)
		return err_oom(e);
	r = take_lines(qmp, e);
	return r < 0 ? r : 1;
}

/* @fd: -1, or a descriptor to send along. */
static int send_commands(struct qmp *qmp, const char *text, int fd, struct err *e)
{
	union {
		struct cmsghdr header;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	n = sendmsg(qmp->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return err_errno(e, errno, "cannot send commands to QEMU's monitor");
	/* A fresh socket takes all of it: what is stuck here is not waited for. */
	if ((size_t)n != iov.iov_len)
		return err_errno(e, EAGAIN, "cannot send commands to QEMU's monitor");
	return 0;
}

#define QMP_START "{\"execute\":\"qmp_capabilities\"}\n"
#define QMP_CAPABILITY(name) "{\"capability\":\"" name "\",\"state\":true}"
#define QMP_SET_CAPABILITIES(list)                   \
	"{\"execute\":\"migrate-set-capabilities\"," \
	"\"arguments\":{\"capabilities\":[" list "]}}\n"

/* The memory is there already, mapped from a file. */
#define QMP_NO_MEMORY QMP_CAPABILITY("x-ignore-shared")

int qmp_send_restore(struct qmp *qmp, int state_fd, struct err *e)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	strbuf_puts(&text, QMP_START QMP_SET_CAPABILITIES(QMP_NO_MEMORY));
	strbuf_printf(&text,
		      "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:%d\"}}\n",
		      state_fd);
	if (text.failed)
		return err_oom(e);
	return send_commands(qmp, text.data, -1, e);
}

int qmp_send_save(struct qmp *qmp, int fd, struct err *e)
{
	static const char start[] = QMP_START QMP_SET_CAPABILITIES(QMP_NO_MEMORY
								   "," QMP_CAPABILITY("events"));
	static const char getfd[] =
		"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"state\"}}\n";
	static const char migrate[] =
		"{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:state\"}}\n";
	int r = send_commands(qmp, start, -1, e);

	/* QEMU takes the descriptor that came last: this one has to come with its command. */
	if (r == 0)
		r = send_commands(qmp, getfd, fd, e);
	if (r == 0)
		r = send_commands(qmp, migrate, -1, e);
	return r;
}
