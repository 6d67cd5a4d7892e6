/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tools without memory, as check_alloc.c has it for the library: each request of each
 * command line fails in turn, alone and with all that follow.  Each time the tool does
 * what it does otherwise; or it ends with status 1 and says why in one line, and what it
 * has written are the first whole packets of what it would have, or nothing.  Reads and
 * writes that move a few bytes, or are interrupted again and again, change nothing.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/faults/tool.h"
#include "tests/support/compress.h"
#include "tests/support/suite.h"

/* What becomes of the file "out" when the tool fails. */
enum output {
	NO_FILE,
	WHOLE_PACKETS, /* of pcap, from the first on */
	SOME_PACKETS,  /* likewise, but an input may be passed over */
	ANY_BEGINNING, /* of blocks */
	COMPRESSED,    /* which ends otherwise when it ends early: see disk.sh */
	ALL_OR_NOTHING,
};

struct scenario {
	struct tool_run run;
	enum output output;
	bool has_child; /* which may have a line to say too; and be done without, with a warning */
};

#define TEXT "	ldh [12]\n	jne #0x800, drop\n	ret #96\n	drop: ret #0\n"
#define HEX "b700000002000000 9500000000000000"
#define DEMO "-r %d/demo.pcap "

static const struct scenario scenarios[] = {
#ifdef HAVE_PCAP
	{ { "bpfsift", DEMO "-w out tcp port 80", NULL }, WHOLE_PACKETS, false },
	{ { "bpfsift", DEMO "-w out --threads=2", NULL }, WHOLE_PACKETS, false },
	{ { "bpfsift", DEMO "-w out --reader=libpcap", NULL }, WHOLE_PACKETS, false },
	{ { "bpfsift", DEMO "-w out --compress=gzip", NULL }, COMPRESSED, false },
	{ { "bpfsift", "-r in.gz -w out", NULL }, WHOLE_PACKETS, false },
	{ { "bpfsift", DEMO "--count", NULL }, NO_FILE, false },
	{ { "bpfsift", DEMO "--printer=none ip", NULL }, NO_FILE, false },
	{ { "bpfsift", DEMO "-n -c 5", NULL }, NO_FILE, true },
	{ { "bpfsift", "--merge " DEMO "-r %d/ipv4.pcap -w out", NULL }, WHOLE_PACKETS, false },
	{ { "bpfsift", "-V list -w out", NULL }, SOME_PACKETS, false },
	{ { "bpfsift", DEMO "-F filter -d", NULL }, NO_FILE, false },
	{ { "bpfsift", "-r %d/ng-blocks.pcapng -w out --format=pcapng", NULL }, ANY_BEGINNING,
	  false },
	{ { "bpfsift", DEMO "-w out -C 1 -z true", NULL }, WHOLE_PACKETS, true },
	{ { "bpfsift", "-D", NULL }, NO_FILE, false },
	{ { "cbpf2ebpf", "-o out tcp port 80", NULL }, ALL_OR_NOTHING, false },
#endif
	{ { "cbpf2ebpf", "--to=c --function=f --target=buffer", TEXT }, NO_FILE, false },
	{ { "cbpf2ebpf", "--to=dot --trace-passes", TEXT }, NO_FILE, false },
	{ { "cbpf2ebpf", "--to=json --target=socket", TEXT }, NO_FILE, false },
	{ { "cbpf2ebpf", "--to=elf --target=xdp --counter -o out", TEXT }, ALL_OR_NOTHING, false },
	{ { "cbpf2ebpf", "--to=dd", TEXT }, NO_FILE, false },
	{ { "ebpfrun", "--mem 01020304", HEX }, NO_FILE, false },
	{ { "ebpfrun", "--no-verify --trace", HEX }, NO_FILE, false },
	{ { "ebpfrun", "--dump --blind", HEX }, NO_FILE, false },
	{ { "ebpfrun", "--cbpf --packet 00112233 --meta mark=7,queue=2", "0600000060000000" },
	  NO_FILE, false },
};

/* A section and an interface of bpfsift's own: what it writes where none of the input's came. */
static bool
is_empty_pcapng(const struct tool_bytes *file)
{
	const uint32_t lengths[] = { 28, 20 };

	return file->is_there && file->n == 48 && memcmp(file->p, "\n\r\r\n", 4) == 0 &&
	       memcmp(file->p + 4, &lengths[0], 4) == 0 &&
	       memcmp(file->p + 32, &lengths[1], 4) == 0;
}

static bool
is_output_good(enum output kind, const struct tool_outcome *o, const struct tool_outcome *whole)
{
	switch (kind) {
	case WHOLE_PACKETS:
		return tool_begins(&o->file, &whole->file) && tool_holds_whole_packets(&o->file);
	case SOME_PACKETS:
		return tool_holds_whole_packets(&o->file);
	case ANY_BEGINNING:
		return tool_begins(&o->file, &whole->file) || is_empty_pcapng(&o->file);
	case COMPRESSED:
		return true;
	case ALL_OR_NOTHING:
		return !o->file.is_there || tool_is_same(&o->file, &whole->file);
	case NO_FILE:
		break;
	}
	return !o->file.is_there;
}

static bool
is_output_same(const struct scenario *s, const struct tool_outcome *o,
	       const struct tool_outcome *whole)
{
	if (s->has_child && memmem(o->err.p, o->err.n, "WARNING", 7) != NULL)
		return true;
	return tool_is_same(&o->out, &whole->out) && tool_is_same(&o->file, &whole->file);
}

/* NULL: all is well. */
static const char *
judge(const struct scenario *s, const struct tool_outcome *o, const struct tool_outcome *whole)
{
	if (tool_ended_with(o, 0))
		return is_output_same(s, o, whole) ? NULL : "the output is not the same";
	if (!tool_ended_with(o, 1))
		return "it does not end with status 1";
	/* a child says what it misses, and we that we could not read that */
	if (!tool_says_why(&s->run, o, tool_n_lines(&whole->err) + (s->has_child ? 3 : 1)))
		return "it does not say why in one line";
	return is_output_good(s->output, o, whole) ? NULL : "it leaves a file that is no good";
}

/* The way it is without any failure; false: not here, which has been said. */
static bool
can_run(const struct scenario *s, struct tool_outcome *whole)
{
	*whole = tool_run(&s->run, NULL);
	if (whole->status == 0)
		return true;
	suite_skip("%s %s: %.*s", s->run.tool, s->run.args,
		   (int)(whole->err.n > 0 ? strcspn((char *)whole->err.p, "\n") : 0),
		   (char *)whole->err.p);
	tool_outcome_free(whole);
	return false;
}

/* ---- without memory ---- */

/* Whether the n-th request failed, rather than being one too many. */
static bool
fail_one(const struct scenario *s, const struct tool_outcome *whole, long n, bool and_later)
{
	char at[64];
	const char *environment[] = { at, and_later ? "FAULTS_LATER=1" : NULL, NULL };
	struct tool_outcome o;
	const char *what;
	bool has_failed;

	snprintf(at, sizeof(at), "FAULTS_AT=%ld", n);
	o = tool_run(&s->run, environment);
	what = judge(s, &o, whole);
	ck_assert_msg(what == NULL, "%s %s: request %ld%s: %s; status 0x%x, it said: %.*s",
		      s->run.tool, s->run.args, n, and_later ? " and later ones" : "", what,
		      (unsigned)o.status, (int)o.err.n, (char *)o.err.p);
	has_failed = o.has_failed;
	tool_outcome_free(&o);
	return has_failed;
}

/* With a share of TEST_SCALE, some of the requests, and others for another seed. */
static long
run_out(const struct scenario *s, const struct tool_outcome *whole, bool and_later, uint64_t *rng)
{
	uint64_t percent = suite_scaled(100);
	long step = percent < 100 ? (long)(100 / percent) : 1;
	long n = (long)rng_below(rng, (uint32_t)step);

	while (fail_one(s, whole, n, and_later))
		n += step;
	return n;
}

START_TEST(each_tool_bears_failures)
{
	const struct scenario *s = &scenarios[_i];
	uint64_t rng = suite_seed((uint64_t)_i);
	struct tool_outcome whole;
	long n;

	if (!can_run(s, &whole))
		return;
	n = run_out(s, &whole, false, &rng);
	run_out(s, &whole, true, &rng);
	printf("%s %s: up to %ld requests\n", s->run.tool, s->run.args, n);
	tool_outcome_free(&whole);
}
END_TEST

/* A tool that was built without the failures would pass. */
START_TEST(the_tools_are_built_to_fail)
{
	static const struct tool_run run = { "ebpfrun", "--mem 01", HEX };
	static const char *const environment[] = { "FAULTS_AT=0", "FAULTS_LATER=1", NULL };
	struct tool_outcome o = tool_run(&run, environment);

	/* Emulated, this program does not start another one by itself. */
	if (tool_ended_with(&o, TOOL_NOT_STARTED)) {
		suite_skip("the tools are for another machine");
		tool_outcome_free(&o);
		return;
	}
	ck_assert(o.has_failed);
	ck_assert(tool_ended_with(&o, 1));
	tool_outcome_free(&o);
}
END_TEST

/* ---- a few bytes at a time, interrupted ---- */

static const char *const disturbances[] = {
	"FAULTS_SHORT=1", "FAULTS_SHORT=7", "FAULTS_SHORT=4099", "FAULTS_EINTR=1", "FAULTS_EINTR=50",
};

/* How much a compressor is given at a time may show in what it makes of it. */
static bool
holds_the_same(enum output kind, const struct tool_bytes *a, const struct tool_bytes *b)
{
	const struct bytes packed[2] = { { .p = a->p, .n = a->n }, { .p = b->p, .n = b->n } };
	struct bytes plain[2] = { { .p = NULL }, { .p = NULL } };
	bool is_same = kind == COMPRESSED;

	if (!is_same || !a->is_there || !b->is_there)
		return tool_is_same(a, b);
	for (size_t i = 0; i < N_ELEMS(packed); i++)
		is_same &= pass_through("gzip -dc", &packed[i], &plain[i]);
	is_same = is_same && plain[0].n == plain[1].n &&
		  memcmp(plain[0].p, plain[1].p, plain[0].n) == 0;
	free(plain[0].p);
	free(plain[1].p);
	return is_same;
}

START_TEST(short_and_interrupted_calls_change_nothing)
{
	const struct scenario *s = &scenarios[_i];
	struct tool_outcome whole;

	if (!can_run(s, &whole))
		return;
	for (size_t i = 0; i < N_ELEMS(disturbances); i++) {
		const char *environment[] = { disturbances[i], NULL };
		struct tool_outcome o = tool_run(&s->run, environment);

		ck_assert_msg(o.status == 0 && tool_is_same(&o.out, &whole.out) &&
				      holds_the_same(s->output, &o.file, &whole.file) &&
				      tool_is_same(&o.err, &whole.err),
			      "%s %s, %s: status 0x%x, it said: %.*s", s->run.tool, s->run.args,
			      disturbances[i], (unsigned)o.status, (int)o.err.n, (char *)o.err.p);
		tool_outcome_free(&o);
	}
	tool_outcome_free(&whole);
}
END_TEST

/* ---- a directory to run in ---- */

static void
prepare(void)
{
	static const char filter[] = "tcp port 80 # the web\n";
	static const struct tool_run compress = { "bpfsift", DEMO "-w in.gz", NULL };
	struct tool_outcome o;
	char list[9000];

	tool_prepare();
	snprintf(list, sizeof(list), "%s/demo.pcap\n%s/ipv4.pcap\n", tool_data(), tool_data());
	tool_write_file("list", list, strlen(list));
	tool_write_file("filter", filter, sizeof(filter) - 1);
	/* Where that is not to be had, the scenario with it is skipped. */
	o = tool_run(&compress, NULL);
	tool_outcome_free(&o);
}

static void
clean_up(void)
{
	static const char *const files[] = { "list", "filter", "in.gz" };

	tool_clean_up(files, N_ELEMS(files));
}

Suite *
suite(void)
{
	Suite *s = suite_create("faults/tools");
	TCase *tc = tcase_create("without memory, a few bytes at a time");

	tcase_set_timeout(tc, 300);
	tcase_add_unchecked_fixture(tc, prepare, clean_up);
	tcase_add_test(tc, the_tools_are_built_to_fail);
	tcase_add_loop_test(tc, each_tool_bears_failures, 0, (int)N_ELEMS(scenarios));
	tcase_add_loop_test(tc, short_and_interrupted_calls_change_nothing, 0,
			    (int)N_ELEMS(scenarios));
	suite_add_tcase(s, tc);
	return s;
}
