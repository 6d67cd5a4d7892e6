/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics, runs inside of runs, and the memory that programs are sealed in. */
#include "ebpf/insn.h"
#include "ebpf/interp.h"
#include "ebpf/jit/jit.h"
#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define K(c, d, s, o, i)                                                                           \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV_K(d, i) K(EBPF_ALU64 | EBPF_MOV, d, 0, 0, i)
#define EXIT_ K(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)
#define CALL_(i) K(EBPF_JMP | EBPF_CALL, 0, 0, 0, i)

static const struct ebpf_insn leaf[] = { MOV_K(0, 7), EXIT_ };
static const struct ebpf_insn idle[] = { CALL_(3), EXIT_ };
static const struct ebpf_insn caller[] = { CALL_(1), K(EBPF_ALU64 | EBPF_ADD, 0, 0, 0, 5), EXIT_ };

/* ---- memory that is not there on request: -Wl,--wrap=aligned_alloc ---- */

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool no_memory;

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return no_memory ? NULL : __real_aligned_alloc(alignment, size);
}

/* ---- programs ---- */

/* What the helper runs: the program itself, once it is loaded. */
struct again {
	struct ebpf_prog *prog;
	uint64_t r0;            /* of the run inside */
	unsigned int n_calls;
};

static uint64_t
call_back(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	struct again *again = env;

	(void)r1;
	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	again->n_calls++;
	if (again->n_calls < 10)
		again->r0 = ebpf_prog_run(again->prog, 0, 0);
	return 100;
}

/* One that might call back, and does not. */
static uint64_t
do_nothing(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)env;
	return r1 + r2 + r3 + r4 + r5;
}

static const struct ebpf_helper helpers[] = {
	{ .id = 1, .name = "call_back", .fn = call_back, .may_reenter = true },
	{ .id = 2, .name = "leaf", .fn = do_nothing },
	{ .id = 3, .name = "idle", .fn = do_nothing, .may_reenter = true },
};
static const struct ebpf_prog_type type = {
	.name = "test", .helpers = helpers, .n_helpers = N_ELEMS(helpers),
};

static struct ebpf_prog *
load(const struct ebpf_insn *insns, size_t n, void *env)
{
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_trusted(&type, insns, n, env, &prog, &err) == 0, "%s", err.text);
	return prog;
}

static struct ebpf_stats
stats_of(const struct ebpf_prog *prog)
{
	struct ebpf_stats stats = { .size = sizeof(stats) };

	ebpf_prog_stats(prog, &stats);
	return stats;
}

/* ---- counting ---- */

START_TEST(runs_are_counted_while_it_is_on)
{
	struct ebpf_prog *prog = load(leaf, 2, NULL);
	struct ebpf_stats stats = { .size = offsetof(struct ebpf_stats, misses), .misses = 77 };

	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(ebpf_prog_count(prog, i % 2, NULL), 0);
		ck_assert_int_eq(ebpf_prog_count(prog, i % 2, NULL), 0);
		for (int j = 0; j < 100; j++)
			ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 7);
	}
	ebpf_prog_stats(prog, &stats);
	ck_assert_uint_eq(stats.runs, 500);
	ck_assert_uint_gt(stats.nanoseconds, 0);
	ck_assert_uint_eq(stats.misses, 77);
	ck_assert_uint_eq(stats_of(prog).misses, 0);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(off_costs_nothing)
{
	struct ebpf_prog *prog = load(leaf, 2, NULL);

	/* No test, no indirection: who runs it calls the engine. */
	ck_assert(atomic_load(&prog->run) == prog->engine);
	ck_assert_int_eq(ebpf_prog_count(prog, 1, NULL), 0);
	ck_assert(atomic_load(&prog->run) != prog->engine);
	ck_assert_int_eq(ebpf_prog_count(prog, 0, NULL), 0);
	ck_assert(atomic_load(&prog->run) == prog->engine);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(a_batch_is_counted_once)
{
	struct ebpf_prog *prog = load(leaf, 2, NULL);

	for (int on = 0; on < 2; on++) {
		uint8_t contexts[64] = { 0 };
		uint32_t results[64] = { 0 };

		ck_assert_int_eq(ebpf_prog_count(prog, on, NULL), 0);
		ebpf_prog_run_many(prog, contexts, 1, 64, results);
		for (int i = 0; i < 64; i++)
			ck_assert_uint_eq(results[i], 7);
		ck_assert_uint_eq(stats_of(prog).runs, on ? 64 : 0);
	}
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(checked_runs_are_counted)
{
	struct ebpf_prog *prog;
	uint64_t r0;

	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), leaf, 2, &prog, NULL), 0);
	ck_assert_int_eq(ebpf_prog_runtime(prog), EBPF_RUNTIME_CHECKED);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, NULL), 0);
		ck_assert_int_eq(ebpf_prog_count(prog, 1, NULL), 0);
		ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 0);
	}
	ck_assert_uint_eq(stats_of(prog).runs, 4);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(without_memory_for_a_slot_runs_are_counted_too)
{
	struct ebpf_prog *prog = load(leaf, 2, NULL);

	no_memory = true;
	ck_assert_int_eq(ebpf_prog_count(prog, 1, NULL), 0);
	for (int i = 0; i < 9; i++)
		ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 7);
	no_memory = false;
	ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 7);
	ck_assert_uint_eq(stats_of(prog).runs, 10);
	ebpf_prog_put(prog);
}
END_TEST

/* ---- threads ---- */

struct work {
	struct ebpf_prog *prog;
	uint64_t n_runs;
};

static void *
run_many(void *arg)
{
	const struct work *work = arg;

	for (uint64_t i = 0; i < work->n_runs; i++)
		ebpf_prog_run(work->prog, 0, 0);
	return NULL;
}

static void
run_in_threads(size_t n_threads, void *(*fn)(void *), void *arg)
{
	pthread_t threads[16];

	for (size_t i = 0; i < n_threads; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, arg), 0);
	for (size_t i = 0; i < n_threads; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

/* From one thread to sixteen, whose counts outlive them. */
START_TEST(threads_add_up_exactly)
{
	struct work work = { load(leaf, 2, NULL), suite_scaled(20000) };
	uint64_t sum = 0;

	ck_assert_int_eq(ebpf_prog_count(work.prog, 1, NULL), 0);
	for (size_t n = 1; n <= 16; n++) {
		run_in_threads(n, run_many, &work);
		sum += n * work.n_runs;
		ck_assert_uint_eq(stats_of(work.prog).runs, sum);
	}
	ebpf_prog_put(work.prog);
}
END_TEST

/* Three numbers that only belong together as they are added; low halves overflow at each step. */
struct writer {
	struct ebpf_counters *counters;
	uint64_t n;             /* additions made; read when it has ended */
	_Atomic bool stop;
};

static const uint64_t step = UINT32_MAX - 1;

static void *
write_pattern(void *arg)
{
	struct writer *w = arg;

	for (; !atomic_load(&w->stop); w->n++)
		ebpf_counters_add(w->counters, step, 3 * step, 7 * step);
	return NULL;
}

START_TEST(no_sum_is_torn)
{
	struct ebpf_prog *prog = load(leaf, 2, NULL);
	struct writer w = { .counters = &prog->aux->counters };
	uint64_t n_reads = suite_scaled(200000), n_changes = 0, last = 0;
	struct ebpf_stats stats;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, write_pattern, &w), 0);
	/* However little time the writer gets, it is seen at work. */
	for (uint64_t i = 0; i < n_reads || n_changes < 10; i++) {
		stats = stats_of(prog);
		ck_assert_uint_eq(stats.nanoseconds, 3 * stats.runs);
		ck_assert_uint_eq(stats.misses, 7 * stats.runs);
		ck_assert_uint_ge(stats.runs, last);
		n_changes += stats.runs != last;
		last = stats.runs;
	}
	atomic_store(&w.stop, true);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(stats_of(prog).runs, w.n * step);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(it_is_switched_while_threads_run)
{
	struct work work = { load(leaf, 2, NULL), suite_scaled(200000) };
	pthread_t threads[4];
	uint64_t n_switched;

	for (size_t i = 0; i < N_ELEMS(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_many, &work), 0);
	for (n_switched = 0; n_switched < 1000; n_switched++)
		ck_assert_int_eq(ebpf_prog_count(work.prog, n_switched % 2, NULL), 0);
	for (size_t i = 0; i < N_ELEMS(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_le(stats_of(work.prog).runs, N_ELEMS(threads) * work.n_runs);
	ebpf_prog_put(work.prog);
}
END_TEST

/* ---- runs inside of runs ---- */

START_TEST(a_run_inside_of_a_run_is_a_miss)
{
	struct again again = { .r0 = 1 };
	struct ebpf_prog *prog = again.prog = load(caller, N_ELEMS(caller), &again);

	for (unsigned int i = 1; i <= 6; i++) {
		uint32_t result;

		ck_assert_int_eq(ebpf_prog_count(prog, i > 2, NULL), 0);
		again.r0 = 1;
		if (i % 2 == 0)
			ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 105);
		else
			ebpf_prog_run_many(prog, NULL, 0, 1, &result);
		ck_assert(i % 2 == 0 || result == 105);
		ck_assert_uint_eq(again.r0, 0);
		ck_assert_uint_eq(again.n_calls, i);
		ck_assert_uint_eq(stats_of(prog).misses, i);
		ck_assert_uint_eq(stats_of(prog).runs, i > 2 ? i - 2 : 0);
	}
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(a_checked_run_inside_of_a_run_is_a_miss)
{
	struct again again = { .r0 = 1 };
	struct ebpf_prog *prog = again.prog = load(caller, N_ELEMS(caller), &again);
	uint64_t r0;

	ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, NULL), 0);
	ck_assert_uint_eq(r0, 105);
	ck_assert_uint_eq(again.r0, 0);
	ck_assert_uint_eq(again.n_calls, 1);
	ck_assert_uint_eq(stats_of(prog).misses, 1);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(a_program_that_cannot_know_does_not_run)
{
	struct again again = { .r0 = 1 };
	struct ebpf_prog *prog = again.prog = load(caller, N_ELEMS(caller), &again);

	no_memory = true;
	ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 0);
	no_memory = false;
	ck_assert_uint_eq(again.n_calls, 0);
	ck_assert_uint_eq(stats_of(prog).misses, 1);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(threads_are_not_inside_of_each_other)
{
	struct work work = { load(idle, N_ELEMS(idle), NULL), suite_scaled(20000) };

	ck_assert(atomic_load(&work.prog->run) != work.prog->engine);
	ck_assert_int_eq(ebpf_prog_count(work.prog, 1, NULL), 0);
	run_in_threads(8, run_many, &work);
	ck_assert_uint_eq(stats_of(work.prog).runs, 8 * work.n_runs);
	ck_assert_uint_eq(stats_of(work.prog).misses, 0);
	ebpf_prog_put(work.prog);
}
END_TEST

START_TEST(only_helpers_that_call_back_are_guarded_against)
{
	static const struct ebpf_insn insns[] = { CALL_(2), EXIT_ };
	struct ebpf_prog *prog = load(insns, 2, NULL);

	ck_assert(atomic_load(&prog->run) == prog->engine);
	ebpf_prog_put(prog);
}
END_TEST

/* ---- sealed ---- */

/* The signal that ends a child which writes a byte there; 0: none did. */
static int
signal_of_write(volatile uint8_t *p)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);       /* sanitizers have one of their own */
		*p = *p;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
check_sealed(struct ebpf_prog *prog)
{
	uint8_t *bytes = (uint8_t *)prog, *aux = (uint8_t *)prog->aux;

	ck_assert_int_eq(signal_of_write(bytes), SIGSEGV);
	ck_assert_int_eq(signal_of_write((uint8_t *)prog->code), SIGSEGV);
	ck_assert_int_eq(signal_of_write(bytes + prog->aux->n_bytes - 1), SIGSEGV);
	ck_assert_int_eq(signal_of_write(aux), 0);
}

START_TEST(a_write_to_a_program_faults)
{
	struct ebpf_prog *prog, *untrusted;

	prog = load(leaf, 2, NULL);
	check_sealed(prog);
	ck_assert_int_eq(ebpf_prog_count(prog, 1, NULL), 0);
	check_sealed(prog);
	ck_assert_int_eq(ebpf_prog_set_run(prog, ebpf_interp), 0);
	check_sealed(prog);
	ebpf_prog_put(prog);
	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), leaf, 2, &untrusted, NULL), 0);
	check_sealed(untrusted);
	ebpf_prog_put(untrusted);
}
END_TEST

/* ---- the runtime ---- */

START_TEST(the_runtime_is_visible)
{
	struct ebpf_policy policy = { .size = sizeof(policy) };
	enum ebpf_runtime fast = EBPF_HAS_JIT ? EBPF_RUNTIME_JIT : EBPF_RUNTIME_INTERP;
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;
	int rc;

	ck_assert_int_eq(ebpf_prog_load_trusted_by(&type, leaf, 2, NULL, &policy, &prog, NULL), 0);
	ck_assert(prog->aux->jit_requested);
	ck_assert_int_eq(ebpf_prog_runtime(prog), fast);
	ebpf_prog_put(prog);
	policy.jit = EBPF_JIT_OFF;
	ck_assert_int_eq(ebpf_prog_load_trusted_by(&type, leaf, 2, NULL, &policy, &prog, NULL), 0);
	ck_assert(!prog->aux->jit_requested);
	ck_assert_int_eq(ebpf_prog_runtime(prog), EBPF_RUNTIME_INTERP);
	ebpf_prog_put(prog);
	prog = NULL;
	policy.jit = EBPF_JIT_REQUIRED;
	rc = ebpf_prog_load_trusted_by(&type, leaf, 2, NULL, &policy, &prog, &err);
	if (EBPF_HAS_JIT) {
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(ebpf_prog_runtime(prog), EBPF_RUNTIME_JIT);
		ebpf_prog_put(prog);
		prog = NULL;
	} else {
		ck_assert_int_eq(rc, -ENOTSUP);
		ck_assert_str_eq(err.text, "no JIT for this machine, and one is required");
		ck_assert_ptr_null(prog);
	}
	/* what nobody has proven is run with tests only */
	ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), leaf, 2, &policy, &prog, &err),
			 -ENOTSUP);
	ck_assert_str_eq(err.text, "a JIT is required, but the program is not verified");
	ck_assert_ptr_null(prog);
}
END_TEST

static const struct {
	struct ebpf_policy policy;
	const char *err;
} no_policies[] = {
	{ { .size = 0 }, "policy of 0 bytes, but " },
	{ { .size = sizeof(struct ebpf_policy), .jit = (enum ebpf_jit)3 }, "policy: no JIT mode 3" },
	{ { .size = sizeof(struct ebpf_policy), .blinding = (enum ebpf_blinding)3 },
	  "policy: no blinding mode 3" },
};

START_TEST(what_is_not_a_policy_is_refused)
{
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), leaf, 2, &no_policies[_i].policy,
					   &prog, &err), -EINVAL);
	ck_assert_msg(strncmp(err.text, no_policies[_i].err, strlen(no_policies[_i].err)) == 0,
		      "%s", err.text);
	ck_assert_ptr_null(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/stats");
	TCase *tc = tcase_create("statistics");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, runs_are_counted_while_it_is_on);
	tcase_add_test(tc, off_costs_nothing);
	tcase_add_test(tc, a_batch_is_counted_once);
	tcase_add_test(tc, checked_runs_are_counted);
	tcase_add_test(tc, without_memory_for_a_slot_runs_are_counted_too);
	tcase_add_test(tc, threads_add_up_exactly);
	tcase_add_test(tc, no_sum_is_torn);
	tcase_add_test(tc, it_is_switched_while_threads_run);
	suite_add_tcase(s, tc);
	tc = tcase_create("runs inside of runs");
	tcase_add_test(tc, a_run_inside_of_a_run_is_a_miss);
	tcase_add_test(tc, a_checked_run_inside_of_a_run_is_a_miss);
	tcase_add_test(tc, a_program_that_cannot_know_does_not_run);
	tcase_add_test(tc, threads_are_not_inside_of_each_other);
	tcase_add_test(tc, only_helpers_that_call_back_are_guarded_against);
	suite_add_tcase(s, tc);
	tc = tcase_create("runtime");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_write_to_a_program_faults);
	tcase_add_test(tc, the_runtime_is_visible);
	tcase_add_loop_test(tc, what_is_not_a_policy_is_refused, 0, N_ELEMS(no_policies));
	suite_add_tcase(s, tc);
	return s;
}
