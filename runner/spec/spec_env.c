/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/spec_value.h"

#define ENV_MAX 4096
#define ENV_STRING_MAX 131071 /* bytes of one "K=V" that execve(2) takes (MAX_ARG_STRLEN) */
#define ENV_FILE_MAX ((uint64_t)1 << 20)

static int add(struct vm_spec *spec, const char *name, size_t name_len, const char *value,
	       struct err *e)
{
	if (spec->env.n >= ENV_MAX)
		return err_msg(e, EINVAL, "more than %d environment variables", ENV_MAX);
	if (name_len + 1 + strlen(value) > ENV_STRING_MAX)
		return err_msg(e, EINVAL, "'%.*s' has a value of more than 128 KiB",
			       (int)(name_len > 200 ? 200 : name_len), name);
	strvec_addf(&spec->env, "%.*s=%s", (int)name_len, name, value);
	return spec->env.failed ? err_oom(e) : 0;
}

int spec_value_env(struct vm_spec *spec, const char *value, struct err *e)
{
	size_t len = strcspn(value, "=");
	const char *callers;

	if (len == 0)
		return spec_value_bad(value,
				      "has no name; give NAME=VALUE, or NAME to pass on the "
				      "caller's",
				      e);
	if (value[len] == '=')
		return add(spec, value, len, value + len + 1, e);
	callers = getenv(value);
	return callers ? add(spec, value, len, callers, e) : 0;
}

/* @line: without its newline. */
static int add_line(struct vm_spec *spec, const char *line, struct err *e)
{
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	/* Usually a slip: "export A=b", or a value on its own. */
	if (strcspn(line, " \t") < strcspn(line, "="))
		return spec_value_bad(line, "has a blank in its name; give NAME=VALUE or NAME", e);
	return spec_value_env(spec, line, e);
}

int spec_value_env_file(struct vm_spec *spec, const char *path, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	char *rest, *line;
	size_t len;
	int r, number = 0;

	r = fs_read_host(path, ENV_FILE_MAX, &data, &len);
	if (r == -EFBIG)
		return err_msg(e, EFBIG, "'%s' is larger than 1 MiB", path);
	if (r < 0)
		return err_errno(e, -r, "cannot read '%s'", path);
	if (strlen(data) != len)
		return err_msg(e, EINVAL, "'%s' is no text file: it holds a NUL byte", path);
	rest = data;
	while ((line = strsep(&rest, "\n"))) {
		number++;
		r = add_line(spec, line, e);
		if (r < 0)
			return err_prefix(e, "'%s', line %d", path, number);
	}
	return 0;
}
