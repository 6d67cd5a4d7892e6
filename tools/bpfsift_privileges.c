/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/bpfsift_confine.h"
#include "tools/bpfsift_say.h"

enum { MAX_GROUPS = 256 };

/* Who to become. */
static struct {
	bool is_wanted;
	uid_t uid;
	gid_t gid;
	gid_t groups[MAX_GROUPS];
	int n_groups;
} user;

static bool are_dropped;
static struct bpfsift_confinement confinement = { .why_not = "--no-sandbox" };

static const struct passwd *
find(const struct bpfsift_options *options)
{
	const struct passwd *found;

	if (options->user != NULL)
		return getpwnam(options->user);
	found = getpwnam(BPFSIFT_USER);
	return found != NULL ? found : getpwnam("nobody");
}

int
bpfsift_privileges_find_user(const struct bpfsift_options *options, struct ebpf_err *err)
{
	const struct passwd *found;

	if (getuid() != 0 && geteuid() != 0)
		return 0;
	found = find(options);
	if (found == NULL)
		return refuse(err, -ENOENT, "Couldn't find user '%s'",
			      options->user != NULL ? options->user : "nobody");
	if (found->pw_uid == 0)
		return 0;
	user.uid = found->pw_uid;
	user.gid = found->pw_gid;
	user.n_groups = MAX_GROUPS;
	if (getgrouplist(found->pw_name, found->pw_gid, user.groups, &user.n_groups) < 0)
		user.n_groups = MAX_GROUPS; /* of more than that, the first */
	user.is_wanted = true;
	return 0;
}

int
bpfsift_privileges_become_user(void)
{
	if (!user.is_wanted || getuid() == user.uid)
		return 0;
	if (setgroups((size_t)user.n_groups, user.groups) < 0 || setgid(user.gid) < 0 ||
	    setuid(user.uid) < 0)
		return -errno;
	/* There must be no way back. */
	return setuid(0) == 0 ? -EPERM : 0;
}

int
bpfsift_privileges_give(int fd)
{
	return user.is_wanted && fchown(fd, user.uid, user.gid) < 0 ? -errno : 0;
}

int
bpfsift_privileges_drop(const struct bpfsift_options *options, bool may_make_code,
			struct ebpf_err *err)
{
	int rc;

	if ((rc = bpfsift_privileges_become_user()) < 0)
		return refuse(err, rc, "Couldn't change to user %ld: %s", (long)user.uid,
			      strerror(-rc));
	are_dropped = true;
	if (options->no_sandbox)
		return 0;
	/* Of local time's rules there is a file. */
	tzset();
	return bpfsift_confine(may_make_code, &confinement, err);
}

bool
bpfsift_privileges_are_dropped(void)
{
	return are_dropped;
}

void
bpfsift_privileges_print(FILE *to)
{
	fprintf(to, "  confined by       %s", bpfsift_confinement_name(&confinement));
	if (confinement.why_not != NULL)
		fprintf(to, " (%s)", confinement.why_not);
	fputc('\n', to);
}
