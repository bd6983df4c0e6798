/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

static int start(int dir, enum identity_key key, const char *hostname, pid_t *ret_pid)
{
	char file[64], comment[HOST_NAME_MAX + 8];
	const char *const argv[] = { "ssh-keygen", "-q", "-t", identity_key_name(key), "-N", "",
				     "-C", comment, "-f", file, NULL };
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	snprintf(file, sizeof(file), "ssh_host_%s_key", identity_key_name(key));
	snprintf(comment, sizeof(comment), "root@%s", hostname);
	r = posix_spawn_file_actions_addfchdir_np(&actions, dir);
	for (int fd = STDIN_FILENO; r == 0 && fd <= STDERR_FILENO; fd++)
		r = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int finish(pid_t pid, enum identity_key key, struct err *e)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "cannot wait for ssh-keygen");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_msg(e, EIO,
		       "ssh-keygen -t %s failed (status %d); use --keep-identity and make host keys "
		       "yourself",
		       identity_key_name(key), status);
}

/* Real root's files are of ids that no map has. */
static int give_away(int dir, enum identity_key key, const struct idmap_choice *idmap,
		     struct err *e)
{
	uint32_t uid = 0, gid = 0;
	char name[64];

	if (geteuid() != 0)
		return 0;
	idmap_outside(&idmap->uids, 0, &uid);
	idmap_outside(&idmap->gids, 0, &gid);
	for (int public = 0; public < 2; public++) {
		snprintf(name, sizeof(name), "ssh_host_%s_key%s", identity_key_name(key),
			 public ? ".pub" : "");
		if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno(e, errno, "cannot give an owner to a host key");
	}
	return 0;
}

int keygen_run(int dir, unsigned int keys, const char *hostname, const struct idmap_choice *idmap,
	       struct err *e)
{
	pid_t pids[KEY_END] = { 0 };
	int r = 0;

	for (unsigned int key = 0; r == 0 && key < KEY_END; key++)
		if (keys & 1u << key)
			r = start(dir, key, hostname, &pids[key]);
	if (r < 0)
		err_errno(e, -r, "cannot run ssh-keygen");
	for (unsigned int key = 0; key < KEY_END; key++) {
		struct err later;
		int failed = pids[key] ? finish(pids[key], key, &later) : 0;

		if (failed == 0 && pids[key])
			failed = give_away(dir, key, idmap, &later);
		if (r == 0 && failed < 0) {
			*e = later;
			r = failed;
		}
	}
	return r;
}
