/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expressions with 'vlan', compiled for frames whose tag the kernel takes off, judge
 * in the running kernel what the plain ones judge of the frames as they were sent:
 * as classic socket filters, and lowered for its extended ones.  Those without judge
 * what the kernel shows of the frame.
 *
 * The witness is a socket that accepts all.  Packet sockets are served youngest
 * first, so once it has a frame the other has had it, and accepted it or not.
 */
#include "config.h" /* system extensions: MSG_TRUNC, SO_ATTACH_BPF */

#include "ebpf/err.h"
#include "tests/diff/generate.h"
#include "tests/diff/kernel_prog.h"
#include "tests/diff/reference.h"
#include "tests/diff/veth.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DLT_ETHERNET = 1, SNAPLEN = 65535, MAX_FRAME = 200 };

static const char *const expressions[] = {
	"vlan",
	"not vlan",
	"vlan 5",
	"vlan 5 or vlan 6",
	"vlan and tcp port 80",
	"vlan and udp",
	"vlan and vlan",
	"vlan 100 and vlan 5 and tcp dst port 80",
	"tcp port 80 or vlan 7",
	"vlan and ip[2:2] > 60",
	"vlan and len > 100",
	"len = 104 and vlan",
	"vlan and ether[14:2] & 0xe000 != 0",
	"ether[12:4] = 0x81000005 or vlan 6",
	"vlan and ether[10:4] != 0 and ether[13:4] = 0x00000508",
	"vlan and ether[15] = 5",
	"vlan and ether[12] = 0x88 and ether[13] = 0xa8",
	"vlan and ether[14] & 0x0f = 0",
	"vlan and tcp[13] & 2 != 0",
	"vlan and ip6",
	"vlan and ether[ether[0]:4] = 0",
	"vlan and ether[ether[15] + 6] = 0x81",
	"vlan and ether[ether[15] + 7:2] = 0x5",
	"vlan and ether[ether[15] + 8:4] = 0x00050800",
	"vlan and ether[ether[15] + 9:4] = 0x05080045",
	"vlan and ether[ether[15] + 11:4] & 0xffffff00 = 0x08004500",
};

/* ---- frames ---- */

struct frame {
	uint8_t bytes[MAX_FRAME];
	uint32_t len;
};

static void
put16(struct frame *f, uint32_t v)
{
	f->bytes[f->len++] = (uint8_t)(v >> 8);
	f->bytes[f->len++] = (uint8_t)v;
}

/* Up to two tags, given as TPID << 16 | TCI; then IPv4, TCP or UDP, to port 80 or 53. */
static struct frame
make(uint32_t outer, uint32_t inner, uint8_t protocol, uint32_t payload)
{
	static const uint8_t macs[] = { 2, 0, 0, 0, 0, 0x0b, 2, 0, 0, 0, 0, 0x0a };
	uint32_t head = protocol == 6 ? 20 : 8, total = 20 + head + payload;
	struct frame f = { .len = sizeof(macs) };

	memcpy(f.bytes, macs, sizeof(macs));
	if (outer != 0) {
		put16(&f, outer >> 16);
		put16(&f, outer);
	}
	if (inner != 0) {
		put16(&f, inner >> 16);
		put16(&f, inner);
	}
	put16(&f, 0x800);
	put16(&f, 0x4500);
	put16(&f, total);
	f.len += 4;
	put16(&f, 0x4000u | protocol);
	f.len += 2;
	put16(&f, 0xc000);
	put16(&f, 0x0201);
	put16(&f, 0xc000);
	put16(&f, 0x0202);
	put16(&f, 40000);
	put16(&f, protocol == 6 ? 80 : 53);
	if (protocol == 6) {
		f.len += 8;
		put16(&f, 0x5002);
		f.len += 6;
	} else {
		put16(&f, 8 + payload);
		f.len += 2;
	}
	f.len += payload;
	return f;
}

/* ---- sockets ---- */

static int
packet_socket(int ifindex, int protocol)
{
	const struct sockaddr_ll addr = { .sll_family = AF_PACKET,
					  .sll_protocol = htons((uint16_t)protocol),
					  .sll_ifindex = ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	ck_assert_msg(fd >= 0, "%s", strerror(errno));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Send a frame and wait till it has come: whether the filter accepted it. */
static bool
is_accepted(int sender, int witness, int filtered, const uint8_t *frame, uint32_t len)
{
	struct pollfd there = { .fd = witness, .events = POLLIN };
	uint8_t bytes[12];

	ck_assert_int_eq(send(sender, frame, len, 0), (int)len);
	do {
		ck_assert_msg(poll(&there, 1, 10000) == 1, "a frame never arrived");
	} while (recv(witness, bytes, sizeof(bytes), 0) != sizeof(bytes) ||
		 memcmp(bytes, frame, sizeof(bytes)) != 0);
	return recv(filtered, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
}

static void
attach_classic(int fd, const struct cbpf_insn *insns, size_t n)
{
	const struct sock_fprog prog = { .len = (unsigned short)n,
					 .filter = (struct sock_filter *)(uintptr_t)insns };

	ck_assert_msg(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0,
		      "%s", strerror(errno));
}

/* 0, or what kernel_prog_load() gives. */
static int
attach_lowered(int fd, const struct cbpf_insn *insns, size_t n, enum cbpf_level level,
	       struct ebpf_err *err)
{
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .level = level };
	struct cbpf_lowered lowered;
	struct cbpf_prog *prog;
	int loaded;

	ck_assert_msg(cbpf_check(insns, n, CBPF_DIALECT_KERNEL, &prog, err) == 0, "%s", err->text);
	ck_assert_msg(cbpf_lower(prog, CBPF_TARGET_SOCKET, &opts, &lowered, err) == 0, "%s",
		      err->text);
	cbpf_prog_free(prog);
	loaded = kernel_prog_load(KERNEL_SOCKET_FILTER, lowered.insns, lowered.n_insns, err);
	cbpf_lowered_free(&lowered);
	if (loaded < 0)
		return loaded;
	ck_assert_msg(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &loaded, sizeof(loaded)) == 0,
		      "%s", strerror(errno));
	close(loaded);
	return 0;
}

/* ---- the comparison ---- */

static bool
judge(const char *expr, const struct frame *f)
{
	struct sift_view view;
	struct cbpf_insn *insns;
	struct ebpf_err err = { "" };
	uint32_t verdict;
	size_t n;

	ck_assert_msg(sift_expr_compile(expr, DLT_ETHERNET, SNAPLEN, 0, 0, &insns, &n, &err) == 0,
		      "%s", err.text);
	sift_view_init(&view, DLT_ETHERNET, f->bytes, f->len, f->len);
	verdict = reference_run(insns, CBPF_DIALECT_PCAP, &view, 0).verdict;
	free(insns);
	return verdict != 0;
}

/* A wire with a sender and a witness of all that arrives; false: not here, and said. */
static bool
open_wire(struct veth *veth, int *sender, int *witness)
{
	struct ebpf_err err = { "" };
	int rc = veth_open(veth, &err);

	if (rc == -EPERM || rc == -EOPNOTSUPP) {
		suite_skip("%s", err.text);
		return false;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	*sender = packet_socket(veth->sender, 0);
	*witness = packet_socket(veth->receiver, ETH_P_ALL);
	return true;
}

START_TEST(tags_are_seen_where_the_kernel_has_put_them)
{
	const struct frame frames[] = {
		make(0, 0, 6, 0),                      make(0, 0, 17, 80),
		make(0x81000005, 0, 6, 0),             make(0x81000006, 0, 6, 60),
		make(0x8100e005, 0, 17, 20),           make(0x88a80064, 0x81000005, 6, 0),
		make(0x88a80064, 0x81000006, 17, 58),  make(0x81000007, 0x81000005, 6, 0),
		make(0x91000005, 0, 6, 0),
	};
	int sender, witness, filtered, n_accepted = 0;
	struct ebpf_err err = { "" };
	struct veth veth;

	if (!open_wire(&veth, &sender, &witness))
		return;
	for (size_t e = 0; e < 2 * N_ELEMS(expressions); e++) {
		const char *expr = expressions[e / 2];
		struct cbpf_insn *insns;
		size_t n;
		int rc = 0;

		ck_assert_msg(sift_expr_compile(expr, DLT_ETHERNET, SNAPLEN, 0,
						SIFT_EXPR_TAG_APART, &insns, &n, &err) == 0,
			      "%s: %s", expr, err.text);
		filtered = packet_socket(veth.receiver, ETH_P_ALL);
		if (e % 2 == 0) {
			attach_classic(filtered, insns, n);
		} else if ((rc = attach_lowered(filtered, insns, n, CBPF_LEVEL_2,
						 &err)) == -EPERM ||
			   rc == -EOPNOTSUPP) {
			suite_skip("%s", err.text);
			break;
		}
		ck_assert_msg(rc >= 0, "%s", err.text);
		for (size_t i = 0; i < N_ELEMS(frames); i++) {
			bool accepts = is_accepted(sender, witness, filtered, frames[i].bytes,
						   frames[i].len);

			ck_assert_msg(accepts == judge(expr, &frames[i]), "%s, frame %zu: %d", expr,
				      i, accepts);
			n_accepted += accepts;
		}
		suite_pairs(N_ELEMS(frames));
		close(filtered);
		free(insns);
	}
	ck_assert_int_gt(n_accepted, 20);
	close(sender);
	close(witness);
}
END_TEST

/* ---- all expressions ---- */

/* What the kernel shows of a frame to programs without tags of their own: one tag less. */
static struct sift_view
view_of(const struct diff_packet *p, bool has_tag, uint8_t *stripped)
{
	unsigned type = (unsigned)p->frame[12] << 8 | p->frame[13];
	bool is_tagged = p->len >= 18 && (type == 0x8100 || type == 0x88a8);
	uint32_t gap = is_tagged && !has_tag ? 4 : 0;
	struct sift_view view;

	memcpy(stripped, p->frame, 12);
	memcpy(stripped + 12, p->frame + 12 + gap, p->len - 12 - gap);
	sift_view_init(&view, DLT_ETHERNET, stripped, p->len - gap, p->len - gap);
	return view;
}

/* One expression, in a socket's extended filter; false: none can be loaded. */
static bool
judge_all(const char *expr, enum cbpf_level level, int sender, int witness, int filtered,
	  const struct diff_case *cases, size_t n_cases, uint64_t *n_accepted)
{
	static uint8_t stripped[DIFF_MAX_FRAME];
	bool has_tag = strstr(expr, "vlan") != NULL;
	struct cbpf_insn *plain, *insns;
	struct ebpf_err err = { "" };
	size_t n_plain, n;
	int rc;

	ck_assert_msg(sift_expr_compile(expr, DLT_ETHERNET, SNAPLEN, 0, 0, &plain, &n_plain,
					&err) == 0, "%s: %s", expr, err.text);
	ck_assert_msg(sift_expr_compile(expr, DLT_ETHERNET, SNAPLEN, 0, SIFT_EXPR_TAG_APART, &insns,
					&n, &err) == 0, "%s: %s", expr, err.text);
	rc = attach_lowered(filtered, insns, n, level, &err);
	for (size_t c = 0; c < n_cases && rc == 0; c++) {
		for (size_t i = 0; i < DIFF_PACKETS; i++) {
			const struct diff_packet *p = &cases[c].packets[i];
			struct sift_view view;
			bool accepts, expected;

			if (p->len < 14)
				continue;
			view = view_of(p, has_tag, stripped);
			expected = reference_run(plain, CBPF_DIALECT_KERNEL, &view, 0).verdict != 0;
			accepts = is_accepted(sender, witness, filtered, p->frame, p->len);
			ck_assert_msg(accepts == expected, "%s, level %d, case %zu, packet %zu: %d",
				      expr, (int)level - CBPF_LEVEL_0, c, i, accepts);
			*n_accepted += accepts;
		}
	}
	free(plain);
	free(insns);
	if (rc == -EPERM || rc == -EOPNOTSUPP)
		suite_skip("%s", err.text);
	else
		ck_assert_msg(rc == 0, "%s: %s", expr, err.text);
	return rc == 0;
}

START_TEST(expressions_judge_in_a_socket)
{
	enum { N_CASES = 13 };
	static struct diff_case cases[N_CASES];
	uint64_t scale = suite_scaled(100), n = 0, n_tried = 0, n_accepted = 0;
	const char *srcdir = getenv("srcdir");
	char line[512], path[512];
	struct veth veth;
	FILE *list;
	int sender, witness, filtered;

	if (!open_wire(&veth, &sender, &witness))
		return;
	filtered = packet_socket(veth.receiver, ETH_P_ALL);
	for (uint64_t c = 0; c < N_CASES; c++)
		diff_case_init(&cases[c], CBPF_DIALECT_KERNEL, 77, c);
	snprintf(path, sizeof(path), "%s/tests/cli/expressions.txt", srcdir != NULL ? srcdir : ".");
	ck_assert_msg((list = fopen(path, "r")) != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), list) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "EN10MB\t", 7) != 0 || strstr(line, "protochain") != NULL ||
		    61 * n++ % 100 >= scale)
			continue;
		if (!judge_all(line + 7, (enum cbpf_level)(CBPF_LEVEL_0 + n % 3), sender, witness,
			       filtered, cases, N_CASES, &n_accepted))
			break;
		n_tried++;
	}
	fclose(list);
	suite_pairs(n_tried * N_CASES * DIFF_PACKETS);
	ck_assert(n_tried < 100 || n_accepted > 10 * n_tried);
	for (uint64_t c = 0; c < N_CASES; c++)
		diff_case_fini(&cases[c]);
	close(sender);
	close(witness);
	close(filtered);
}
END_TEST

START_TEST(without_vlan_the_program_is_the_plain_one)
{
	static const char *const plain[] = { "tcp port 80", "ether host 2:0:0:0:0:1", "" };
	struct cbpf_insn *a, *b;
	size_t n_a, n_b;

	for (size_t i = 0; i < N_ELEMS(plain); i++) {
		ck_assert_int_eq(sift_expr_compile(plain[i], DLT_ETHERNET, SNAPLEN, 0, 0, &a, &n_a,
						   NULL), 0);
		ck_assert_int_eq(sift_expr_compile(plain[i], DLT_ETHERNET, SNAPLEN, 0,
						   SIFT_EXPR_TAG_APART, &b, &n_b, NULL), 0);
		ck_assert_uint_eq(n_a, n_b);
		ck_assert_mem_eq(a, b, n_a * sizeof(*a));
		free(a);
		free(b);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/vlan");
	TCase *tc = tcase_create("veth");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, tags_are_seen_where_the_kernel_has_put_them);
	tcase_add_test(tc, expressions_judge_in_a_socket);
	tcase_add_test(tc, without_vlan_the_program_is_the_plain_one);
	suite_add_tcase(s, tc);
	return s;
}
