/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/root.h"

#include <stdio.h>
#include <unistd.h>

#include "runner/host/subid.h"
#include "runner/spec/spec_value.h"

int root_idmap_parse(void *field, const char *value, struct err *e)
{
	struct root_idmap *idmap = field;

	return spec_idmap_parse(value, &idmap->kind, &idmap->map, e);
}

/* The caller's ids and ranges; the ranges are kept in @subuids and @subgids. */
static int load_input(const struct root_idmap *idmap, const struct base_owners *owners,
		      struct subids *subuids, struct subids *subgids, struct idmap_input *ret,
		      struct err *e)
{
	*ret = (struct idmap_input){
		.kind = idmap->kind,
		.explicit_map = &idmap->map,
		.uid = geteuid(),
		.gid = getegid(),
		.subuids = subuids,
		.subgids = subgids,
		.owners = owners,
	};
	return subid_load(ret->uid, subuids, subgids, e);
}

int root_open(const char *path, const struct root_idmap *idmap, struct root *ret, struct err *e)
{
	struct subids subuids, subgids;
	struct idmap_input in;
	int r = base_dir_open(path, &ret->dir, e);

	if (r == 0)
		r = base_dir_check_whole(ret->dir.fd, path, e);
	if (r == 0)
		r = load_input(idmap, &ret->dir.owners, &subuids, &subgids, &in, e);
	return r == 0 ? idmap_choose(&in, &ret->idmap, e) : r;
}

void root_close(struct root *root)
{
	base_dir_close(&root->dir);
}

int root_idmap_for_new(const struct root_idmap *idmap, struct idmap_choice *ret, struct err *e)
{
	struct subids subuids, subgids;
	/* Nobody owns it yet. */
	const struct base_owners owners = { .n = 0 };
	struct idmap_input in;
	bool none;
	int r = load_input(idmap, &owners, &subuids, &subgids, &in, e);

	if (r < 0)
		return r;
	none = in.uid != 0 && (!subuids.n || !subgids.n);
	if (in.kind == IDMAP_AUTO)
		in.kind = none ? IDMAP_SINGLE : IDMAP_SUBID;
	r = idmap_choose(&in, ret, e);
	if (r == 0 && none && idmap->kind == IDMAP_AUTO)
		snprintf(ret->warning, sizeof(ret->warning),
			 "no subordinate ids, so every owner becomes your own; sudo usermod "
			 "--add-subuids 100000-165535 --add-subgids 100000-165535 USER gives you "
			 "some");
	return r;
}
