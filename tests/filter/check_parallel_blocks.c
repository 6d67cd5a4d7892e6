/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On pcapng files several threads do what one does, and where libpcap reads the file too,
 * what one does whose packets libpcap reads: the same bytes, counts and error; for files of
 * every kind of block, of one link type and of several, damaged and cut anywhere, whose
 * contents look like blocks, in blocks of any size.
 */
#include "config.h"

#include "filter/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/blocks.h"
#include "filter/source.h"
#include "tests/support/pcapng.h"
#include "tests/support/suite.h"

enum { LIBPCAP, ONE, MANY, N_WAYS };
enum { MOST_BYTES = PCAPNG_MAX_FILE + 8 * PCAPNG_MAX_CAPLEN };

/* What is to be done with a file. */
struct order {
	const struct pcapng *file;
	struct sift_filter *const *filters; /* by what they ask for */
	bool is_mixed, is_written, has_filter;
	enum sift_format format;
	uint32_t snaplen;
	size_t block_size;
	unsigned threads;
};

/* How it went. */
struct outcome {
	char path[TEMPFILE_PATH + 16];
	struct sift_pipeline_counters counters;
	int rc;
	struct ebpf_err err;
	unsigned n_asked;
	const struct order *order;
};

enum { ALL, LONG, ODD, IMPURE, N_FILTERS };

/* The length on the wire, a byte of the packet, or the protocol, which bytes do not tell. */
static struct sift_filter *
make_filter(int which)
{
	static const struct cbpf_insn programs[N_FILTERS][4] = {
		[LONG] = { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_LEN, 0),
			   CBPF_JUMP(CBPF_JMP | CBPF_JGE | CBPF_K, 700, 0, 1),
			   CBPF_STMT(CBPF_RET | CBPF_K, 1), CBPF_STMT(CBPF_RET | CBPF_K, 0) },
		[ODD] = { CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, 5),
			  CBPF_JUMP(CBPF_JMP | CBPF_JSET | CBPF_K, 1, 0, 1),
			  CBPF_STMT(CBPF_RET | CBPF_K, 1), CBPF_STMT(CBPF_RET | CBPF_K, 0) },
		[IMPURE] = { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, (uint32_t)-0x1000),
			     CBPF_JUMP(CBPF_JMP | CBPF_JGE | CBPF_K, 0x500, 0, 1),
			     CBPF_STMT(CBPF_RET | CBPF_K, 1), CBPF_STMT(CBPF_RET | CBPF_K, 0) },
	};
	struct sift_filter *filter;
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(programs[which], 4, CBPF_DIALECT_KERNEL, &prog, NULL), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &filter, NULL), 0);
	cbpf_prog_free(prog);
	return filter;
}

/* Each link type has one of them; for one in twenty there is none, which is an error. */
static int
filter_for(void *arg, int dlt, unsigned expr_flags, const struct sift_filter **filter,
	   struct ebpf_err *err)
{
	struct outcome *outcome = arg;
	bool is_swapped = expr_flags & SIFT_EXPR_SWAPPED;

	outcome->n_asked++;
	if (dlt % 20 == 7) {
		snprintf(err->text, sizeof(err->text), "no filter for link type %d", dlt);
		return -EINVAL;
	}
	*filter = outcome->order->filters[((unsigned)dlt + is_swapped) % N_FILTERS];
	return 0;
}

static int
open_ends(const struct order *order, int way, struct outcome *outcome,
	  struct sift_pipeline_opts *opts)
{
	const struct sift_reader_opts reader = { .size = sizeof(reader),
						 .flags = way == LIBPCAP    ? SIFT_READER_LIBPCAP
							  : order->is_mixed ? SIFT_READER_MIXED
									    : 0 };
	struct sift_source_info info = { .size = sizeof(info) };
	struct sift_savefile_opts savefile = {
		.size = sizeof(savefile),
		.format = order->format,
		.flags = SIFT_SAVEFILE_BEHIND |
			 (order->format == SIFT_FORMAT_PCAPNG ? SIFT_SAVEFILE_SECTIONS : 0),
	};
	int rc = sift_source_open_savefile_opts(order->file->path, &reader, &opts->source,
						&outcome->err);

	if (rc < 0 || !order->is_written)
		return rc;
	ck_assert_int_eq(sift_source_info(opts->source, &info, NULL), 0);
	savefile.dlt = info.dlt;
	savefile.snaplen = info.snaplen;
	savefile.precision = info.precision;
	rc = sift_sink_open_savefile(outcome->path, &savefile, &opts->sink, NULL);
	if (rc < 0) {
		/* flipped bits made a link type that savefiles have no number for */
		ck_assert_int_eq(rc, -EINVAL);
		snprintf(outcome->err.text, sizeof(outcome->err.text), "no savefile");
		sift_source_close(opts->source);
	}
	return rc;
}

static void
run(const struct order *order, int way, struct outcome *outcome)
{
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.snaplen = order->snaplen,
		.threads = way == MANY ? order->threads : 1,
		.filter_for = order->has_filter ? filter_for : NULL,
		.filter_arg = outcome,
	};
	struct sift_pipeline *pipeline;

	*outcome = (struct outcome){ .counters.size = sizeof(outcome->counters), .order = order };
	snprintf(outcome->path, sizeof(outcome->path), "%s-%d", order->file->path, way);
	if ((outcome->rc = open_ends(order, way, outcome, &opts)) < 0)
		return;
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	sift_pipeline_set_blocks(pipeline, order->block_size, 1);
	outcome->rc = sift_pipeline_run(pipeline, &outcome->err);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &outcome->counters, NULL), 0);
	sift_pipeline_free(pipeline);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	sift_source_close(opts.source);
}

static size_t
slurp(const char *path, uint8_t *to)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(to, 1, MOST_BYTES, file);
	ck_assert(feof(file));
	fclose(file);
	return n;
}

static void
compare(const struct outcome *wanted, const struct outcome *got, bool has_output)
{
	static uint8_t theirs[MOST_BYTES], ours[MOST_BYTES];
	size_t n;

	ck_assert_msg(got->rc == wanted->rc, "%d %s, not %d %s", got->rc, got->err.text, wanted->rc,
		      wanted->err.text);
	if (wanted->rc < 0)
		ck_assert_str_eq(got->err.text, wanted->err.text);
	ck_assert_uint_eq(got->counters.seen, wanted->counters.seen);
	ck_assert_uint_eq(got->counters.matched, wanted->counters.matched);
	ck_assert_uint_eq(got->counters.written, wanted->counters.written);
	if (!has_output || access(wanted->path, F_OK) < 0)
		return;
	n = slurp(wanted->path, theirs);
	ck_assert_uint_eq(slurp(got->path, ours), n);
	ck_assert(memcmp(ours, theirs, n) == 0);
}

static struct order
any_order(const struct pcapng *f, struct sift_filter *const *filters, uint64_t *rng)
{
	static const size_t sizes[] = { 16, 20, 64, 1000, 4096, 65536, 131072 };
	struct order order = {
		.file = f,
		.filters = filters,
		.is_mixed = f->is_mixed || rng_below(rng, 2) == 0,
		.is_written = rng_below(rng, 6) != 0,
		.has_filter = rng_below(rng, 4) != 0,
		.format = rng_below(rng, 3) == 0 ? SIFT_FORMAT_PCAP : SIFT_FORMAT_PCAPNG,
		.snaplen = rng_below(rng, 3) == 0 ? 1 + rng_below(rng, 200) : 0,
		.threads = 2 + rng_below(rng, 4),
	};

	do
		order.block_size = sizes[rng_below(rng, N_ELEMS(sizes))];
	while (f->n / order.block_size > 5000);
	return order;
}

/* Whether libpcap's reader is to do the same, but for the blocks that it does not carry. */
static bool
is_for_libpcap(const struct order *order)
{
	return !order->is_mixed && (!order->is_written || order->format == SIFT_FORMAT_PCAP);
}

START_TEST(several_threads_do_what_one_does)
{
	bool is_mixed = _i != 0;
	uint64_t rng = suite_seed(0x9a7b + (uint64_t)_i),
		 n_files = suite_scaled(is_mixed ? 300 : 600);
	unsigned long long n_failed = 0, n_matched = 0, n_asked = 0, n_beside = 0;
	struct sift_filter *filters[N_FILTERS] = { NULL };
	struct pcapng *f = calloc(1, sizeof(*f));
	struct outcome outcomes[N_WAYS];

	ck_assert_ptr_nonnull(f);
	for (int i = ALL + 1; i < N_FILTERS; i++)
		filters[i] = make_filter(i);
	pcapng_init(f);
	f->is_mixed = is_mixed;
	for (uint64_t i = 0; i < n_files; i++) {
		struct order order;

		pcapng_make(f, &rng);
		if (is_mixed && i % 3 == 0)
			pcapng_flip_bits(f, &rng);
		if (is_mixed && i % 4 == 0)
			f->n -= rng_below(&rng, (uint32_t)f->n / 2);
		pcapng_save(f);
		order = any_order(f, filters, &rng);
		for (int way = is_for_libpcap(&order) ? LIBPCAP : ONE; way < N_WAYS; way++)
			run(&order, way, &outcomes[way]);
		compare(&outcomes[ONE], &outcomes[MANY], order.is_written);
		if (is_for_libpcap(&order))
			compare(&outcomes[LIBPCAP], &outcomes[MANY], order.is_written);
		n_beside += is_for_libpcap(&order);
		n_failed += outcomes[ONE].rc < 0;
		n_matched += outcomes[ONE].counters.matched;
		n_asked += outcomes[ONE].n_asked;
		ck_assert_uint_eq(outcomes[MANY].n_asked, outcomes[ONE].n_asked);
		for (int way = 0; way < N_WAYS; way++)
			unlink(outcomes[way].path);
	}
	pcapng_destroy(f);
	free(f);
	for (int i = ALL + 1; i < N_FILTERS; i++)
		sift_filter_free(filters[i]);
	printf("%llu files, %llu with an error at the end, %llu packets matched, %llu filters asked for, %llu beside libpcap\n",
	       (unsigned long long)n_files, n_failed, n_matched, n_asked, n_beside);
	ck_assert(n_files < 100 || (n_failed > n_files / 10 && n_matched > n_files));
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/parallel_blocks");
	TCase *tc = tcase_create("pcapng");

	tcase_set_timeout(tc, 900);
	tcase_add_loop_test(tc, several_threads_do_what_one_does, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
