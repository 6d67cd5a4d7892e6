/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Object files that are damaged: a sound one, made by clang from the source
 * here, cut at every length, and with bytes changed at random.  What opens is
 * loaded and run too; nothing may be touched that is not the object's, which
 * the sanitizers see.
 */
#include "config.h"

#include <bpfsift/ebpf.h>

#include "tests/support/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] =
	"struct { int (*type)[2]; int (*max_entries)[2]; unsigned *key; unsigned long long *value; }\n"
	"	counts __attribute__((section(\".maps\"), used));\n"
	"struct { unsigned t, k, v, n, f; } old __attribute__((section(\"maps\"), used)) = { 1, 4, 8, 4, 0 };\n"
	"static void *(*lookup)(void *, const void *) = (void *)1;\n"
	"int total = 5;\n"
	"__attribute__((noinline)) int twice(int x) { return x * 2 + total; }\n"
	"__attribute__((section(\"xdp\"))) int entry(void *ctx)\n"
	"{ unsigned k = 1; unsigned long long *p = lookup(&counts, &k);\n"
	"  return p ? twice(++*p) + (lookup(&old, &k) == 0) : 0; }\n";

static uint8_t *object;
static size_t object_len;

/* NULL: no clang for the target, or a build without libelf. */
static const char *
make_object(void)
{
	char dir[] = "/tmp/bpfsift-object.XXXXXX", c_name[64], o_name[64], command[256];
	const char *why = NULL;
	FILE *f;

	if (mkdtemp(dir) == NULL)
		return "no temporary directory";
	snprintf(c_name, sizeof(c_name), "%s/a.c", dir);
	snprintf(o_name, sizeof(o_name), "%s/a.o", dir);
	snprintf(command, sizeof(command), "clang -target bpf -O2 -g -c -o %s %s 2>/dev/null",
		 o_name, c_name);
	f = fopen(c_name, "w");
	ck_assert_ptr_nonnull(f);
	fputs(source, f);
	fclose(f);
	if (system(command) != 0) {
		why = "no clang that knows the target bpf";
	} else {
		f = fopen(o_name, "rb");
		ck_assert_ptr_nonnull(f);
		object = malloc(1 << 16);
		object_len = fread(object, 1, 1 << 16, f);
		fclose(f);
		remove(o_name);
	}
	remove(c_name);
	rmdir(dir);
	return why;
}

/* Whether it opens, loads and runs; each refusal is one line. */
static bool
try_object(const uint8_t *bytes, size_t len, uint64_t *r0)
{
	struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = 1000 };
	struct ebpf_object *o = NULL;
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err = { "" };
	uint8_t mem[8] = { 0 };
	int rc = ebpf_object_open(bytes, len, &o, &err);

	if (rc == 0) {
		rc = ebpf_object_load(o, NULL, NULL, ebpf_prog_type_raw(), NULL, &prog, &err);
		ebpf_object_close(o);
	}
	if (rc == 0)
		rc = ebpf_prog_run_checked(prog, mem, sizeof(mem), &opts, r0, &err);
	ebpf_prog_put(prog);
	if (rc < 0) {
		ck_assert_uint_gt(strlen(err.text), 0);
		ck_assert_ptr_null(strchr(err.text, '\n'));
	}
	return rc == 0;
}

static bool
is_skipped(void)
{
	const char *why = make_object();
	struct ebpf_object *o;
	struct ebpf_err err;

	if (why == NULL && ebpf_object_open(object, object_len, &o, &err) == 0) {
		ebpf_object_close(o);
		return false;
	}
	if (why == NULL && strstr(err.text, "without libelf") == NULL)
		ck_abort_msg("%s", err.text);
	suite_skip("%s", why != NULL ? why : "built without libelf");
	return true;
}

START_TEST(an_object_cut_anywhere_is_refused_or_runs)
{
	uint64_t r0 = 0;
	size_t n_refused = 0;

	if (is_skipped())
		return;
	ck_assert(try_object(object, object_len, &r0));
	ck_assert_uint_eq(r0, 1 * 2 + 5 + 1);
	for (size_t len = 0; len < object_len; len++) {
		/* A block of its own, so that a byte past it is seen. */
		uint8_t *copy = malloc(len > 0 ? len : 1);

		memcpy(copy, object, len);
		n_refused += !try_object(copy, len, &r0);
		free(copy);
	}
	/* The section headers are at the end: nothing works without them. */
	ck_assert_uint_eq(n_refused, object_len);
	free(object);
}
END_TEST

START_TEST(an_object_with_bytes_changed_is_refused_or_runs)
{
	uint64_t rng = suite_seed(31), n = suite_scaled(20000), n_ran = 0, r0;

	if (is_skipped())
		return;
	for (uint64_t i = 0; i < n; i++) {
		uint8_t *copy = malloc(object_len);
		uint32_t n_changes = 1 + rng_below(&rng, 4);

		memcpy(copy, object, object_len);
		for (uint32_t k = 0; k < n_changes; k++) {
			/* Half of them in the headers, where it hurts. */
			uint32_t at = rng_below(&rng, (uint32_t)object_len);

			if (rng_below(&rng, 2))
				at = (uint32_t)object_len - 1 - rng_below(&rng, 64 * 32);
			if (rng_below(&rng, 2))
				copy[at] = (uint8_t)rng_next(&rng);
			else
				copy[at] ^= (uint8_t)(1 << rng_below(&rng, 8));
		}
		n_ran += try_object(copy, object_len, &r0);
		free(copy);
	}
	ck_assert_uint_gt(n_ran, n / 100);
	ck_assert_uint_lt(n_ran, n);
	free(object);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/object");
	TCase *tc = tcase_create("object");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, an_object_cut_anywhere_is_refused_or_runs);
	tcase_add_test(tc, an_object_with_bytes_changed_is_refused_or_runs);
	suite_add_tcase(s, tc);
	return s;
}
