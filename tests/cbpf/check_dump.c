/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow graph as --trace-passes shows it: of random programs each dump is
 * whole, a block has one end, and where it goes is a block of the same dump; of
 * some programs, what exactly stands there.
 */
#include "tests/diff/generate.h"
#include "tests/support/suite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BLOCKS = 1 << 16, MAX_TEXT = 1 << 14, LINE_SIZE = 160 };

/* ---- what holds for each dump ---- */

struct reader {
	uint64_t n_dumps, n_kinds[4];   /* goto, if, search, ret */
	size_t n_announced, n_blocks, n_targets;
	bool is_open;                   /* a block without an end */
	bool is_in_search;
	uint32_t targets[MAX_BLOCKS];
	bool is_there[MAX_BLOCKS];
};

/* Before the next dump; what was counted of all of them stays. */
static void
forget_dump(struct reader *r)
{
	memset(r->is_there, 0, sizeof(r->is_there));
	r->n_blocks = r->n_targets = r->n_announced = 0;
	r->is_open = r->is_in_search = false;
}

static void
end_dump(struct reader *r)
{
	ck_assert(!r->is_open);
	ck_assert_uint_eq(r->n_blocks, r->n_announced);
	for (size_t i = 0; i < r->n_targets; i++)
		ck_assert_msg(r->is_there[r->targets[i]], "b%u is not there", r->targets[i]);
	forget_dump(r);
}

/* Each "b" and number in an end, but for what an edge brings along: v7 = ... */
static void
add_targets(struct reader *r, const char *line)
{
	for (const char *at = line; (at = strstr(at, " b")) != NULL; at += 2) {
		char *end;
		unsigned long block = strtoul(at + 2, &end, 10);

		if (end == at + 2)
			continue;
		ck_assert_uint_lt(block, MAX_BLOCKS);
		ck_assert_uint_lt(r->n_targets, N_ELEMS(r->targets));
		r->targets[r->n_targets++] = (uint32_t)block;
	}
}

static bool
begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static void
read_line(void *arg, const char *line)
{
	static const char *const ends[] = { "  goto ", "  if ", "  search ", "  ret " };
	struct reader *r = arg;
	char name[16];
	size_t n;

	ck_assert_uint_lt(strlen(line), LINE_SIZE);
	ck_assert_ptr_null(strchr(line, '\n'));
	if (sscanf(line, "pass %15[a-z]: %zu blocks", name, &n) == 2) {
		end_dump(r);
		r->n_announced = n;
		r->n_dumps++;
		return;
	}
	if (line[0] == 'b') {
		unsigned long block = strtoul(line + 1, NULL, 10);

		ck_assert(!r->is_open);
		ck_assert_uint_lt(block, MAX_BLOCKS);
		ck_assert(!r->is_there[block]);
		r->is_there[block] = r->is_open = true;
		r->is_in_search = false;
		r->n_blocks++;
		return;
	}
	ck_assert_msg(r->is_open || r->is_in_search, "%s", line);
	for (size_t i = 0; i < N_ELEMS(ends); i++) {
		if (!begins(line, ends[i]))
			continue;
		ck_assert(r->is_open);
		r->is_open = false;
		r->is_in_search = i == 2;
		r->n_kinds[i]++;
		/* a line that was cut may end in a part of a number */
		if (strlen(line) == LINE_SIZE - 1)
			return;
		if (i < 2)
			ck_assert_ptr_nonnull(strstr(line, i == 0 ? " b" : " else b"));
		add_targets(r, line);
		return;
	}
	if (r->is_in_search) {
		ck_assert_msg(begins(line, "    0x"), "%s", line);
		if (strlen(line) < LINE_SIZE - 1)
			add_targets(r, line);
		return;
	}
	ck_assert_msg(begins(line, "  guard ") || begins(line, "  nonzero ") ||
			      (begins(line, "  v") && strstr(line, " = ") != NULL),
		      "%s", line);
}

static const enum cbpf_target targets[] = { CBPF_TARGET_PACKET, CBPF_TARGET_BUFFER,
					    CBPF_TARGET_SOCKET, CBPF_TARGET_TC, CBPF_TARGET_XDP };

START_TEST(dumps_of_random_programs_are_whole)
{
	static struct reader r;
	static const struct cbpf_net_base ethernet = { .off = 14, .vlan_at = 12 };
	const struct cbpf_lower_opts opts = { .size = sizeof(opts),
					      .layout = sift_packet_layout(),
					      .net_base = &ethernet,
					      .level = CBPF_LEVEL_2,
					      .trace = read_line,
					      .trace_arg = &r };
	uint64_t seed = suite_seed(11), n = suite_scaled(4000), n_lowered = 0;

	if (n < 200)
		n = 200;
	for (uint64_t i = 0; i < n; i++) {
		struct cbpf_lowered out;
		struct cbpf_prog *prog;
		struct diff_case c;

		diff_case_init(&c, i & 1 ? CBPF_DIALECT_PCAP : CBPF_DIALECT_KERNEL, seed, i);
		if (cbpf_check(c.insns, c.n_insns, c.dialect, &prog, NULL) == 0) {
			for (size_t t = 0; t < N_ELEMS(targets); t++) {
				if (cbpf_lower(prog, targets[t], &opts, &out, NULL) == 0) {
					end_dump(&r);
					cbpf_lowered_free(&out);
					n_lowered++;
				} else {
					forget_dump(&r);
				}
			}
			cbpf_prog_free(prog);
		}
		diff_case_fini(&c);
	}
	ck_assert_uint_gt(n_lowered, n);
	ck_assert_uint_gt(r.n_dumps, n_lowered);
	/* searches are rare in them: below is one */
	ck_assert(r.n_kinds[0] > 0 && r.n_kinds[1] > 0 && r.n_kinds[3] > 0);
}
END_TEST

/* ---- what stands there ---- */

struct text {
	char text[MAX_TEXT];
	size_t n;
};

static void
append_line(void *arg, const char *line)
{
	struct text *t = arg;

	ck_assert_uint_lt(strlen(line) + 1, sizeof(t->text) - t->n);
	t->n += (size_t)sprintf(t->text + t->n, "%s\n", line);
}

static const struct {
	enum cbpf_target target;
	const char *classic;
	const char *pass;       /* the last of this name */
	const char *expected;
} dumps[] = {
	/* what both ways need is guarded once */
	{ CBPF_TARGET_PACKET,
	  "ldh [12]\njeq #0x800, ip, no\nip: ldb [23]\njeq #6, pp, c2\nc2: jeq #17, pp, no\n"
	  "pp: ldx 4*([14]&0xf)\nldh [x + 16]\nmul #3\nrsh #1\nsub #7\njgt #80, yes, no\n"
	  "yes: ld len\nand #0xff\nret a\nno: ret #0\n",
	  "guard",
	  "pass guard: 6 blocks\n"
	  "b0:\n  guard 24\n  if load2[12] == 0x800 goto b1 else b2\n"
	  "b1:\n  if load1[23] == 6 goto b3 else b4\n"
	  "b4:\n  if load1[23] == 0x11 goto b3 else b2\n"
	  "b3:\n  guard ((load1[14] & 0xf) << 2) + 18\n"
	  "  if (((load2[(v15 << v16) + 16] * 3) >> 1) + 0xfffffff9) > 0x50 goto b5 else b2\n"
	  "b5:\n  ret (field4[12] & 0xff)\n"
	  "b2:\n  ret 0\n" },
	/* a chain of equals is a search */
	{ CBPF_TARGET_PACKET,
	  "ldh [12]\njeq #0x800, yes, n1\nn1: jeq #0x801, no, n2\nn2: jeq #0x806, yes, n3\n"
	  "n3: jeq #0x8100, yes, n4\nn4: jeq #0x86dd, yes, no\nyes: ret #1\nno: ret #0\n",
	  "chain",
	  "pass chain: 3 blocks\n"
	  "b0:\n  guard 14\n  search load2[12]\n"
	  "    0x0 ... 0x7ff: b3\n    0x800: b1\n    0x801 ... 0x805: b3\n    0x806: b1\n"
	  "    0x807 ... 0x80ff: b3\n    0x8100: b1\n    0x8101 ... 0x86dc: b3\n    0x86dd: b1\n"
	  "    0x86de ... 0xffffffff: b3\n"
	  "b3:\n  ret 0\n"
	  "b1:\n  ret 1\n" },
	/* a divisor is not 0, and each way brings a value along */
	{ CBPF_TARGET_PACKET,
	  "ld [0]\nldx len\ndiv x\njset #1, aa, bb\naa: neg\nja cc\nbb: xor x\ncc: tax\n"
	  "or #0x10\nlsh x\nret a\n",
	  "guard",
	  "pass guard: 2 blocks\n"
	  "b0:\n  guard 4\n  nonzero field4[12]\n"
	  "  if (load4[0] / field4[12]) & 1 goto b3(v13 = neg((load4[0] / field4[12]))) "
	  "else b3(v13 = ((load4[0] / field4[12]) ^ field4[12]))\n"
	  "b3:\n  ret ((phi v13 | 0x10) << phi v13)\n" },
	/* what is called, and loads that end the program by themselves */
	{ CBPF_TARGET_SOCKET, "ld rand\ntax\nldb [x + 3]\nret a\n", "guard",
	  "pass guard: 1 blocks\n"
	  "b0:\n  v4 = call 7()\n  v5 = fetch1[call v4 + 3]\n  ret fetch v5\n" },
	{ CBPF_TARGET_PACKET, "ld #4\nldx #2\nld nla\nret a\n", "guard",
	  "pass guard: 1 blocks\n"
	  "b0:\n  v10 = call 1000(4, 2)\n  ret call v10\n" },
	/* differences and remainders */
	{ CBPF_TARGET_PACKET,
	  "ld [0]\nldx len\nsub x\nst M[0]\nld [4]\nmod x\nldx M[0]\nadd x\nret a\n", "guard",
	  "pass guard: 1 blocks\n"
	  "b0:\n  guard 8\n  nonzero field4[12]\n"
	  "  ret ((load4[4] % field4[12]) + (load4[0] - field4[12]))\n" },
	{ CBPF_TARGET_XDP, "ldx len\nld [x + 70000]\nand #7\nret a\n", "guard",
	  "pass guard: 1 blocks\n"
	  "b0:\n  v4 = call 188()\n  guard (call v4 + 0x11170) + 4\n"
	  "  ret (load4[(call v4 + 0x11170) + 0] & 7)\n" },
};

/* A view's length on the wire lies behind a pointer and its length: the caller frees it. */
static char *
for_this_machine(const char *expected)
{
	static const char there[] = "field4[12]";
	char here[32], *text = malloc(2 * strlen(expected) + 1), *to = text;

	ck_assert_ptr_nonnull(text);
	snprintf(here, sizeof(here), "field4[%zu]", offsetof(struct sift_view, wirelen));
	while (*expected != '\0') {
		bool is_there = strncmp(expected, there, strlen(there)) == 0;

		to += is_there ? sprintf(to, "%s", here) : sprintf(to, "%c", *expected);
		expected += is_there ? strlen(there) : 1;
	}
	*to = '\0';
	return text;
}

START_TEST(a_dump_is_exactly_this)
{
	static struct text t;
	const struct cbpf_lower_opts opts = { .size = sizeof(opts),
					      .layout = sift_packet_layout(),
					      .level = CBPF_LEVEL_2,
					      .trace = append_line,
					      .trace_arg = &t };
	struct cbpf_lowered out;
	struct cbpf_prog *prog;
	struct cbpf_insn *insns;
	struct ebpf_err err = { "" };
	char head[32];
	const char *at = NULL, *end;
	char *expected;
	size_t n;

	t.n = 0;
	ck_assert_msg(cbpf_read(dumps[_i].classic, strlen(dumps[_i].classic), CBPF_FORM_BPF_ASM,
				&insns, &n, &err) == 0, "%s", err.text);
	ck_assert_int_eq(cbpf_check(insns, n, CBPF_DIALECT_KERNEL, &prog, &err), 0);
	ck_assert_msg(cbpf_lower(prog, dumps[_i].target, &opts, &out, &err) == 0, "%s", err.text);
	snprintf(head, sizeof(head), "pass %s: ", dumps[_i].pass);
	for (const char *p = t.text; (p = strstr(p, head)) != NULL; p++)
		at = p;
	ck_assert_ptr_nonnull(at);
	end = strstr(at + 1, "pass ");
	n = end != NULL ? (size_t)(end - at) : strlen(at);
	expected = for_this_machine(dumps[_i].expected);
	ck_assert_msg(n == strlen(expected) && memcmp(at, expected, n) == 0, "it is\n%.*s", (int)n,
		      at);
	free(expected);
	cbpf_lowered_free(&out);
	cbpf_prog_free(prog);
	free(insns);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("cbpf/dump");
	TCase *tc = tcase_create("dumps");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, dumps_of_random_programs_are_whole);
	tcase_add_loop_test(tc, a_dump_is_exactly_this, 0, N_ELEMS(dumps));
	suite_add_tcase(s, tc);
	return s;
}
