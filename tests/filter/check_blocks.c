/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng files, which are read in blocks, hold the packets that libpcap finds in
 * them, and end as it says: files of every kind of block, option and packet, whose
 * contents look like blocks, cut and damaged anywhere; from a file, and from a pipe
 * that hands out any number of bytes at a time.
 *
 * What libpcap refuses and a mixed reader takes, files of several link types and
 * byte orders, is held against what was written.
 */
#include "config.h"

#include "filter/blocks.h"

#include "tests/support/pcapng.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/dlt.h"

/* ---- a mixed reader ---- */

static struct sift_blocks *
open_mixed(const struct pcapng *f, int fd, struct sift_inflow **flow)
{
	const struct sift_inflow_opts flow_opts = { .fd = fd, .name = "mixed" };
	struct sift_blocks_head head;
	struct sift_blocks_opts opts = {
		.name = "mixed",
		.head = &head,
		.is_mixed = true,
	};
	struct sift_blocks *blocks;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_blocks_look(f->bytes, f->n, &head), 1);
	ck_assert_uint_eq(lseek(fd, (off_t)head.len, SEEK_SET), head.len);
	opts.read = f->bytes;
	opts.n_read = head.len;
	ck_assert_int_eq(sift_inflow_new(&flow_opts, flow, &err), 0);
	opts.flow = *flow;
	ck_assert_int_eq(sift_blocks_new(&opts, &blocks, &err), 0);
	return blocks;
}

static uint64_t
count_mixed(const struct pcapng *f)
{
	int fd = open(f->path, O_RDONLY), rc;
	struct sift_inflow *flow;
	struct sift_blocks *blocks = open_mixed(f, fd, &flow);
	const struct sift_view *views;
	struct ebpf_err err = { "" };
	uint64_t seen = 0;
	size_t n;

	while ((rc = sift_blocks_next(blocks, &views, &n, &err)) == 1)
		seen += n;
	ck_assert(rc == 0 || rc == -EINVAL);
	sift_blocks_free(blocks);
	sift_inflow_free(flow);
	close(fd);
	return seen;
}

/* ---- a source beside libpcap's ---- */

struct totals {
	uint64_t n_files, n_packets, n_ours, n_changes, n_failed, n_refused;
};

/* Packets of a source one by one. */
struct cursor {
	struct sift_source *source;
	const struct sift_view *views;
	size_t n, i;
	struct ebpf_err err;
};

static int
open_cursor(struct cursor *c, const char *path, unsigned flags)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = flags };

	*c = (struct cursor){ .source = NULL };
	return sift_source_open_savefile_opts(path, &opts, &c->source, &c->err);
}

static int
next_view(struct cursor *c, const struct sift_view **view)
{
	if (c->i == c->n) {
		int rc = sift_source_next(c->source, &c->views, &c->n, &c->err);

		c->i = 0;
		if (rc != 1) {
			c->n = 0;
			return rc;
		}
	}
	*view = &c->views[c->i++];
	return 1;
}

static void
compare_views(const struct sift_view *ours, const struct sift_view *theirs)
{
	struct sift_view a = *ours, b = *theirs;

	ck_assert_uint_eq(a.caplen, b.caplen);
	ck_assert_uint_eq(a.wirelen, b.wirelen);
	ck_assert_int_eq(a.ts_sec, b.ts_sec);
	ck_assert_uint_eq(a.ts_nsec, b.ts_nsec);
	ck_assert_uint_eq(a.ts_excess, b.ts_excess);
	ck_assert(a.caplen == 0 || memcmp(a.data, b.data, a.caplen) == 0);
	a.data = b.data = NULL;
	ck_assert_mem_eq(&a, &b, sizeof(a));
}

static void
compare_infos(struct cursor *ours, struct cursor *theirs)
{
	struct sift_source_info a = { .size = sizeof(a) }, b = { .size = sizeof(b) };

	ck_assert_int_eq(sift_source_info(ours->source, &a, NULL), 0);
	ck_assert_int_eq(sift_source_info(theirs->source, &b, NULL), 0);
	a.name = b.name = NULL;
	ck_assert_int_eq(a.dlt, b.dlt);
	ck_assert_uint_eq(a.snaplen, b.snaplen);
	ck_assert_int_eq(a.precision, b.precision);
	ck_assert_uint_eq(a.expr_flags, b.expr_flags);
	ck_assert_uint_eq(a.linktype_ext, b.linktype_ext);
	ck_assert_ptr_eq(a.warning, b.warning);
}

/*
 * Code and message, whatever the name.  libpcap's reader looks for the damaged block
 * in the file, so where it reads a pipe the offset may be of one before it.
 */
static void
compare_failures(int ours, const struct cursor *a, const char *name, int theirs,
		 const struct cursor *b, const char *path, bool has_offset)
{
	const char *our_text = a->err.text + strlen(name), *their_text = b->err.text + strlen(path);

	ck_assert_msg(ours == theirs, "%d %s, not %d %s", ours, a->err.text, theirs, b->err.text);
	if (ours >= 0)
		return;
	ck_assert_mem_eq(a->err.text, name, strlen(name));
	ck_assert_mem_eq(b->err.text, path, strlen(path));
	if (!has_offset) {
		our_text = strstr(our_text + 2, ": ");
		their_text = strstr(their_text + 2, ": ");
		ck_assert(our_text != NULL && their_text != NULL);
	}
	ck_assert_str_eq(our_text, their_text);
}

/* Whether no libpcap is to read the file: its beginning is sound, and not long. */
static bool
is_ours(const struct pcapng *f)
{
	struct sift_blocks_head head;

	return sift_blocks_look(f->bytes, f->n < 4096 ? f->n : 4096, &head) == 1 &&
	       sift_blocks_take(&head);
}

/* From the first packet to the end of both. */
static void
compare(const struct pcapng *f, const char *name, struct totals *totals)
{
	const struct sift_view *ours, *theirs;
	uint64_t before = totals->n_packets;
	struct cursor a, b;
	int rc = open_cursor(&a, name, 0),
	    theirs_rc = open_cursor(&b, f->path, SIFT_READER_LIBPCAP);
	bool is_file = strcmp(name, f->path) == 0;

	totals->n_files++;
	compare_failures(rc, &a, name, theirs_rc, &b, f->path, is_file);
	if (rc < 0) {
		totals->n_refused++;
		return;
	}
	totals->n_ours += is_ours(f);
	compare_infos(&a, &b);
	while ((rc = next_view(&a, &ours)) == 1) {
		ck_assert_msg((theirs_rc = next_view(&b, &theirs)) == 1, "after %llu: %d %s",
			      (unsigned long long)totals->n_packets, theirs_rc, b.err.text);
		compare_views(ours, theirs);
		totals->n_packets++;
	}
	theirs_rc = next_view(&b, &theirs);
	compare_failures(rc, &a, name, theirs_rc, &b, f->path, is_file || is_ours(f));
	totals->n_failed += rc < 0;
	/* a mixed reader takes all that, and may take more */
	if (is_file && is_ours(f))
		ck_assert_uint_ge(count_mixed(f), totals->n_packets - before);
	sift_source_close(a.source);
	sift_source_close(b.source);
}

START_TEST(packets_are_those_that_libpcap_finds)
{
	uint64_t rng = suite_seed(0xb10c), n_files = suite_scaled(1000);
	struct pcapng *f = calloc(1, sizeof(*f));
	struct totals totals = { .n_files = 0 };

	ck_assert_ptr_nonnull(f);
	pcapng_init(f);
	for (uint64_t i = 0; i < n_files; i++) {
		char name[64];
		pid_t child;
		int status, fd;

		pcapng_make(f, &rng);
		pcapng_save(f);
		compare(f, f->path, &totals);
		fd = pcapng_open_pipe(f, rng, &child);
		snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		compare(f, name, &totals);
		close(fd);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
	}
	pcapng_destroy(f);
	free(f);
	printf("%llu files, %llu packets, %llu without libpcap, %llu with an error at the end, %llu refused\n",
	       (unsigned long long)totals.n_files, (unsigned long long)totals.n_packets,
	       (unsigned long long)totals.n_ours, (unsigned long long)totals.n_failed,
	       (unsigned long long)totals.n_refused);
	ck_assert(n_files < 100 || totals.n_failed > n_files / 4);
	ck_assert(n_files < 100 || totals.n_ours > n_files);
}
END_TEST

/* ---- each kind of damage by itself ---- */

#define OPTION(code, len) ((code) | (uint32_t)(len) << 16)
#define INTERFACE(linktype, snaplen, ...) BLOCK(1, linktype, snaplen, __VA_ARGS__)
#define BLOCK(type, ...)                                                                           \
	type, 12 + sizeof((uint32_t[]){ __VA_ARGS__ }), __VA_ARGS__,                               \
		12 + sizeof((uint32_t[]){ __VA_ARGS__ })
#define SECTION(...) BLOCK(0x0a0d0d0a, __VA_ARGS__)
#define A_SECTION SECTION(0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX)
#define A_PACKET BLOCK(6, 0, 0, 0, 4, 4, 0x01020304)

/* What follows a section, an interface (Ethernet, 65535 bytes) and a packet. */
static const struct {
	const char *says;       /* a part of what libpcap says, and we */
	uint32_t words[24];
} damage[] = {
	/* options of an interface */
	{ "resolution 10^-20 is too high", { INTERFACE(1, 65535, OPTION(9, 1), 20) } },
	{ "resolution 2^-64 is too high", { INTERFACE(1, 65535, OPTION(9, 1), 0xc0) } },
	{ "if_tsresol option with length 2", { INTERFACE(1, 65535, OPTION(9, 2), 6) } },
	{ "more than one if_tsresol", { INTERFACE(1, 65535, OPTION(9, 1), 6, OPTION(9, 1), 6) } },
	{ "if_tsoffset option with length 4", { INTERFACE(1, 65535, OPTION(14, 4), 6) } },
	{ "more than one if_tsoffset",
	  { INTERFACE(1, 65535, OPTION(14, 8), 0, 0, OPTION(14, 8), 0, 0) } },
	{ "opt_endofopt option with length 4", { INTERFACE(1, 65535, OPTION(0, 4), 0) } },
	{ "block of type 1 in pcapng dump file is too short",
	  { INTERFACE(1, 65535, OPTION(14, 8), 0) } },
	{ "block of type 1 in pcapng dump file is too short", { BLOCK(1, 1) } },
	{ "different from the type of the first", { INTERFACE(101, 65535, OPTION(0, 0)) } },
	{ "snapshot length 65534 different", { INTERFACE(1, 65534, OPTION(0, 0)) } },
	/* sections */
	{ "sections with different byte orders", { SECTION(0x4d3c2b1a, 1, 0, 0) } },
	{ "bad byte order magic", { SECTION(0x12345678, 1, 0, 0) } },
	{ "major version number 2", { SECTION(0x1a2b3c4d, 2, 0, 0) } },
	{ "is too short", { SECTION(0x1a2b3c4d) } },
	{ "no Interface Description Block", { A_SECTION, A_PACKET } },
	/* packets */
	{ "arrived on interface 1, but", { BLOCK(6, 1, 0, 0, 4, 4, 0) } },
	{ "arrived on interface 1, but", { BLOCK(2, 1, 0, 0, 4, 4, 0) } },
	{ "capture length 65536, bigger than snaplen of 65535", { BLOCK(6, 0, 0, 0, 65536, 4, 0) } },
	{ "block of type 6 in pcapng dump file is too short", { BLOCK(6, 0, 0, 0, 8, 8, 0) } },
	{ "block of type 6 in pcapng dump file is too short", { BLOCK(6, 0, 0, 0, 8) } },
	{ "block of type 2 in pcapng dump file is too short", { BLOCK(2, 0, 0, 0, 8) } },
	{ "block of type 3 in pcapng dump file is too short", { BLOCK(3, 8, 0) } },
	/* lengths of blocks */
	{ "a length of 8 < 12", { 5, 8, 8 } },
	{ "a length of 14 that is not a multiple of 4", { 5, 14, 0, 14 } },
	{ "> maximum", { 5, 16777220, 0, 0 } },
	{ "header and trailer don't match", { 5, 12, 16 } },
	{ "truncated", { 5, 64, 0, 0, 0 } },
	{ "truncated", { 6 } },
	/* none */
	{ NULL, { INTERFACE(1, 65535, OPTION(9, 1), 9, OPTION(14, 8), 5, 0, OPTION(13, 1), 4),
		  BLOCK(6, 1, 0, 7, 4, 4, 0) } },
	{ NULL, { BLOCK(3, 4, 0x01020304), BLOCK(2, 0, 0, 0, 4, 4, 0), BLOCK(0xbad, 0) } },
	{ NULL, { A_SECTION, INTERFACE(1, 65535, OPTION(9, 1), 0x8a), A_PACKET } },
};

/* A head that is not all there is waited for; what is none is refused. */
START_TEST(a_head_is_looked_at_from_its_first_byte)
{
	struct sift_blocks_head whole, head;
	uint8_t bytes[4096];
	FILE *f = fopen(suite_data("ng-le.pcapng"), "rb");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	ck_assert_int_eq(sift_blocks_look(bytes, n, &whole), 1);
	ck_assert_uint_lt(whole.len, n);
	for (size_t len = 0; len < whole.len; len++)
		ck_assert_int_eq(sift_blocks_look(bytes, len, &head), 0);
	ck_assert_int_eq(sift_blocks_look(bytes, whole.len, &head), 1);
	bytes[0] ^= 1;
	ck_assert_int_eq(sift_blocks_look(bytes, n, &head), -EINVAL);
}
END_TEST

START_TEST(damage_is_told_as_libpcap_tells_it)
{
	static const uint32_t before[] = { A_SECTION, INTERFACE(1, 65535, OPTION(0, 0)), A_PACKET };
	struct pcapng *f = calloc(1, sizeof(*f));
	struct totals totals = { .n_files = 0 };
	const struct sift_view *view;
	struct cursor c;
	size_t n = N_ELEMS(damage[0].words);
	int rc;

	ck_assert_ptr_nonnull(f);
	pcapng_init(f);
	while (n > 0 && damage[_i].words[n - 1] == 0)
		n--;
	for (size_t i = 0; i < N_ELEMS(before) + n; i++) {
		uint32_t word = i < N_ELEMS(before) ? before[i]
						    : damage[_i].words[i - N_ELEMS(before)];

		for (unsigned k = 0; k < 4; k++)
			f->bytes[f->n++] = (uint8_t)(word >> 8 * k);
	}
	pcapng_save(f);
	compare(f, f->path, &totals);
	ck_assert_uint_eq(totals.n_ours, 1);
	ck_assert_int_eq(open_cursor(&c, f->path, 0), 0);
	while ((rc = next_view(&c, &view)) == 1)
		;
	ck_assert_int_eq(rc, damage[_i].says != NULL ? -EINVAL : 0);
	if (damage[_i].says != NULL)
		ck_assert_msg(strstr(c.err.text, damage[_i].says) != NULL, "%s", c.err.text);
	sift_source_close(c.source);
	pcapng_destroy(f);
	free(f);
}
END_TEST

/* ---- what a mixed reader finds ---- */

static uint64_t
power_of_10(unsigned exponent)
{
	return exponent == 0 ? 1 : 10 * power_of_10(exponent - 1);
}

/* The time that was written; powers of 2 as fine as 2^-34 do not wrap. */
static void
check_time(const struct pcapng_packet *p, const struct sift_view *view)
{
	uint8_t exponent = p->interface.resolution & 0x7f;
	bool is_binary = p->interface.resolution & 0x80;
	uint64_t units = is_binary ? (uint64_t)1 << exponent : power_of_10(exponent);
	uint64_t fraction = p->time % units;

	if (is_binary)
		fraction = fraction * 1000000000 >> exponent;
	else if (exponent <= 9)
		fraction *= power_of_10(9u - exponent);
	else
		fraction /= power_of_10(exponent - 9u);
	ck_assert_int_eq(view->ts_sec, (int64_t)(p->time / units) + p->interface.offset_s);
	ck_assert_uint_eq(view->ts_nsec, fraction);
	ck_assert_uint_eq(view->ts_excess, 0);
}

static int
dlt_of(uint16_t linktype)
{
	static const struct {
		int dlt;
		uint16_t number;
	} rows[] = {
#define L(name, dlt, number) { dlt, number },
#include "filter/linktype.def"
	};

	for (size_t i = 0; i < N_ELEMS(rows); i++)
		if (rows[i].number == linktype)
			return rows[i].dlt;
	return linktype;
}

static void
check_interface(const struct pcapng_packet *p, const struct sift_blocks_interface *interface)
{
	ck_assert_uint_eq(interface->index, p->index);
	ck_assert_uint_eq(interface->linktype, p->interface.linktype);
	ck_assert_int_eq(interface->dlt, dlt_of(p->interface.linktype));
	ck_assert_uint_eq(interface->snaplen, pcapng_limit(&p->interface));
	ck_assert_uint_eq(interface->fcs_len, p->interface.fcs_len);
	ck_assert_int_eq(interface->offset_s, p->interface.offset_s);
}

/* Some are left to libpcap, others where they are swapped. */
static bool
has_special(const struct pcapng *f)
{
	static const uint16_t special[] = { 113, 117, 189, 220, 231, 239, 249, 266, 279 };

	for (size_t i = 0; i < f->n_packets; i++)
		for (size_t k = 0; k < N_ELEMS(special); k++)
			if (f->packets[i].interface.linktype == special[k])
				return true;
	return false;
}

static void
check_mixed(const struct pcapng *f, struct totals *totals)
{
	int fd = open(f->path, O_RDONLY), rc, last_dlt = -1;
	struct sift_inflow *flow;
	struct sift_blocks *blocks = open_mixed(f, fd, &flow);
	const struct sift_view *views;
	struct ebpf_err err = { "" };
	size_t seen = 0, n;

	while ((rc = sift_blocks_next(blocks, &views, &n, &err)) == 1) {
		for (size_t i = 0; i < n; i++, seen++) {
			const struct pcapng_packet *p = &f->packets[seen];

			ck_assert_uint_lt(seen, f->n_packets);
			ck_assert_uint_eq(views[i].caplen, p->caplen);
			ck_assert_uint_eq(views[i].wirelen, p->wirelen);
			ck_assert_mem_eq(views[i].data, f->bytes + p->at, p->caplen);
			check_time(p, &views[i]);
			check_interface(p, sift_blocks_interface(blocks, i));
			ck_assert_int_eq(sift_blocks_interface(blocks, i)->dlt,
					 sift_blocks_dlt(blocks));
		}
		totals->n_changes += sift_blocks_dlt(blocks) != last_dlt;
		last_dlt = sift_blocks_dlt(blocks);
	}
	if (rc < 0) {
		ck_assert_msg(has_special(f), "%s", err.text);
		ck_assert_ptr_nonnull(strstr(err.text, ", which is not read here"));
		totals->n_failed++;
	} else {
		ck_assert_uint_eq(seen, f->n_packets);
	}
	totals->n_files++;
	totals->n_packets += seen;
	sift_blocks_free(blocks);
	sift_inflow_free(flow);
	close(fd);
}

START_TEST(a_mixed_reader_finds_what_was_written)
{
	uint64_t rng = suite_seed(0xb10d), n_files = suite_scaled(200);
	struct pcapng *f = calloc(1, sizeof(*f));
	struct totals totals = { .n_files = 0 };
	struct sift_blocks_head head;

	ck_assert_ptr_nonnull(f);
	pcapng_init(f);
	f->is_mixed = true;
	for (uint64_t i = 0; i < n_files; i++) {
		do
			pcapng_make(f, &rng);
		while (f->n_packets == 0);
		pcapng_save(f);
		check_mixed(f, &totals);
		pcapng_flip_bits(f, &rng);
		pcapng_save(f);
		if (sift_blocks_look(f->bytes, f->n, &head) == 1)
			ck_assert_uint_le(count_mixed(f), f->n / 16);
	}
	pcapng_destroy(f);
	free(f);
	printf("%llu files, %llu packets, %llu changes of the link type, %llu ended by swapped ones\n",
	       (unsigned long long)totals.n_files, (unsigned long long)totals.n_packets,
	       (unsigned long long)totals.n_changes, (unsigned long long)totals.n_failed);
	ck_assert(n_files < 100 || totals.n_failed < n_files);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/blocks");
	TCase *tc = tcase_create("libpcap");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, packets_are_those_that_libpcap_finds);
	tcase_add_test(tc, a_head_is_looked_at_from_its_first_byte);
	tcase_add_loop_test(tc, damage_is_told_as_libpcap_tells_it, 0, N_ELEMS(damage));
	tcase_add_test(tc, a_mixed_reader_finds_what_was_written);
	suite_add_tcase(s, tc);
	return s;
}
