/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_abbreviation.h"

#include <stdlib.h>
#include <string.h>

/* Of tcpdump 4.99. */
static const char *const names[] = {
	"absolute-tcp-sequence-numbers",
	"buffer-size",
	"count",
	"direction",
	"dont-verify-checksums",
	"help",
	"immediate-mode",
	"interface",
	"linktype",
	"list-data-link-types",
	"list-interfaces",
	"list-time-stamp-types",
	"micro",
	"monitor-mode",
	"nano",
	"no-optimize",
	"no-promiscuous-mode",
	"number",
	"packet-buffered",
	"print",
	"relinquish-privileges",
	"snapshot-length",
	"time-stamp-precision",
	"time-stamp-type",
	"version",
};

/* The one name that begins so; NULL: none, or several. */
static const char *
name_of(const char *text, size_t len)
{
	const char *found = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(names[i], text, len) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = names[i];
	}
	return found;
}

/* getopt_long() passes over what is no option, unless the environment says otherwise. */
static char **
next_option(int argc, char **argv, int next)
{
	bool is_first_only = getenv("POSIXLY_CORRECT") != NULL;

	for (int i = next; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0')
			return &argv[i];
		if (is_first_only)
			break;
	}
	return NULL;
}

bool
bpfsift_abbreviation_is_theirs(int argc, char **argv, int next)
{
	char **option = next_option(argc, argv, next);
	const char *text, *name;
	size_t len;

	if (option == NULL || strncmp(*option, "--", 2) != 0 || (*option)[2] == '\0')
		return false;
	text = *option + 2;
	len = strcspn(text, "=");
	name = name_of(text, len);
	return name != NULL && strlen(name) != len;
}

void
bpfsift_abbreviation_theirs(const struct option *all, struct option *theirs)
{
	for (; all->name != NULL; all++) {
		const char *name = name_of(all->name, strlen(all->name));

		if (name != NULL && strcmp(name, all->name) == 0)
			*theirs++ = *all;
	}
	*theirs = *all;
}
