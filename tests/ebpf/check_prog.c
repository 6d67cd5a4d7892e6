/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs as objects: what loads keep and refuse, and what they do without memory. */
#include "config.h"

#include "ebpf/insn.h"
#include "ebpf/prog.h"
#include "ebpf/prog_alloc.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- allocations fail on request: -Wl,--wrap=calloc, realloc, mmap[64], mremap ---- */

/* Where off_t is made to have 64 bits, mmap() has another name. */
#ifdef _FILE_OFFSET_BITS
#define __wrap_mmap __wrap_mmap64
#define __real_mmap __real_mmap64
#endif
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);

void *__real_mremap(void *addr, size_t old_len, size_t len, int flags, ...);
void *__wrap_mremap(void *addr, size_t old_len, size_t len, int flags, ...);

static long fail_after = -1;    /* allocations that still work; -1: all */

static int
fails(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *
__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return fails() ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, off);
}

void *
__wrap_mremap(void *addr, size_t old_len, size_t len, int flags, ...)
{
	return fails() ? MAP_FAILED : __real_mremap(addr, old_len, len, flags);
}

#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define K_EXIT K(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)
#define K_MOV K(EBPF_ALU64 | EBPF_MOV, 0, 0, 0, 1)

static const struct ebpf_insn small[] = { K_MOV, K_EXIT };

static int
load_new(struct ebpf_prog **prog, struct ebpf_err *err)
{
	return ebpf_prog_load(ebpf_prog_type_raw(), small, 2, prog, err);
}

static int
load_trusted_new(struct ebpf_prog **prog, struct ebpf_err *err)
{
	return ebpf_prog_load_trusted(ebpf_prog_type_raw(), small, 2, NULL, prog, err);
}

START_TEST(each_failed_allocation_leaves_nothing_behind)
{
	static int (*const loaders[])(struct ebpf_prog **, struct ebpf_err *) = {
		load_new, load_trusted_new,
	};
	static const int n_allocations[] = { 3, 6 };
	struct ebpf_prog *prog = NULL;
	int rc = -ENOMEM, n = 0;

	for (; rc == -ENOMEM; n++) {
		struct ebpf_err err = { "" };

		fail_after = n;
		rc = loaders[_i](&prog, &err);
		fail_after = -1;
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_str_eq(err.text, "program of 2 instructions: out of memory");
		ck_assert_ptr_null(prog);
	}
	ck_assert_int_eq(n, n_allocations[_i]);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(a_checked_run_and_the_assembler_survive_without_memory)
{
	struct ebpf_insn *insns = NULL;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint64_t r0 = 7;
	size_t n;

	ck_assert_int_eq(load_trusted_new(&prog, NULL), 0);
	for (long i = 0; i < 2; i++) {
		fail_after = i;
		ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, &err), -ENOMEM);
		ck_assert_uint_eq(r0, 7);
	}
	fail_after = 0;
	ck_assert_int_eq(ebpf_asm("exit", 4, &insns, &n, &err), -ENOMEM);
	fail_after = -1;
	ck_assert_str_eq(err.text, "line 1: out of memory");
	ck_assert_ptr_null(insns);
	ebpf_prog_put(prog);
}
END_TEST

/* ---- the object ---- */

START_TEST(a_program_keeps_its_instructions)
{
	struct ebpf_insn insns[2];
	const struct ebpf_insn *kept;
	struct ebpf_prog *prog;
	size_t n;

	memcpy(insns, small, sizeof(insns));
	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), insns, 2, &prog, NULL), 0);
	memset(insns, 0, sizeof(insns));
	kept = ebpf_prog_insns(prog, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_mem_eq(kept, small, sizeof(small));
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(a_program_lives_until_its_last_reference_goes)
{
	struct ebpf_prog *prog, *same;

	ck_assert_int_eq(load_trusted_new(&prog, NULL), 0);
	same = ebpf_prog_get(prog);
	ck_assert_ptr_eq(same, prog);
	ebpf_prog_put(prog);
	ck_assert_uint_eq(ebpf_prog_run(same, 0, 0), 1);
	ebpf_prog_put(same);
	ebpf_prog_put(NULL);
}
END_TEST

START_TEST(length_has_limits)
{
	struct ebpf_insn *insns = calloc(EBPF_MAXINSNS + 1, sizeof(*insns));
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), small, 0, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "program has no instructions");
	for (size_t i = 0; i <= EBPF_MAXINSNS; i++)
		insns[i] = small[i == EBPF_MAXINSNS - 1];
	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), insns, EBPF_MAXINSNS + 1, &prog,
					&err), -E2BIG);
	ck_assert_str_eq(err.text, "program has 1000001 instructions, limit is 1000000");
	ck_assert_int_eq(ebpf_prog_load_trusted(ebpf_prog_type_raw(), insns, EBPF_MAXINSNS, NULL,
						&prog, &err), 0);
	ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 1);
	ebpf_prog_put(prog);
	free(insns);
}
END_TEST

/* ---- form ---- */

static const struct {
	struct ebpf_insn insns[3];
	size_t n;
	const char *err;
} malformed[] = {
	{ { K(0xff, 0, 0, 0, 0) }, 1, "insn 0: unknown code 0xff" },
	{ { K_MOV, K(0x8d, 0, 0, 0, 2) }, 2, "insn 1: call through a register" },
	{ { K(0x85, 0, 2, 0, 2) }, 1, "insn 0: call of a kernel function" },
	{ { K(0x85, 0, 3, 0, 2) }, 1, "insn 0: code 0x85 has no form with source 3" },
	{ { K(0xbf, 0, 1, 1, 0) }, 1, "insn 0: code 0xbf has no form with offset 1" },
	{ { K(0xbc, 0, 1, 32, 0) }, 1, "insn 0: code 0xbc has no form with offset 32" },
	{ { K(0xdb, 0, 1, 0, 0x77) }, 1, "insn 0: code 0xdb has no form with immediate 0x77" },
	{ { K(0xd4, 0, 0, 0, 8) }, 1, "insn 0: code 0xd4 has no form with immediate 0x8" },
	{ { K(0x95, 1, 0, 0, 0) }, 1, "insn 0: unused destination is 1, not 0" },
	{ { K(0xb7, 1, 2, 0, 0) }, 1, "insn 0: unused source is 2, not 0" },
	{ { K(0xb7, 1, 0, 3, 0) }, 1, "insn 0: unused offset is 3, not 0" },
	{ { K(0x07, 1, 0, 3, 0) }, 1, "insn 0: unused offset is 3, not 0" },
	{ { K(0x0f, 1, 2, 0, -4) }, 1, "insn 0: unused immediate is -4, not 0" },
	{ { K(0x07, 11, 0, 0, 0) }, 1, "insn 0: no register r11" },
	{ { K(0x0f, 1, 15, 0, 0) }, 1, "insn 0: no register r15" },
	{ { K(0x07, 10, 0, 0, 1) }, 1, "insn 0: writes r10, which is read-only" },
	{ { K(0x79, 10, 1, 0, 0) }, 1, "insn 0: writes r10, which is read-only" },
	{ { K(0xdb, 1, 10, 0, 1) }, 1, "insn 0: writes r10, which is read-only" },
	{ { K(0x18, 1, 0, 0, 0) }, 1, "insn 0: second half is missing" },
	{ { K(0x18, 1, 0, 0, 0), K_EXIT }, 2, "insn 0: second half has more than an immediate" },
	{ { K(0x18, 1, 3, 0, 0), { 0 } }, 2,
	  "insn 0: loads a var, and program type raw has none" },
	{ { K(0x28, 0, 0, 0, 12) }, 1, "insn 0: packet load, and program type raw has no packet" },
};

START_TEST(malformed_programs_are_refused_by_both_loaders)
{
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), malformed[_i].insns, malformed[_i].n,
					&prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, malformed[_i].err);
	ck_assert_int_eq(ebpf_prog_load_trusted(ebpf_prog_type_raw(), malformed[_i].insns,
						malformed[_i].n, NULL, &prog, NULL), -EINVAL);
	ck_assert_ptr_null(prog);
}
END_TEST

/* ---- structure: what only trusted programs must have ---- */

#define JA(o) K(EBPF_JMP | EBPF_JA, 0, 0, o, 0)
#define CALL(i) K(EBPF_JMP | EBPF_CALL, 0, 1, 0, i)

static const struct {
	struct ebpf_insn insns[20];
	size_t n;
	int rc;
	const char *err;
} unstructured[] = {
	{ { JA(5), K_EXIT }, 2, -EINVAL, "insn 0: jump to 6, but the program has 2" },
	{ { K_MOV, JA(-3), K_EXIT }, 3, -EINVAL, "insn 1: jump to -1, but the program has 3" },
	{ { JA(1), K(0x18, 0, 0, 0, 0), { 0 }, K_EXIT }, 4, -EINVAL,
	  "insn 0: jump to 2, the second half of an instruction" },
	{ { CALL(2), JA(1), K_EXIT, K_MOV, K_EXIT }, 5, -EINVAL,
	  "insn 1: jump to 3, into another function" },
	{ { CALL(7), K_EXIT }, 2, -EINVAL, "insn 0: call to 8, but the program has 2" },
	{ { CALL(2), K_EXIT, K(0x18, 0, 0, 0, 0), { 0 }, K_EXIT }, 5, -EINVAL,
	  "insn 0: call to 3, the second half of an instruction" },
	{ { K_MOV, K_MOV }, 2, -EINVAL, "insn 1: last of its function, but neither exit nor goto" },
	{ { CALL(1), K_MOV, K_EXIT }, 3, -EINVAL,
	  "insn 1: last of its function, but neither exit nor goto" },
	{ { K(0x15, 0, 0, -1, 0) }, 1, -EINVAL,
	  "insn 0: last of its function, but neither exit nor goto" },
	{ { K_EXIT, K(0x18, 0, 0, 0, 0), { 0 } }, 3, -EINVAL,
	  "insn 2: last of its function, but neither exit nor goto" },
	{ { K(0x85, 0, 0, 0, 4711), K_EXIT }, 2, -EINVAL,
	  "insn 0: program type raw has no helper 4711" },
	{ { CALL(-1), K_EXIT }, 2, -E2BIG, "insn 0: calls nested deeper than 8 frames" },
	{ { CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT,
	    CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT, K_EXIT }, 17, -E2BIG,
	  "insn 14: calls nested deeper than 8 frames" },
	{ { CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT, CALL(1), K_EXIT,
	    CALL(1), K_EXIT, CALL(1), K_EXIT, K_EXIT }, 15, 0, "" },
};

START_TEST(unstructured_programs_are_not_trusted)
{
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err = { "" };
	int rc = ebpf_prog_load_trusted(ebpf_prog_type_raw(), unstructured[_i].insns,
					unstructured[_i].n, NULL, &prog, &err);

	ck_assert_str_eq(err.text, unstructured[_i].err);
	ck_assert_int_eq(rc, unstructured[_i].rc);
	ck_assert(rc == 0 || prog == NULL);
	ebpf_prog_put(prog);
}
END_TEST

/* Slots that fit the pages, more than those, and fewer again. */
START_TEST(growth_keeps_what_is_there)
{
	static const size_t sizes[] = { 2, 30, 100000, 30 };
	struct ebpf_prog *prog = ebpf_prog_alloc(ebpf_prog_type_raw(), small, 2), *moved;

	ck_assert_ptr_nonnull(prog);
	prog->n_frames = 3;
	for (size_t i = 0; i < 3; i++)
		prog->code[i].imm = 100 + (int32_t)i;
	for (size_t n = 0; n < N_ELEMS(sizes); n++) {
		bool fits = ebpf_round_to_pages(sizeof(*prog) + (sizes[n] + 1) *
						sizeof(struct ebpf_decoded)) == prog->aux->n_bytes;

		moved = ebpf_prog_realloc(prog, sizes[n]);
		ck_assert_ptr_nonnull(moved);
		ck_assert(!fits || moved == prog);
		prog = moved;
		ck_assert_uint_eq(prog->n_insns, sizes[n]);
		ck_assert_uint_eq(prog->n_frames, 3);
		for (size_t i = 0; i <= sizes[n]; i++)
			ck_assert_int_eq(prog->code[i].imm, i < 3 ? 100 + (int32_t)i : 0);
	}
	fail_after = 0;
	ck_assert_ptr_null(ebpf_prog_realloc(prog, 200000));
	fail_after = -1;
	ck_assert_uint_eq(prog->n_insns, 30);
	ebpf_prog_free(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/prog");
	TCase *tc = tcase_create("programs");

	tcase_add_loop_test(tc, each_failed_allocation_leaves_nothing_behind, 0, 2);
	tcase_add_test(tc, a_checked_run_and_the_assembler_survive_without_memory);
	tcase_add_test(tc, a_program_keeps_its_instructions);
	tcase_add_test(tc, a_program_lives_until_its_last_reference_goes);
	tcase_add_test(tc, length_has_limits);
	tcase_add_loop_test(tc, malformed_programs_are_refused_by_both_loaders, 0,
			    N_ELEMS(malformed));
	tcase_add_loop_test(tc, unstructured_programs_are_not_trusted, 0, N_ELEMS(unstructured));
	tcase_add_test(tc, growth_keeps_what_is_there);
	suite_add_tcase(s, tc);
	return s;
}
