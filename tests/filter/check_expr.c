/* SPDX-License-Identifier: BSD-2-Clause */
/* Expressions: the program is libpcap's own, and so is the message. */
#include "config.h"

#include "tests/support/suite.h"

#include <bpfsift/filter.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define SNAPLEN 262144

static const struct {
	const char *expr;
	int dlt;
	uint32_t netmask;
} accepted[] = {
	{ "ip", DLT_EN10MB, SIFT_NETMASK_UNKNOWN },
	{ "tcp port 80 and host 10.0.0.1", DLT_EN10MB, SIFT_NETMASK_UNKNOWN },
	{ "outbound", DLT_LINUX_SLL, SIFT_NETMASK_UNKNOWN },
	{ "ip6 protochain 6", DLT_EN10MB, SIFT_NETMASK_UNKNOWN },
	{ "vlan 5 and udp", DLT_EN10MB, SIFT_NETMASK_UNKNOWN },
	{ "ip broadcast", DLT_EN10MB, 0 },
	{ "ip broadcast", DLT_EN10MB, 0x00ffffff },
	{ "ip[2:2] > 100 or less 60", DLT_RAW, SIFT_NETMASK_UNKNOWN },
	{ "", DLT_IEEE802_11_RADIO, SIFT_NETMASK_UNKNOWN },
};

static void
check_same_program(int i, unsigned flags)
{
	pcap_t *pcap = pcap_open_dead(accepted[i].dlt, SNAPLEN);
	struct bpf_program want;
	struct cbpf_insn *insns;
	struct ebpf_err err;
	size_t n;

	ck_assert_int_eq(pcap_compile(pcap, &want, accepted[i].expr,
				      (flags & SIFT_EXPR_NO_OPTIMIZE) == 0, accepted[i].netmask),
			 0);
	ck_assert_int_eq(sift_expr_compile(accepted[i].expr, accepted[i].dlt, SNAPLEN,
					   accepted[i].netmask, flags, &insns, &n, &err),
			 0);
	ck_assert_uint_eq(n, want.bf_len);
	for (size_t j = 0; j < n; j++) {
		ck_assert_uint_eq(insns[j].code, want.bf_insns[j].code);
		ck_assert_uint_eq(insns[j].jt, want.bf_insns[j].jt);
		ck_assert_uint_eq(insns[j].jf, want.bf_insns[j].jf);
		ck_assert_uint_eq(insns[j].k, want.bf_insns[j].k);
	}
	free(insns);
	pcap_freecode(&want);
	pcap_close(pcap);
}

START_TEST(gives_libpcaps_program)
{
	check_same_program(_i, 0);
	check_same_program(_i, SIFT_EXPR_NO_OPTIMIZE);
}
END_TEST

START_TEST(leaves_the_optimiser_out_on_request)
{
	struct cbpf_insn *plain, *optimised;
	size_t n_plain, n_optimised;

	ck_assert_int_eq(sift_expr_compile("tcp port 80", DLT_EN10MB, SNAPLEN, 0,
					   SIFT_EXPR_NO_OPTIMIZE, &plain, &n_plain, NULL),
			 0);
	ck_assert_int_eq(sift_expr_compile("tcp port 80", DLT_EN10MB, SNAPLEN, 0, 0, &optimised,
					   &n_optimised, NULL),
			 0);
	ck_assert_uint_gt(n_plain, n_optimised);
	free(plain);
	free(optimised);
}
END_TEST

static const char *const nothing[] = { NULL, "", "  " };

START_TEST(accepts_all_without_an_expression)
{
	struct cbpf_insn *insns;
	size_t n;

	ck_assert_int_eq(sift_expr_compile(nothing[_i], DLT_EN10MB, 96, SIFT_NETMASK_UNKNOWN, 0,
					   &insns, &n, NULL),
			 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(insns[0].code, CBPF_RET | CBPF_K);
	ck_assert_uint_eq(insns[0].k, 96);
	free(insns);
}
END_TEST

START_TEST(ip_broadcast_without_a_netmask_takes_the_two_fixed_addresses)
{
	struct cbpf_insn *insns;
	size_t n, n_found = 0;

	ck_assert_int_eq(sift_expr_compile("ip broadcast", DLT_EN10MB, SNAPLEN, 0, 0, &insns, &n,
					   NULL),
			 0);
	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (CBPF_JMP | CBPF_JEQ | CBPF_K))
			n_found += insns[i].k == 0 || insns[i].k == 0xffffffff;
	ck_assert_uint_eq(n_found, 2);
	free(insns);
}
END_TEST

static const struct {
	const char *expr;
	int dlt;
	uint32_t snaplen;
	uint32_t netmask;
	unsigned flags;
	const char *err;        /* NULL: whatever libpcap says */
} refused[] = {
	{ "tcp and", DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "port 80 and (", DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "ip broadcast", DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "ether host 1:2:3:4:5:6", DLT_RAW, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "ip", 99999, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "ip and tcp[0] = 1 and ip6", DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "ip", DLT_EN10MB, 0, SIFT_NETMASK_UNKNOWN, 0, NULL },
	{ "ip", DLT_EN10MB, 0x80000000, SIFT_NETMASK_UNKNOWN, 0,
	  "snapshot length 2147483648, but the limit is 2147483647" },
	{ "ip", DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 16, "unknown flags 0x10" },
};

/* The address family before a loopback frame has the byte order of its host. */
START_TEST(compiles_for_savefiles_of_the_other_byte_order)
{
	static const unsigned flags[] = { 0, SIFT_EXPR_SAVEFILE, SIFT_EXPR_SWAPPED,
					  SIFT_EXPR_SAVEFILE | SIFT_EXPR_SWAPPED };
	uint32_t family[N_ELEMS(flags)];

	for (size_t i = 0; i < N_ELEMS(flags); i++) {
		struct cbpf_insn *insns;
		struct ebpf_err err;
		size_t n;

		ck_assert_int_eq(sift_expr_compile("ip", DLT_NULL, SNAPLEN, 0, flags[i], &insns, &n,
						   &err),
				 0);
		ck_assert_uint_gt(n, 1);
		family[i] = insns[1].k;
		free(insns);
	}
	ck_assert_uint_eq(family[0], family[1]);
	ck_assert_uint_eq(family[2], family[3]);
	/* AF_INET is 2 everywhere: one of them has it in the first byte. */
	ck_assert_uint_eq(family[0] ^ family[2], 0x02000002);
}
END_TEST

START_TEST(savefiles_know_nothing_of_the_kernels)
{
	struct cbpf_insn *insns = NULL;
	struct ebpf_err err;
	size_t n;

	ck_assert_int_eq(sift_expr_compile("inbound", DLT_EN10MB, SNAPLEN, 0, SIFT_EXPR_SAVEFILE,
					   &insns, &n, &err),
			 -EINVAL);
	ck_assert_ptr_null(insns);
	ck_assert_msg(strstr(err.text, "when reading savefiles") != NULL, "%s", err.text);
}
END_TEST

START_TEST(refuses_with_libpcaps_message)
{
	struct cbpf_insn untouched, *insns = &untouched;
	struct bpf_program program;
	struct ebpf_err err = { "" };
	size_t n = 4711;

	ck_assert_int_eq(sift_expr_compile(refused[_i].expr, refused[_i].dlt, refused[_i].snaplen,
					   refused[_i].netmask, refused[_i].flags, &insns, &n,
					   &err),
			 -EINVAL);
	ck_assert_ptr_eq(insns, &untouched);
	ck_assert_uint_eq(n, 4711);
	if (refused[_i].err != NULL) {
		ck_assert_str_eq(err.text, refused[_i].err);
	} else {
		pcap_t *pcap = pcap_open_dead(refused[_i].dlt, (int)refused[_i].snaplen);

		ck_assert_int_eq(pcap_compile(pcap, &program, refused[_i].expr, 1,
					      refused[_i].netmask),
				 -1);
		ck_assert_str_eq(err.text, pcap_geterr(pcap));
		ck_assert_str_ne(err.text, "");
		pcap_close(pcap);
	}
	ck_assert_int_eq(sift_expr_compile(refused[_i].expr, refused[_i].dlt, refused[_i].snaplen,
					   refused[_i].netmask, refused[_i].flags, &insns, &n,
					   NULL),
			 -EINVAL);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/expr");
	TCase *tc = tcase_create("expr");

	tcase_add_loop_test(tc, gives_libpcaps_program, 0, (int)N_ELEMS(accepted));
	tcase_add_test(tc, leaves_the_optimiser_out_on_request);
	tcase_add_loop_test(tc, accepts_all_without_an_expression, 0, (int)N_ELEMS(nothing));
	tcase_add_test(tc, ip_broadcast_without_a_netmask_takes_the_two_fixed_addresses);
	tcase_add_test(tc, compiles_for_savefiles_of_the_other_byte_order);
	tcase_add_test(tc, savefiles_know_nothing_of_the_kernels);
	tcase_add_loop_test(tc, refuses_with_libpcaps_message, 0, (int)N_ELEMS(refused));
	suite_add_tcase(s, tc);
	return s;
}
