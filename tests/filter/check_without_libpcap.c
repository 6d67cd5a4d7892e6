/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library does without libpcap, under other names so that it is
 * tested in either build: its link types against libpcap's, where there is one,
 * and how the rest is refused.
 */
#define sift_linktype_from_name without_linktype_from_name
#define sift_linktype_name without_linktype_name
#define sift_linktype_description without_linktype_description
#define sift_savefile_linktype without_savefile_linktype
#define sift_libpcap_version without_libpcap_version
#define sift_expr_compile without_expr_compile
#define sift_source_open_savefile without_source_open_savefile
#define sift_source_open_savefile_opts without_source_open_savefile_opts
#define sift_source_open_live without_source_open_live
#define sift_interfaces_list without_interfaces_list
#define sift_interfaces_free without_interfaces_free
#define sift_tstamp_type_exists without_tstamp_type_exists
#define sift_tstamp_types_list without_tstamp_types_list
#include "filter/without_libpcap.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef HAVE_PCAP
#include <pcap/pcap.h>
#endif

#include "tests/support/suite.h"

static const struct {
	const char *name;
	int dlt;
} names[] = { { "EN10MB", 1 }, { "en10mb", 1 }, { "Linux_SLL2", 276 }, { "RAW", 12 }, { "NULL", 0 } };

START_TEST(finds_names_in_either_case)
{
	int dlt = -7;

	ck_assert_int_eq(sift_linktype_from_name(names[_i].name, &dlt), 0);
	ck_assert_int_eq(dlt, names[_i].dlt);
	ck_assert_int_eq(strcasecmp(sift_linktype_name(dlt), names[_i].name), 0);
}
END_TEST

START_TEST(knows_no_other_names)
{
	static const char *const others[] = { "", "EN10M", "EN10MB ", "EN10MBX", "DLT_EN10MB" };
	int dlt = -7;

	for (size_t i = 0; i < N_ELEMS(others); i++)
		ck_assert_int_eq(sift_linktype_from_name(others[i], &dlt), -ENOENT);
	ck_assert_int_eq(dlt, -7);
	ck_assert_ptr_null(sift_linktype_name(-1));
	ck_assert_ptr_null(sift_linktype_name(147));
}
END_TEST

START_TEST(has_numbers_for_savefiles)
{
	static const struct {
		int dlt;
		uint32_t linktype;
	} rows[] = { { 1, 1 }, { 12, 101 }, { 147, 147 }, { 162, 162 }, { 289, 289 } };
	static const int none[] = { -1, 13, 48, 290, 1 << 20 };
	uint32_t linktype;
	char want[64];

	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		ck_assert_int_eq(sift_savefile_linktype(rows[i].dlt, &linktype, NULL), 0);
		ck_assert_uint_eq(linktype, rows[i].linktype);
	}
	linktype = 4711;
	for (size_t i = 0; i < N_ELEMS(none); i++) {
		struct ebpf_err err = { "" };

		snprintf(want, sizeof(want), "savefiles have no number for link type %d", none[i]);
		ck_assert_int_eq(sift_savefile_linktype(none[i], &linktype, &err), -EINVAL);
		ck_assert_str_eq(err.text, want);
	}
	ck_assert_uint_eq(linktype, 4711);
}
END_TEST

#ifdef HAVE_PCAP
/* An older libpcap knows fewer names, a newer one more. */
START_TEST(names_are_libpcaps)
{
	unsigned n_same = 0;

	for (size_t i = 0; i < N_LINKTYPES; i++) {
		const char *theirs = pcap_datalink_val_to_name(linktypes[i].dlt);

		if (theirs == NULL)
			continue;
		ck_assert_str_eq(linktypes[i].name, theirs);
		ck_assert_int_eq(pcap_datalink_name_to_val(linktypes[i].name), linktypes[i].dlt);
		n_same++;
	}
	ck_assert_uint_ge(n_same, 140);
}
END_TEST

START_TEST(numbers_in_savefiles_are_libpcaps)
{
	enum { LINKTYPE_AT = 20 };
	unsigned n_same = 0;

	for (int dlt = -1; dlt <= COMMON_MAX; dlt++) {
		uint32_t ours, theirs = 4711;
		char *bytes = NULL;
		size_t len = 0;
		FILE *memory = open_memstream(&bytes, &len);
		pcap_t *pcap = pcap_open_dead(dlt, 1);
		pcap_dumper_t *dumper = pcap_dump_fopen(pcap, memory);
		int rc = sift_savefile_linktype(dlt, &ours, NULL);

		ck_assert_msg((dumper != NULL) == (rc == 0), "dlt %d: we say %d", dlt, rc);
		if (dumper != NULL)
			pcap_dump_close(dumper);
		else
			fclose(memory);
		if (rc == 0) {
			memcpy(&theirs, bytes + LINKTYPE_AT, sizeof(theirs));
			ck_assert_msg(ours == theirs, "dlt %d: %u, libpcap has %u", dlt, ours,
				      theirs);
			n_same++;
		}
		pcap_close(pcap);
		free(bytes);
	}
	ck_assert_uint_ge(n_same, 190);
}
END_TEST
#else
START_TEST(is_libpcaps)
{
	suite_skip("built without libpcap: not compared with it");
}
END_TEST
#endif

static void
no_type(void *arg, const char *name, const char *description)
{
	(void)arg, (void)description;
	ck_abort_msg("%s", name);
}

START_TEST(refuses_the_rest)
{
	int untouched;
	void *const mark = &untouched;
	struct cbpf_insn *insns = mark;
	struct sift_source *source = mark;
	struct sift_interface *list = mark;
	struct ebpf_err err = { "" };
	size_t n = 77;

	ck_assert_int_eq(sift_expr_compile("ip", 1, 65535, SIFT_NETMASK_UNKNOWN, 0, &insns, &n,
					   &err),
			 -ENOTSUP);
	ck_assert_str_eq(err.text, "expressions need libpcap, built without it");
	ck_assert_int_eq(sift_source_open_savefile("web.pcap", &source, &err), -ENOTSUP);
	ck_assert_str_eq(err.text,
			 "web.pcap: reading savefiles needs libpcap, built without it");
	ck_assert_int_eq(sift_source_open_savefile_opts("web.pcap", NULL, &source, &err), -ENOTSUP);
	ck_assert_int_eq(sift_source_open_live("eth0", NULL, &source, &err), -ENOTSUP);
	ck_assert_str_eq(err.text, "eth0: capturing needs libpcap, built without it");
	ck_assert_int_eq(sift_interfaces_list(&list, &n, &err), -ENOTSUP);
	ck_assert_str_eq(err.text, "listing interfaces needs libpcap, built without it");
	ck_assert_ptr_eq(insns, mark);
	ck_assert_ptr_eq(source, mark);
	ck_assert_ptr_eq(list, mark);
	ck_assert_uint_eq(n, 77);
	ck_assert_int_eq(sift_tstamp_type_exists("adapter"), 0);
	ck_assert_int_eq(sift_tstamp_types_list("eth0", no_type, NULL, &err), -ENOTSUP);
	ck_assert_str_eq(err.text, "eth0: built without libpcap");
	sift_interfaces_free(NULL, 0);
	ck_assert_ptr_null(sift_linktype_description(1));
	ck_assert_str_eq(sift_libpcap_version(), "without libpcap");
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/without_libpcap");
	TCase *tc = tcase_create("rows");

	tcase_add_loop_test(tc, finds_names_in_either_case, 0, (int)N_ELEMS(names));
	tcase_add_test(tc, knows_no_other_names);
	tcase_add_test(tc, has_numbers_for_savefiles);
#ifdef HAVE_PCAP
	tcase_add_test(tc, names_are_libpcaps);
	tcase_add_test(tc, numbers_in_savefiles_are_libpcaps);
#else
	tcase_add_test(tc, is_libpcaps);
#endif
	tcase_add_test(tc, refuses_the_rest);
	suite_add_tcase(s, tc);
	return s;
}
