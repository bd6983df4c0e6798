/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/inspect/info.h"
#include "rootfs-tools/core/size_text.h"
#include "runner/base/cleanup.h"
#include "runner/host/image_config.h"

static const char *layout_name(enum idmap_kind kind)
{
	switch (kind) {
	case IDMAP_CALLER:
		return "caller";
	case IDMAP_SUBID:
		return "subid";
	case IDMAP_SINGLE:
		return "single";
	case IDMAP_EXPLICIT:
		return "explicit";
	case IDMAP_AUTO:
		break;
	}
	return "unknown";
}

static void line(struct strbuf *out, const char *what)
{
	strbuf_printf(out, "%-13s ", what);
}

static void print_layout(const struct root *root, const struct info *info, struct strbuf *out)
{
	char map[512];

	line(out, "layout");
	if (info->looked_inside) {
		idmap_format(&root->idmap.uids, map, sizeof(map));
		strbuf_printf(out, "%s (uids %s)\n", layout_name(root->idmap.kind), map);
	} else {
		strbuf_puts(out, "refused\n");
	}
	for (unsigned int i = 0; i < root->dir.owners.n; i++) {
		const struct base_owner *o = &root->dir.owners.o[i];

		line(out, i ? "" : "owners");
		strbuf_printf(out, "%" PRIu32 ":%" PRIu32 " %s\n", o->uid, o->gid, o->path);
	}
}

static void print_kernels(const struct info *info, struct strbuf *out)
{
	for (unsigned int i = 0; i < info->n_kernels; i++) {
		const struct kernel_entry *k = &info->kernels[i];

		line(out, i ? "" : "kernels");
		strbuf_printf(out, "%s, %s (/%s)\n", k->choice.version,
			      k->has_9p  ? "with 9p" :
			      k->modules ? "without 9p" :
					   "without modules",
			      k->choice.path);
	}
	if (!info->n_kernels) {
		line(out, "kernels");
		strbuf_puts(out, "none\n");
	}
}

static void print_inside(const struct info *info, struct strbuf *out)
{
	const struct os_release *os = &info->os;

	line(out, "distribution");
	strbuf_printf(out, "%s", !info->has_os_release ? "unknown: it has no os-release" :
				 *os->pretty_name      ? os->pretty_name :
							 "unnamed");
	if (*os->id)
		strbuf_printf(out, " (%s%s%s)", os->id, *os->version_id ? " " : "", os->version_id);
	strbuf_putc(out, '\n');
	line(out, "programs");
	if (info->has_shell)
		strbuf_printf(out, "%s, %s\n", info->shell.arch, info->shell.libc);
	else
		strbuf_puts(out, "unknown: /bin/sh is no ELF program\n");
	line(out, "init");
	strbuf_printf(out, "%s\n", info_init_name(info->init));
	print_kernels(info, out);
	if (info->has_image_config) {
		line(out, "defaults");
		strbuf_puts(out, "of the image that it was made of: /" IMAGE_CONFIG_PATH "\n");
	}
	line(out, "size");
	size_text(out, info->disk);
	strbuf_puts(out, " on disk, ");
	size_text(out, info->apparent);
	strbuf_printf(out, " in %" PRIu64 " files, %" PRIu64 " directories\n", info->files,
		      info->directories);
}

/* What the distribution wrote may be UTF-8 or not, and so may the user's path. */
static json_t *text_json(const char *text)
{
	json_t *ret = *text ? json_string(text) : json_null();
	char *copy;

	if (ret)
		return ret;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	ret = json_string(copy);
	free(copy);
	return ret;
}

void info_print_text(const struct root *root, const struct info *info, struct strbuf *out)
{
	_cleanup_free_ char *path = strdup(root->dir.path);

	if (!path) {
		out->failed = true;
		return;
	}
	text_sanitize(path);
	line(out, "root");
	strbuf_printf(out, "%s\n", path);
	if (info->looked_inside)
		print_inside(info, out);
	print_layout(root, info, out);
	line(out, "boots");
	strbuf_printf(out, *info->why_not ? "no: %s\n" : "yes%s\n", info->why_not);
}

static json_t *map_json(const struct id_map *map)
{
	json_t *ret = json_array();

	for (unsigned int i = 0; i < map->n; i++)
		json_array_append_new(ret, json_pack("{s:I, s:I, s:I}", "guest",
						     (json_int_t)map->e[i].inside, "host",
						     (json_int_t)map->e[i].outside, "count",
						     (json_int_t)map->e[i].count));
	return ret;
}

static json_t *owners_json(const struct base_owners *owners)
{
	json_t *ret = json_array();

	for (unsigned int i = 0; i < owners->n; i++)
		json_array_append_new(ret, json_pack("{s:s, s:I, s:I}", "path", owners->o[i].path,
						     "uid", (json_int_t)owners->o[i].uid, "gid",
						     (json_int_t)owners->o[i].gid));
	return ret;
}

static json_t *kernels_json(const struct info *info)
{
	json_t *ret = json_array();

	for (unsigned int i = 0; i < info->n_kernels; i++) {
		const struct kernel_entry *k = &info->kernels[i];

		json_array_append_new(ret, json_pack("{s:s, s:s+, s:b, s:b}", "version",
						     k->choice.version, "path", "/", k->choice.path,
						     "modules", k->modules, "9p", k->has_9p));
	}
	return ret;
}

static json_t *inside_json(const struct root *root, const struct info *info)
{
	const struct os_release *os = &info->os;
	json_t *distribution = !info->has_os_release ?
				       json_null() :
				       json_pack("{s:o, s:o, s:o, s:o, s:o}", "id",
						 text_json(os->id), "id_like",
						 text_json(os->id_like), "version_id",
						 text_json(os->version_id), "codename",
						 text_json(os->codename), "pretty_name",
						 text_json(os->pretty_name));
	json_t *programs = !info->has_shell ? json_null() :
					      json_pack("{s:s, s:s}", "arch", info->shell.arch,
							"libc", info->shell.libc);

	return json_pack("{s:o, s:o, s:s, s:b, s:o, s:s, s:o, s:o, s:{s:I, s:I, s:I, s:I}}",
			 "distribution", distribution, "programs", programs, "init",
			 info_init_name(info->init), "image_config", info->has_image_config, "kernels", kernels_json(info), "layout",
			 layout_name(root->idmap.kind), "uid_map", map_json(&root->idmap.uids),
			 "gid_map", map_json(&root->idmap.gids), "size", "disk_bytes",
			 (json_int_t)info->disk, "content_bytes", (json_int_t)info->apparent,
			 "files", (json_int_t)info->files, "directories",
			 (json_int_t)info->directories);
}

void info_print_json(const struct root *root, const struct info *info, struct strbuf *out)
{
	_cleanup_free_ char *text = NULL;
	json_t *all = json_pack("{s:o, s:b, s:o, s:o}", "path", text_json(root->dir.path), "boots",
				!*info->why_not, "why_not",
				text_json(info->why_not), "owners",
				owners_json(&root->dir.owners));
	json_t *inside = info->looked_inside ? inside_json(root, info) : json_object();

	/* Without memory either is NULL, which these report. */
	if (json_object_update(all, inside) == 0)
		text = json_dumps(all, JSON_INDENT(2));
	json_decref(inside);
	json_decref(all);
	if (text)
		strbuf_printf(out, "%s\n", text);
	else
		out->failed = true;
}
