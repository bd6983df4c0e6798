/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The same guest ids by another id map: every file gets the host ids that the new map has
 * for the guest ids that its host ids are by the old one. That is the owner and the group,
 * the users and groups in ACLs, and the root id of file capabilities; a change of owner
 * clears setuid and setgid bits and capabilities, so those are set once more.
 *
 * The two usual layouts have the same host ids, each one further on for the next guest id.
 * So an owner does not tell whether a file was done, no range is free to go through, and
 * doing a file twice spoils it. What is to become of each inode is therefore written down
 * first, in a plan (plan.h): not the change, but what it will be. Applying it is
 * assigning: done twice, or begun anywhere, the result is the same.
 *
 *	1  lock the tree as a guest that writes does; nobody else changes it
 *	2  note all that is there, write the plan beside DIR as .NAME.vmrun-idshift, fsync
 *	3  put a marker into the tree, BASE_DIR_HALF_WAY, that names the plan; fsync
 *	4  apply the plan
 *	5  sync the file system, then remove the marker; fsync
 *	6  remove the plan
 *
 * Before 3 nothing was changed, after 5 all was. In between the marker is there, at which
 * every guest and every tool refuses the tree, and the plan is whole: doing 4 to 6 ends it,
 * whatever ended the first run, and on disk too, for each step waits for the one before.
 * A plan without a marker is of no use any more and is made anew, unless it is for another
 * tree: that one may have been renamed half way, and is lost without it.
 *
 * The marker lies in the tree, and so a guest may have made it: that keeps nobody out but
 * its own guests. The plan lies where no guest writes. The two name each other by a random
 * number.
 *
 * It all happens in one operation (enter.h), in a namespace that has both maps' host ids
 * (ids.h). The plan has that namespace's map, so that whoever resumes gets the same.
 *
 * What has no place in the new map (every id but 0, in "single") becomes guest root's,
 * without setuid or setgid bits for what was somebody else's; ACL entries and capabilities
 * of such ids go. What is outside the old map stays as it is. All of it is reported.
 */
#ifndef VMRUN_ROOTFS_SHIFT_IDSHIFT_H
#define VMRUN_ROOTFS_SHIFT_IDSHIFT_H

#include <stdbool.h>

#include "rootfs-tools/core/root.h"
#include "rootfs-tools/shift/plan.h"

struct idshift_options {
	struct root_idmap from; /* auto: as the owners tell */
	struct root_idmap to;	/* not auto */
};

/* Zeroed, of enter_share(). */
struct idshift_report {
	bool same;    /* it has that map already; nothing was done */
	bool resumed; /* and not begun */
	bool begun;   /* half way: only a second run makes it a root directory again */
	struct plan_counts counts;
	struct losses losses; /* more of them, that were seen when the plan was applied */
	char warning[256];    /* "" or one line for the user */
};

/**
 * idshift_run() - change @path's owners to another map's, or end what was begun.
 * @ret_signal: what ended it where -EINTR is returned.
 */
int idshift_run(const char *path, const struct idshift_options *options, int signal_fd,
		struct idshift_report *ret, int *ret_signal, struct err *e);

#endif
