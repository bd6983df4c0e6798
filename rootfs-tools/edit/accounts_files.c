/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/accounts_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/core/change.h"
#include "runner/base/fs.h"

static int read_one(int root, enum accounts_file file, struct accounts_files *files, struct err *e)
{
	const char *name = accounts_file_name(file);
	_cleanup_close_ int fd = -1;
	char path[32], *text = NULL;
	size_t len = 0;
	int r;

	snprintf(path, sizeof(path), "/etc/%s", name);
	r = fs_open_regular(root, path, ACCOUNTS_FILE_MAX, &fd, &files->st[file]);
	if (r == -ENOENT && file != ACCOUNTS_PASSWD)
		return 0;
	if (r == 0)
		r = fs_read_fd(fd, ACCOUNTS_FILE_MAX, &text, &len);
	if (r < 0)
		return err_errno(e, -r, "cannot read %s of the root directory", path);
	files->texts.file[file].text = text;
	files->texts.file[file].len = len;
	return 0;
}

int accounts_read(int root, struct accounts_files *ret, struct err *e)
{
	struct accounts_files files = { 0 };
	int r = 0;

	for (unsigned int file = 0; r == 0 && file < ACCOUNTS_FILES; file++)
		r = read_one(root, file, &files, e);
	if (r == 0)
		*ret = files;
	else
		accounts_files_free(&files);
	return r;
}

void accounts_files_free(struct accounts_files *files)
{
	for (unsigned int file = 0; file < ACCOUNTS_FILES; file++) {
		char *text = (char *)files->texts.file[file].text;

		/* Hashes of passwords. */
		if (text)
			explicit_bzero(text, files->texts.file[file].len);
		free(text);
	}
	*files = (struct accounts_files){ 0 };
}

int accounts_write(int root, const struct accounts_files *was,
		   const struct accounts_changed *changed, struct err *e)
{
	static const enum accounts_file order[ACCOUNTS_FILES] = {
		ACCOUNTS_SHADOW, ACCOUNTS_GSHADOW, ACCOUNTS_GROUP,
		ACCOUNTS_PASSWD, ACCOUNTS_SUBUID,  ACCOUNTS_SUBGID
	};
	_cleanup_close_ int etc = change_open_dir(root, "/etc");
	int r = 0;

	if (etc < 0)
		return err_errno(e, ENOENT, "cannot open /etc of the root directory");
	for (unsigned int i = 0; r == 0 && i < ARRAY_SIZE(order); i++) {
		enum accounts_file file = order[i];
		const struct strbuf *now = &changed->file[file];
		const char *text = was->texts.file[file].text;
		bool secret = file == ACCOUNTS_SHADOW || file == ACCOUNTS_GSHADOW;
		struct change_attrs attrs = { .mode = secret ? 0600 : 0644 };

		if (!now->data || (text && now->len == was->texts.file[file].len &&
				   !memcmp(now->data, text, now->len)))
			continue;
		if (text)
			attrs = (struct change_attrs){ was->st[file].st_mode & 0777,
						       was->st[file].st_uid, was->st[file].st_gid };
		r = change_replace(etc, "/etc", accounts_file_name(file), &attrs, now->data,
				   now->len, e);
	}
	return r;
}
