/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/tool_run.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define WORDS_MAX ((uint64_t)64 << 20) /* bytes of standard error */

/* Such programs do not say of which file, but once for each. */
static bool is_known(const struct losses *losses, const char *text)
{
	for (uint64_t i = 0; i < losses->n && i < LOSSES_TEXT_MAX; i++)
		if (!strcmp(losses->text[i], text))
			return true;
	return false;
}

static void add_lines(const char *name, char *words, struct losses *losses)
{
	for (char *line = strtok(words, "\n"); line; line = strtok(NULL, "\n")) {
		struct err text;

		err_msg(&text, 0, "%s: %.500s", name, line);
		if (!is_known(losses, text.text))
			losses_add(losses, 0, "%s", text.text);
	}
}

/* The last line that says something. */
static const char *last_line(char *words)
{
	char *end = words + strlen(words);

	while (end > words && (end[-1] == '\n' || end[-1] == ' '))
		*--end = '\0';
	end = strrchr(words, '\n');
	return end ? end + 1 : words;
}

static int read_words(int fd, char **ret)
{
	size_t len;

	return lseek(fd, 0, SEEK_SET) < 0 ? -EIO : fs_read_fd(fd, WORDS_MAX, ret, &len);
}

int tool_run(struct tool_run *run, int signal_fd, int *ret_signal, struct err *e)
{
	_cleanup_close_ int said = memfd_create("words", MFD_CLOEXEC), pidfd = -1;
	_cleanup_free_ char *words = NULL;
	int r;

	if (!tool_exists(run->name))
		return err_msg(e, ENOENT, "%s is not installed here; install %s", run->name,
			       run->package);
	if (said < 0)
		return err_errno(e, errno, "cannot make a file in memory");
	run->tool.fds[2] = said;
	r = tool_start(&run->tool, &pidfd, e);
	if (r == 0)
		r = tool_wait(pidfd, signal_fd, &run->status, ret_signal, e);
	if (r < 0)
		return r;
	r = read_words(said, &words);
	if (r < 0)
		return err_errno(e, -r, "cannot read what %s said", run->name);
	if (run->status)
		return err_msg(e, EIO, "%s failed with status %d: %.400s", run->name, run->status,
			       *words ? last_line(words) : "it said nothing");
	if (run->losses)
		add_lines(run->name, words, run->losses);
	return 0;
}
