/* SPDX-License-Identifier: BSD-2-Clause */
/* Tags: known ones, what they leave out, and those of the running kernel. */
#include "config.h"

#include "ebpf/tag.h"

#include "ebpf/insn.h"
#include "tests/support/random_prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, i) K(EBPF_ALU64 | EBPF_MOV, d, 0, 0, i)
#define EXIT_ K(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)
#define LDDW_(src, i) K(EBPF_LD | EBPF_IMM | EBPF_DW, 1, src, 0, i)
#define SECOND(i) K(0, 0, 0, 0, i)

static const struct ebpf_insn seven[] = { MOV(0, 7), EXIT_ };

#ifdef HAVE_LIBMD

START_TEST(known_tags)
{
	static const uint8_t sha256[] = { 0x9e, 0xfe, 0x88, 0x73, 0x12, 0x07, 0x41, 0xb3 };
	static const uint8_t sha1[] = { 0x89, 0x23, 0xda, 0xd8, 0x31, 0xf6, 0xfb, 0x51 };
	uint8_t tag[EBPF_TAG_SIZE];
	struct ebpf_prog *prog;

	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), seven, 2, &prog, NULL), 0);
	ck_assert_int_eq(ebpf_prog_tag(prog, tag, NULL), 0);
	ck_assert_mem_eq(tag, sha256, sizeof(tag));
	ck_assert_int_eq(ebpf_prog_tag_sha1(prog, tag, NULL), 0);
	ck_assert_mem_eq(tag, sha1, sizeof(tag));
	ebpf_prog_put(prog);
}
END_TEST

/* Both halves of what names a map by descriptor, and of nothing else. */
START_TEST(descriptors_of_maps_do_not_count)
{
	for (uint8_t src = 0; src <= 6; src++) {
		struct ebpf_insn a[] = { LDDW_(src & 0xf, 3), SECOND(4), EXIT_ };
		struct ebpf_insn b[] = { LDDW_(src & 0xf, 5), SECOND(4), EXIT_ };
		struct ebpf_insn c[] = { LDDW_(src & 0xf, 3), SECOND(6), EXIT_ };
		uint8_t tags[3][EBPF_TAG_SIZE];

		ck_assert_int_eq(ebpf_tag(a, 3, tags[0], NULL), 0);
		ck_assert_int_eq(ebpf_tag(b, 3, tags[1], NULL), 0);
		ck_assert_int_eq(ebpf_tag(c, 3, tags[2], NULL), 0);
		ck_assert_int_eq(memcmp(tags[0], tags[1], EBPF_TAG_SIZE) == 0,
				 src == 1 || src == 2);
		ck_assert_int_eq(memcmp(tags[0], tags[2], EBPF_TAG_SIZE) == 0,
				 src == 1 || src == 2);
	}
}
END_TEST

/* ---- the kernel's ---- */

#if defined(__linux__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct ebpf_insn), "one is copied to the other");

static int
sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int
kernel_map(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	return sys_bpf(BPF_MAP_CREATE, &attr);
}

/* 0, or -1 with errno. */
static int
kernel_tag(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE])
{
	struct bpf_prog_info info;
	union bpf_attr attr;
	int fd, rc;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t)"BSD";
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return -1;
	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	rc = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	memcpy(tag, info.tag, EBPF_TAG_SIZE);
	close(fd);
	return rc;
}

/* The kernel's is one of ours, which one depends on its age, and always the same one. */
static void
compare(const struct ebpf_insn *insns, size_t n, int *is_sha1)
{
	uint8_t kernel[EBPF_TAG_SIZE], ours[2][EBPF_TAG_SIZE];
	int which;

	ck_assert_msg(kernel_tag(insns, n, kernel) == 0, "%s", strerror(errno));
	ck_assert_int_eq(ebpf_tag(insns, n, ours[0], NULL), 0);
	ck_assert_int_eq(ebpf_tag_sha1(insns, n, ours[1], NULL), 0);
	which = memcmp(kernel, ours[0], EBPF_TAG_SIZE) == 0   ? 0
		: memcmp(kernel, ours[1], EBPF_TAG_SIZE) == 0 ? 1
							      : -1;
	ck_assert_int_ge(which, 0);
	ck_assert(*is_sha1 < 0 || *is_sha1 == which);
	*is_sha1 = which;
}

START_TEST(tags_are_those_of_the_running_kernel)
{
	uint64_t rng = suite_seed(0x7a6), n_programs = suite_scaled(100);
	uint8_t tag[EBPF_TAG_SIZE];
	int map, is_sha1 = -1;

	if (kernel_tag(seven, 2, tag) < 0) {
		suite_skip("tags of the running kernel: bpf(2): %s", strerror(errno));
		return;
	}
	for (uint64_t i = 0; i < n_programs; i++) {
		struct ebpf_insn insns[40];
		size_t n = 1 + rng_below(&rng, 30);

		for (size_t pc = 0; pc < n; pc++)
			insns[pc] = (struct ebpf_insn)MOV(rng_below(&rng, 10) & 0xf,
							  random_imm(&rng));
		insns[n] = (struct ebpf_insn)MOV(0, 1);
		insns[n + 1] = (struct ebpf_insn)LDDW_(0, random_imm(&rng));
		insns[n + 2] = (struct ebpf_insn)SECOND(random_imm(&rng));
		insns[n + 3] = (struct ebpf_insn)K(EBPF_STX | EBPF_MEM | EBPF_W, 10, 1, -4, 0);
		insns[n + 4] = (struct ebpf_insn)EXIT_;
		compare(insns, n + 5, &is_sha1);
	}
	map = kernel_map();
	ck_assert_int_ge(map, 0);
	for (uint8_t src = 1; src <= 2; src++) {
		struct ebpf_insn insns[] = { LDDW_(src & 0xf, map), SECOND(src == 2 ? 4 : 0),
					     MOV(0, 1),
					     EXIT_ };

		compare(insns, N_ELEMS(insns), &is_sha1);
	}
	close(map);
}
END_TEST

#else

START_TEST(tags_are_those_of_the_running_kernel)
{
	suite_skip("tags of the running kernel: not a little-endian Linux");
}
END_TEST

#endif

#else

START_TEST(without_libmd_there_are_no_tags)
{
	uint8_t tag[EBPF_TAG_SIZE] = { 1 };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), seven, 2, &prog, NULL), 0);
	ck_assert_int_eq(ebpf_prog_tag(prog, tag, &err), -ENOTSUP);
	ck_assert_str_eq(err.text, "tag: this library was built without libmd");
	ck_assert_int_eq(ebpf_prog_tag_sha1(prog, tag, &err), -ENOTSUP);
	ck_assert_uint_eq(tag[0], 1);
	ebpf_prog_put(prog);
}
END_TEST

#endif

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/tag");
	TCase *tc = tcase_create("tags");

#ifdef HAVE_LIBMD
	tcase_add_test(tc, known_tags);
	tcase_add_test(tc, descriptors_of_maps_do_not_count);
	tcase_add_test(tc, tags_are_those_of_the_running_kernel);
#else
	tcase_add_test(tc, without_libmd_there_are_no_tags);
#endif
	suite_add_tcase(s, tc);
	return s;
}
