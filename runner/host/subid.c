/* SPDX-License-Identifier: MIT */
#include "runner/host/subid.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/parse.h"

#define LINE_LEN_MAX 512
#define FILE_SIZE_MAX ((uint64_t)16 << 20) /* 400,000 users */
#define PASSWD_BUF_MAX ((size_t)1 << 20)

/* (uid_t)-1 means "no id" to the kernel, its 16-bit form to old system calls. */
#define ID_NONE 4294967295u
#define ID_NONE_16 65535u

static bool includes(uint64_t first, uint64_t count, uint64_t id)
{
	return id >= first && id - first < count;
}

/* @line: "OWNER:FIRST:COUNT", cut up. Return: false if it is no line of the user's. */
static bool parse_line(char *line, const char *name, uint32_t id, struct subid_range *ret)
{
	char *first = strchr(line, ':'), *count = first ? strchr(first + 1, ':') : NULL;
	uint64_t n_first, n_count, owner;

	if (!count)
		return false;
	*first++ = *count++ = '\0';
	if (!(name && *name && !strcmp(line, name)) &&
	    !(parse_uint(line, 0, ID_NONE - 1, &owner) == 0 && owner == id))
		return false;
	if (parse_uint(first, 1, ID_NONE - 1, &n_first) < 0 ||
	    parse_uint(count, 1, ID_NONE, &n_count) < 0)
		return false;
	if (n_first + n_count > ID_NONE || includes(n_first, n_count, ID_NONE_16))
		return false;
	*ret = (struct subid_range){ (uint32_t)n_first, (uint32_t)n_count };
	return true;
}

void subid_parse(const char *text, size_t len, const char *name, uint32_t id, struct subids *ret)
{
	struct subids found = { 0 };

	while (len && found.n < SUBID_MAX) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		char line[LINE_LEN_MAX];

		if (n < sizeof(line) && !memchr(text, '\0', n)) {
			memcpy(line, text, n);
			line[n] = '\0';
			if (parse_line(line, name, id, &found.r[found.n]))
				found.n++;
		}
		n += end != NULL;
		text += n;
		len -= n;
	}
	*ret = found;
}

static int load(const char *path, const char *name, uint32_t uid, struct subids *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fs_read_host(path, FILE_SIZE_MAX, &text, &len);

	if (r == -ENOENT) {
		*ret = (struct subids){ 0 };
		return 0;
	}
	if (r < 0)
		return err_errno(e, -r, "cannot read %s", path);
	subid_parse(text, len, name, uid, ret);
	return 0;
}

/* @ret: the login name, free() it; NULL if the id has none. */
static int login_name(uint32_t uid, char **ret)
{
	for (size_t size = 1024; size <= PASSWD_BUF_MAX; size *= 2) {
		_cleanup_free_ char *buf = malloc(size);
		struct passwd pw, *found = NULL;
		int r;

		if (!buf)
			return -ENOMEM;
		r = getpwuid_r(uid, &pw, buf, size, &found);
		if (r == ERANGE)
			continue;
		*ret = NULL;
		if (!found)
			return 0;
		*ret = strdup(pw.pw_name);
		return *ret ? 0 : -ENOMEM;
	}
	return -ENOMEM;
}

int subid_load(uint32_t uid, struct subids *ret_uids, struct subids *ret_gids, struct err *e)
{
	_cleanup_free_ char *name = NULL;
	struct subids uids, gids;

	if (login_name(uid, &name) < 0)
		return err_oom(e);
	if (load("/etc/subuid", name, uid, &uids, e) < 0 ||
	    load("/etc/subgid", name, uid, &gids, e) < 0)
		return -e->errnum;
	*ret_uids = uids;
	*ret_gids = gids;
	return 0;
}
