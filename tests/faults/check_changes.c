/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that change while bpfsift reads them, before each of its reads in turn: cut, what
 * was written are the first packets, and the message names the file; grown, those that
 * were there come first; replaced, the old file is read to its end.  And a clock that
 * is set while files are rotated by it: each packet is in one of them.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/faults/tool.h"
#include "tests/support/suite.h"

enum { COPIES = 12, MAPPED_COPIES = 30, HEAD = 24 };

/* A reader for each kind of file.  They change the file themselves, which confined they cannot. */
static const struct {
	const char *file, *args, *piece;
} readers[] = {
	{ "small.pcap", "--no-sandbox -r in -w out", "FAULTS_SHORT=9000" },
	{ "small.pcap", "--no-sandbox -r in -w out --reader=libpcap", "FAULTS_SHORT=9000" },
	{ "small.pcap", "--no-sandbox -r in -w out --salvage", "FAULTS_SHORT=9000" },
	{ "small.pcap", "--no-sandbox --merge -r in -r %d/ipv4.pcap -w out", "FAULTS_SHORT=9000" },
	{ "small.pcap", "--no-sandbox -r in -r %d/ipv4.pcap -w out", "FAULTS_SHORT=9000" },
	{ "large.pcap", "--no-sandbox -r in -w out --threads=3", "FAULTS_SHORT=200000" },
	{ "mapped.pcap", "--no-sandbox -r in -w out --threads=1", "FAULTS_SHORT=9000" },
	{ "small.pcapng", "--no-sandbox -r in -w out", "FAULTS_SHORT=9000" },
	{ "small.pcapng", "--no-sandbox -r in -w out --format=pcapng", "FAULTS_SHORT=9000" },
	{ "small.gz", "--no-sandbox -r in -w out", "FAULTS_SHORT=5000" },
};
static const char *const changes[] = { "cut", "grown", "replaced" };
enum { N_CHANGES = 3, N_READS = 16 };

static void
copy(const char *from, const char *to)
{
	struct tool_bytes b = tool_read_file(from);

	tool_write_file(to, b.p, b.n);
	free(b.p);
}

static bool
is_pcap(const char *args)
{
	return strstr(args, "pcapng") == NULL;
}

/* Whether the output has packets of another file, too. */
static bool
has_another(size_t reader)
{
	return strstr(readers[reader].args, "ipv4") != NULL;
}

/* Before the n-th read.  An error is the reader's right; anything else has to be good. */
static void
change_before(size_t reader, int change, int n, const struct tool_outcome *whole)
{
	const struct tool_run run = { "bpfsift", readers[reader].args, NULL };
	char how[64];
	const char *environment[] = { readers[reader].piece, how, NULL };
	struct tool_outcome o;
	bool is_good;

	copy(readers[reader].file, "in");
	copy(readers[reader].file, "in.more");
	copy("other", "in.other");
	snprintf(how, sizeof(how), "FAULTS_CHANGE=%d:%s:in", n, changes[change]);
	o = tool_run(&run, environment);
	is_good = tool_says_why(&run, &o, tool_n_lines(&whole->err) + 2) &&
		  memmem(o.err.p, o.err.n, "bpfsift: in", 11) != NULL;
	is_good = tool_ended_with(&o, 0) || (tool_ended_with(&o, 1) && is_good);
	if (is_pcap(readers[reader].args))
		is_good = is_good && tool_holds_whole_packets(&o.file);
	if (strcmp(changes[change], "cut") == 0 && !has_another(reader))
		is_good = is_good && tool_begins(&o.file, &whole->file);
	if (strcmp(changes[change], "replaced") == 0)
		is_good = is_good && tool_ended_with(&o, 0) && tool_is_same(&o.file, &whole->file);
	if (strcmp(changes[change], "grown") == 0 && !has_another(reader))
		is_good = is_good && tool_begins(&whole->file, &o.file);
	ck_assert_msg(is_good, "%s of %s, %s before read %d: status 0x%x, %zu of %zu bytes, it said: %.*s",
		      readers[reader].args, readers[reader].file, changes[change], n,
		      (unsigned)o.status, o.file.n, whole->file.n, (int)o.err.n, (char *)o.err.p);
	tool_outcome_free(&o);
}

START_TEST(a_file_changes_while_it_is_read)
{
	const struct tool_run run = { "bpfsift", readers[_i].args, NULL };
	struct tool_outcome whole;

	if (access(readers[_i].file, R_OK) < 0) {
		suite_skip("%s could not be made", readers[_i].file);
		return;
	}
	copy(readers[_i].file, "in");
	whole = tool_run(&run, NULL);
	ck_assert_msg(whole.status == 0, "%.*s", (int)whole.err.n, (char *)whole.err.p);
	for (int change = 0; change < N_CHANGES; change++)
		for (int n = 0; n < N_READS; n++)
			change_before((size_t)_i, change, n, &whole);
	tool_outcome_free(&whole);
}
END_TEST

/* ---- clocks ---- */

/* Seconds, as time() gives them one after the other: set back, far ahead, standing. */
static const char *const clocks[] = {
	"FAULTS_CLOCK=1000000000,999999000,1000000005,999990000,1000000500",
	"FAULTS_CLOCK=1000000000,2000000000,1000000000,2000000001,3000000000",
	"FAULTS_CLOCK=1000000000",
	"FAULTS_CLOCK=5,4,3,2,1",
};

/* Bytes of packets in all files of the directory whose name begins so, which this removes. */
static size_t
collect(const char *prefix)
{
	DIR *dir = opendir(".");
	const struct dirent *entry;
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct tool_bytes b;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		b = tool_read_file(entry->d_name);
		ck_assert(tool_holds_whole_packets(&b));
		ck_assert_uint_ge(b.n, HEAD);
		n += b.n - HEAD;
		free(b.p);
		unlink(entry->d_name);
	}
	closedir(dir);
	return n;
}

START_TEST(no_packet_is_lost_when_the_clock_is_set)
{
	static const struct tool_run run = {
		"bpfsift", "-r large.pcap -w rotated-%s -G 10 --rotate-clock=wall --threads=1", NULL
	};
	const char *environment[] = { clocks[_i], NULL };
	struct tool_bytes in = tool_read_file("large.pcap");
	struct tool_outcome o = tool_run(&run, environment);

	ck_assert_msg(o.status == 0, "%.*s", (int)o.err.n, (char *)o.err.p);
	ck_assert_uint_eq(collect("rotated-"), in.n - HEAD);
	free(in.p);
	tool_outcome_free(&o);
}
END_TEST

/* ---- files to change ---- */

static void
make(const char *args, const char *name)
{
	const struct tool_run run = { "bpfsift", args, NULL };
	struct tool_outcome o = tool_run(&run, NULL);

	if (o.status == 0)
		tool_write_file(name, o.file.p, o.file.n);
	tool_outcome_free(&o);
}

/* Packets of a capture that many times. */
static void
make_large(const struct tool_bytes *from, size_t n_copies, const char *name)
{
	struct tool_bytes large = { malloc(n_copies * from->n), HEAD, true };

	ck_assert_ptr_nonnull(large.p);
	memcpy(large.p, from->p, HEAD);
	for (size_t i = 0; i < n_copies; i++) {
		memcpy(large.p + large.n, from->p + HEAD, from->n - HEAD);
		large.n += from->n - HEAD;
	}
	tool_write_file(name, large.p, large.n);
	free(large.p);
}

static void
prepare(void)
{
	struct tool_bytes demo;
	char path[9000];

	tool_prepare();
	snprintf(path, sizeof(path), "%s/demo.pcap", tool_data());
	demo = tool_read_file(path);
	ck_assert(demo.n > HEAD);
	tool_write_file("small.pcap", demo.p, demo.n);
	make_large(&demo, COPIES, "large.pcap");
	make_large(&demo, MAPPED_COPIES, "mapped.pcap");
	tool_write_file("other", "something else", 14);
	make("-r small.pcap -w out --format=pcapng", "small.pcapng");
	make("-r small.pcap -w out --compress=gzip", "small.gz");
	free(demo.p);
}

static void
clean_up(void)
{
	static const char *const files[] = { "small.pcap",  "small.pcapng", "small.gz",
					     "large.pcap",  "mapped.pcap",  "other",
					     "in",          "in.more",      "in.other" };

	tool_clean_up(files, N_ELEMS(files));
}

Suite *
suite(void)
{
	Suite *s = suite_create("faults/changes");
	TCase *tc = tcase_create("files and clocks");

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, prepare, clean_up);
	tcase_add_loop_test(tc, a_file_changes_while_it_is_read, 0, (int)N_ELEMS(readers));
	tcase_add_loop_test(tc, no_packet_is_lost_when_the_clock_is_set, 0, (int)N_ELEMS(clocks));
	suite_add_tcase(s, tc);
	return s;
}
