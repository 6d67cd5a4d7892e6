/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live capture over a wire of its own, with a filter that the kernel runs: which packets
 * come, of those that were there before the filter and of those behind it, and how they
 * are counted.
 */
#include "config.h" /* system extensions */

#include <bpfsift/filter.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter/attach.h"
#include "tests/diff/veth.h"
#include "tests/support/suite.h"

enum { DLT_ETHERNET = 1, DLT_PCAP_SLL = 113, FRAME = 200, MOST = 4096 };

struct wire {
	struct veth veth;
	char receiver[IF_NAMESIZE];
	int to_receiver, from_receiver; /* sockets to send from either end */
};

/* What was handed out: byte 14 of each packet, and how many bytes of it. */
struct got {
	uint8_t ids[MOST];
	uint32_t caplens[MOST];
	size_t n;
};

static int
open_end(int ifindex)
{
	const struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	ck_assert_msg(fd >= 0, "%s", strerror(errno));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Each test is a process, and has a namespace of its own.  false: not here, and said. */
static bool
open_wire(struct wire *wire)
{
	struct ebpf_err err = { "" };
	int rc = veth_open(&wire->veth, &err);

	if (rc == -EPERM || rc == -EOPNOTSUPP) {
		suite_skip("%s", err.text);
		return false;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_ptr_nonnull(if_indextoname((unsigned)wire->veth.receiver, wire->receiver));
	wire->to_receiver = open_end(wire->veth.sender);
	wire->from_receiver = open_end(wire->veth.receiver);
	return true;
}

static struct sift_source *
open_live(const struct wire *wire, const struct sift_live_opts *opts)
{
	struct sift_source *source;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_source_open_live(wire->receiver, opts, &source, &err) == 0, "%s",
		      err.text);
	return source;
}

/* For frames as they are in a file, returning snaplen. */
static struct sift_filter *
make_filter(const char *expr, int dlt, uint32_t snaplen)
{
	struct cbpf_insn *insns;
	struct cbpf_prog *prog;
	struct sift_filter *filter;
	struct ebpf_err err = { "" };
	size_t n;

	ck_assert_msg(
		sift_expr_compile(expr, dlt, snaplen, 0, SIFT_EXPR_SAVEFILE, &insns, &n, &err) == 0,
		"%s: %s", expr, err.text);
	ck_assert_int_eq(cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, NULL), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &filter, NULL), 0);
	cbpf_prog_free(prog);
	free(insns);
	return filter;
}

/* true; or false where the kernel lets nothing be loaded, and said. */
static bool
attach(struct sift_source *source, const struct sift_filter *filter)
{
	struct ebpf_err err = { "" };
	int rc = sift_source_attach(source, filter, &err);

	if (rc == -EPERM || rc == -ENOSYS) {
		suite_skip("%s", err.text);
		return false;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	return true;
}

/* Frames with ids from ... to - 1 in byte 14 and at the end. */
static void
send_ids(int fd, unsigned from, unsigned to)
{
	uint8_t frame[FRAME] = { 2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a, 0x88, 0xb5 };

	for (unsigned id = from; id < to; id++) {
		frame[14] = frame[FRAME - 1] = (uint8_t)id;
		ck_assert_int_eq(send(fd, frame, sizeof(frame), 0), FRAME);
	}
}

/* Take packets until one has an id; waits end without any, and batches may be of one. */
static void
receive(struct sift_source *source, struct got *got, unsigned last)
{
	got->n = 0;
	for (int i = 0; i < 200; i++) {
		const struct sift_view *views;
		struct ebpf_err err = { "" };
		size_t n;

		ck_assert_msg(sift_source_next(source, &views, &n, &err) == 1, "%s", err.text);
		ck_assert_uint_le(got->n + n, MOST);
		for (size_t v = 0; v < n; v++) {
			got->ids[got->n] = views[v].data[14];
			got->caplens[got->n++] = views[v].caplen;
		}
		if (got->n > 0 && got->ids[got->n - 1] == last)
			return;
	}
	ck_abort_msg("%zu packets, and none with id %u", got->n, last);
}

static struct sift_source_stats
stats_of(struct sift_source *source)
{
	struct sift_source_stats stats = { .size = sizeof(stats) };

	ck_assert_int_eq(sift_source_stats(source, &stats, NULL), 0);
	return stats;
}

static void
check_ids(const struct got *got, const uint8_t *ids, size_t n)
{
	ck_assert_uint_eq(got->n, n);
	ck_assert_mem_eq(got->ids, ids, n);
}

/* ---- before and behind ---- */

/* In each mode; -Q in has libpcap leave out what the buffer had. */
static const struct {
	unsigned flags;
	enum sift_direction direction;
	uint32_t snaplen;
} modes[] = {
	{ 0, SIFT_DIRECTION_BOTH, 0 },
	{ SIFT_LIVE_IMMEDIATE, SIFT_DIRECTION_BOTH, 0 },
	{ SIFT_LIVE_WHOLE, SIFT_DIRECTION_BOTH, 60 },
	{ SIFT_LIVE_WHOLE, SIFT_DIRECTION_IN, 60 },
	{ SIFT_LIVE_IMMEDIATE, SIFT_DIRECTION_IN, 0 },
};

START_TEST(no_packet_is_wrong_and_none_is_lost)
{
	static const uint8_t before[] = { 8, 9, 10, 11 };
	static const uint8_t behind[] = { 8, 9, 10, 11, 12, 13, 14, 15, 100 };
	const struct sift_live_opts opts = { .size = sizeof(opts),
					     .flags = modes[_i].flags,
					     .direction = modes[_i].direction,
					     .snaplen = modes[_i].snaplen,
					     .buffer_kib = 16384,
					     .timeout_ms = 50 };
	uint32_t snaplen = modes[_i].snaplen != 0 ? modes[_i].snaplen : 262144;
	bool is_one_way = modes[_i].direction == SIFT_DIRECTION_IN;
	/* On the last byte, which is cut off. */
	struct sift_filter *filter =
		make_filter("ether[199] & 8 != 0 or ether[199] = 100", DLT_ETHERNET, snaplen);
	static struct got got;
	struct sift_source *source;
	struct wire wire;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, &opts);
	send_ids(wire.to_receiver, 0, 12);
	if (is_one_way)
		send_ids(wire.from_receiver, 0, 24);
	if (!attach(source, filter))
		return;
	if (is_one_way)
		send_ids(wire.from_receiver, 0, 24);
	send_ids(wire.to_receiver, 0, 20);
	send_ids(wire.to_receiver, 100, 101);
	receive(source, &got, 100);
	ck_assert_uint_eq(got.n, sizeof(before) + sizeof(behind));
	ck_assert_mem_eq(got.ids, before, sizeof(before));
	ck_assert_mem_eq(got.ids + sizeof(before), behind, sizeof(behind));
	for (size_t i = 0; i < got.n; i++) {
		bool is_cut = i >= sizeof(before) && snaplen < FRAME;

		ck_assert_uint_eq(got.caplens[i], is_cut ? snaplen : FRAME);
	}
	if (!is_one_way)
		ck_assert_uint_eq(stats_of(source).received, got.n);
	ck_assert_uint_eq(stats_of(source).dropped_kernel, 0);
	sift_source_close(source);
	sift_filter_free(filter);
}
END_TEST

/* Cut by libpcap, a packet from before is judged as far as it was kept. */
START_TEST(what_was_cut_before_is_judged_as_it_is)
{
	static const uint8_t expected[] = { 4, 5, 100 };
	const struct sift_live_opts opts = { .size = sizeof(opts), .snaplen = 60 };
	struct sift_filter *filter = make_filter("ether[199] >= 4", DLT_ETHERNET, 60);
	static struct got got;
	struct sift_source *source;
	struct wire wire;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, &opts);
	send_ids(wire.to_receiver, 0, 6);
	if (!attach(source, filter))
		return;
	send_ids(wire.to_receiver, 0, 6);
	send_ids(wire.to_receiver, 100, 101);
	receive(source, &got, 100);
	check_ids(&got, expected, sizeof(expected));
	ck_assert_uint_eq(stats_of(source).received, 3);
	sift_source_close(source);
	sift_filter_free(filter);
}
END_TEST

/* Packets that libpcap leaves out are not waited for: cut ones behind them are the kernel's. */
START_TEST(what_is_left_out_is_not_waited_for)
{
	static const uint8_t expected[] = { 4, 5 };
	const struct sift_live_opts opts = { .size = sizeof(opts),
					     .flags = SIFT_LIVE_IMMEDIATE,
					     .direction = SIFT_DIRECTION_IN,
					     .snaplen = 60 };
	struct sift_filter *filter = make_filter("ether[199] >= 4", DLT_ETHERNET, 60);
	const struct sift_view *views;
	static struct got got;
	struct sift_source *source;
	struct wire wire;
	size_t n;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, &opts);
	send_ids(wire.from_receiver, 0, 24);
	if (!attach(source, filter))
		return;
	ck_assert_int_eq(sift_source_next(source, &views, &n, NULL), 1);
	ck_assert_uint_eq(n, 0);
	send_ids(wire.to_receiver, 0, 6);
	receive(source, &got, 5);
	check_ids(&got, expected, sizeof(expected));
	sift_source_close(source);
	sift_filter_free(filter);
}
END_TEST

START_TEST(another_filter_takes_its_place)
{
	static const uint8_t expected[] = { 3, 3, 5, 100 };
	const struct sift_live_opts opts = { .size = sizeof(opts), .timeout_ms = 50 };
	struct sift_filter *first = make_filter("ether[14] & 1 != 0", DLT_ETHERNET, 262144);
	struct sift_filter *second = make_filter("ether[14] >= 3", DLT_ETHERNET, 262144);
	static struct got got;
	struct sift_source *source;
	struct wire wire;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, &opts);
	if (!attach(source, first))
		return;
	send_ids(wire.to_receiver, 0, 4);
	send_ids(wire.to_receiver, 101, 102);
	receive(source, &got, 101);
	ck_assert_uint_eq(got.n, 3);
	send_ids(wire.to_receiver, 0, 4);
	ck_assert(attach(source, second));
	sift_filter_free(first);
	send_ids(wire.to_receiver, 0, 4);
	send_ids(wire.to_receiver, 5, 6);
	send_ids(wire.to_receiver, 100, 101);
	receive(source, &got, 100);
	check_ids(&got, expected, sizeof(expected));
	/* 1 of the first's was refused by the second. */
	ck_assert_uint_eq(stats_of(source).received, 3 + sizeof(expected));
	sift_source_close(source);
	sift_filter_free(second);
}
END_TEST

/* ---- refusals ---- */

/* Conditions on as many bytes, each of which is looked at. */
static char *
conditions(size_t n)
{
	char *text = malloc(40 * n), *end = text;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i++)
		end += sprintf(end, "%sether[%zu:4] = %zu", i > 0 ? " or " : "", i % 150,
			       i + 7000000);
	return text;
}

START_TEST(what_the_kernel_refuses_changes_nothing)
{
	const struct sift_live_opts opts = { .size = sizeof(opts), .timeout_ms = 50 };
	char *too_large = conditions(1500);
	struct sift_filter *large = make_filter(too_large, DLT_ETHERNET, 262144);
	struct sift_filter *loops = make_filter("ip6 protochain 6", DLT_ETHERNET, 262144);
	static struct got got;
	struct sift_source *source;
	struct ebpf_err err;
	struct wire wire;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, &opts);
	ck_assert_int_eq(sift_source_attach(source, large, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, "limit is 4096") != NULL, "%s", err.text);
	ck_assert_int_eq(sift_source_attach(source, loops, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, "it jumps backward") != NULL, "%s", err.text);
	send_ids(wire.to_receiver, 0, 9);
	receive(source, &got, 8);
	ck_assert_uint_eq(got.n, 9);
	ck_assert_uint_eq(stats_of(source).received, 9);
	sift_source_close(source);
	sift_filter_free(large);
	sift_filter_free(loops);
	free(too_large);
}
END_TEST

/* Where the limit is the namespace's, it is set; elsewhere the program is too large anyway. */
static void
limit_sockets(void)
{
	FILE *f = fopen("/proc/sys/net/core/optmem_max", "w");

	if (f == NULL)
		return;
	fputs("20480", f);
	fclose(f);
}

/* Within the classic limit, but beyond what a socket's options may take of memory. */
START_TEST(what_no_socket_takes_is_refused)
{
	const struct sift_live_opts opts = { .size = sizeof(opts), .timeout_ms = 50 };
	static struct cbpf_insn insns[2001];
	static struct got got;
	struct sift_filter *filter;
	struct sift_source *source;
	struct cbpf_prog *prog;
	struct ebpf_err err;
	struct wire wire;
	size_t n = 0;
	int rc;

	/* No load is where another was, and all are wanted. */
	for (uint32_t i = 0; n + 1 < N_ELEMS(insns); i++) {
		insns[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, i);
		insns[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_ALU | CBPF_ADD | CBPF_X, 0);
	}
	insns[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_A, 0);
	ck_assert_int_eq(cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, NULL), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &filter, NULL), 0);
	cbpf_prog_free(prog);
	if (!open_wire(&wire))
		return;
	limit_sockets();
	source = open_live(&wire, &opts);
	rc = sift_source_attach(source, filter, &err);
	if (rc == -EPERM || rc == -ENOSYS) {
		suite_skip("%s", err.text);
		return;
	}
	ck_assert_msg(rc == -ENOMEM, "%d: %s", rc, err.text);
	ck_assert_str_eq(err.text, "it is too large for a socket");
	send_ids(wire.to_receiver, 0, 3);
	receive(source, &got, 2);
	ck_assert_uint_eq(got.n, 3);
	sift_source_close(source);
	sift_filter_free(filter);
}
END_TEST

START_TEST(link_types_of_libpcap_s_own_are_refused)
{
	const struct sift_live_opts opts = { .size = sizeof(opts) };
	struct sift_filter *filter = make_filter("link[0] = 0", DLT_PCAP_SLL, 262144);
	struct sift_source *source;
	struct ebpf_err err;
	struct wire wire;

	if (!open_wire(&wire))
		return;
	ck_assert_int_eq(sift_source_open_live("any", &opts, &source, NULL), 0);
	ck_assert_int_eq(sift_source_attach(source, filter, &err), -ENOTSUP);
	ck_assert_str_eq(err.text, "the kernel has no such frames");
	sift_source_close(source);
	sift_filter_free(filter);
}
END_TEST

/* ---- sockets and programs that do not go together ---- */

static struct cbpf_prog *
check_pcap(const struct cbpf_insn *insns, size_t n)
{
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, NULL), 0);
	return prog;
}

static void
check_attached(int fd, const struct cbpf_prog *prog, bool has_tags, int rc, const char *says)
{
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_attach_socket(fd, prog, has_tags, &err), rc);
	ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
}

START_TEST(no_other_socket_takes_a_filter)
{
	static const struct cbpf_insn all[] = { CBPF_STMT(CBPF_RET | CBPF_K, 1) };
	struct cbpf_prog *prog = check_pcap(all, N_ELEMS(all));
	int fds[2], inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int cooked = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(inet, 0);
	ck_assert_int_eq(pipe(fds), 0);
	check_attached(inet, prog, false, -ENOTSUP, "the kernel has no such frames");
	check_attached(fds[0], prog, false, -ENOTSUP, "the kernel has no such frames");
	check_attached(-1, prog, false, -ENOTSUP, "the kernel has no such frames");
	if (cooked >= 0)
		check_attached(cooked, prog, false, -ENOTSUP, "the kernel has no such frames");
	else
		suite_skip("no packet sockets: %s", strerror(errno));
	cbpf_prog_free(prog);
}
END_TEST

/* What the kernel's dialect cannot say, and a tag that there is no room to look for. */
START_TEST(programs_for_no_socket_are_refused)
{
	static const struct cbpf_insn endless[] = {
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, 0),
		CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 1, 0, 1),
		CBPF_STMT(CBPF_JMP | CBPF_JA, -3),
		CBPF_STMT(CBPF_RET | CBPF_K, 1),
	};
	struct cbpf_insn full[2 * CBPF_MEMWORDS + 3];
	struct cbpf_prog *prog;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	size_t n = 0;

	if (fd < 0) {
		suite_skip("no packet sockets: %s", strerror(errno));
		return;
	}
	prog = check_pcap(endless, N_ELEMS(endless));
	check_attached(fd, prog, false, -EINVAL, "insn 2");
	cbpf_prog_free(prog);
	full[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 12);
	for (uint32_t k = 0; k < CBPF_MEMWORDS; k++) {
		full[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_ST, k);
		full[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_LD | CBPF_MEM, k);
	}
	full[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_LD | CBPF_H | CBPF_IND, 0);
	full[n++] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_A, 0);
	prog = check_pcap(full, n);
	check_attached(fd, prog, true, -EINVAL, "no scratch slots to spare");
	cbpf_prog_free(prog);
	close(fd);
}
END_TEST

/* ---- what cannot be captured from ---- */

static void
check_refusal(const char *interface, const struct sift_live_opts *opts, int rc)
{
	struct sift_source *source = NULL;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_source_open_live(interface, opts, &source, &err), rc);
	ck_assert_ptr_null(source);
	ck_assert_msg(strncmp(err.text, interface, strlen(interface)) == 0 &&
			      err.text[strlen(interface)] == ':' && strchr(err.text, '\n') == NULL,
		      "%s", err.text);
}

/* No such interface, one that is down, one without a monitor mode, and nobody's business. */
START_TEST(refusals_are_told_apart)
{
	struct sift_live_opts opts = { .size = sizeof(opts) };
	struct wire wire;
	uid_t before = geteuid();

	if (!open_wire(&wire))
		return;
	check_refusal("nosuch0", NULL, -ENODEV);
	check_refusal("lo", NULL, -ENETDOWN);
	opts.flags = SIFT_LIVE_MONITOR;
	check_refusal(wire.receiver, &opts, -ENOTSUP);
	ck_assert_int_eq(seteuid(65534), 0);
	check_refusal(wire.receiver, NULL, -EPERM);
	ck_assert_int_eq(seteuid(before), 0);
}
END_TEST

/* It captures all the same, and says what it could not have. */
START_TEST(what_an_interface_has_not_is_a_warning)
{
	const struct sift_live_opts stamped = { .size = sizeof(stamped), .tstamp_type = "adapter" };
	struct sift_source_info info = { .size = sizeof(info) };
	struct sift_source *source;
	struct wire wire;
	struct ebpf_err err;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, NULL);
	ck_assert_int_eq(sift_source_info(source, &info, &err), 0);
	ck_assert_ptr_null(info.warning);
	sift_source_close(source);
	source = open_live(&wire, &stamped);
	ck_assert_int_eq(sift_source_info(source, &info, &err), 0);
	ck_assert_ptr_nonnull(info.warning);
	ck_assert_ptr_nonnull(strstr(info.warning, "adapter"));
	ck_assert_ptr_nonnull(strstr(info.warning, wire.receiver));
	sift_source_close(source);
}
END_TEST

START_TEST(the_link_type_stays_with_a_filter)
{
	const struct sift_live_opts opts = { .size = sizeof(opts) };
	struct sift_filter *filter = make_filter("arp", DLT_ETHERNET, 262144);
	struct sift_source *source;
	struct wire wire;

	if (!open_wire(&wire))
		return;
	source = open_live(&wire, &opts);
	ck_assert_int_eq(sift_source_set_linktype(source, DLT_ETHERNET, NULL), 0);
	if (!attach(source, filter))
		return;
	ck_assert_int_eq(sift_source_set_linktype(source, DLT_ETHERNET, NULL), -EINVAL);
	sift_source_close(source);
	sift_filter_free(filter);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/source_live");
	TCase *tc = tcase_create("kernel");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, no_packet_is_wrong_and_none_is_lost, 0, N_ELEMS(modes));
	tcase_add_test(tc, what_was_cut_before_is_judged_as_it_is);
	tcase_add_test(tc, what_is_left_out_is_not_waited_for);
	tcase_add_test(tc, another_filter_takes_its_place);
	tcase_add_test(tc, what_the_kernel_refuses_changes_nothing);
	tcase_add_test(tc, what_no_socket_takes_is_refused);
	tcase_add_test(tc, link_types_of_libpcap_s_own_are_refused);
	tcase_add_test(tc, no_other_socket_takes_a_filter);
	tcase_add_test(tc, programs_for_no_socket_are_refused);
	tcase_add_test(tc, refusals_are_told_apart);
	tcase_add_test(tc, what_an_interface_has_not_is_a_warning);
	tcase_add_test(tc, the_link_type_stays_with_a_filter);
	suite_add_tcase(s, tc);
	return s;
}
