/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program object: from instructions to something that runs.
 *
 * A program is complete and immutable when its loader returns it, but for the
 * entry: whether runs are counted can change at any time.  To set it, its page
 * is opened for writing while entry_lock is held, written once, and closed; who
 * runs the program meanwhile reads one entry or the other, both good.
 */
#include "config.h"

#include "ebpf/prog.h"

#include "ebpf/arith.h"
#include "ebpf/blind.h"
#include "ebpf/check.h"
#include "ebpf/err.h"
#include "ebpf/expand.h"
#include "ebpf/extend.h"
#include "ebpf/fill.h"
#include "ebpf/fuse.h"
#include "ebpf/helper.h"
#include "ebpf/insn.h"
#include "ebpf/interp.h"
#include "ebpf/interp_leaf.h"
#include "ebpf/jit/jit.h"
#include "ebpf/link.h"
#include "ebpf/prog_alloc.h"
#include "ebpf/prove.h"
#include "ebpf/random.h"
#include "ebpf/sized.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool
is_helper_call(const struct ebpf_insn *insn)
{
	return insn->code == (EBPF_JMP | EBPF_CALL) && ebpf_op_of(insn) == EBPF_OP_CALL;
}

static bool
calls_helpers(const struct ebpf_prog_aux *aux)
{
	for (size_t pc = 0; pc < aux->n_insns; pc++) {
		if (is_helper_call(&aux->insns[pc]))
			return true;
	}
	return false;
}

/* Whether it may run again before it is done: by a helper, or by one of what it goes on to. */
static bool
may_reenter(const struct ebpf_prog_aux *aux)
{
	const struct ebpf_prog_type *type = &aux->link.type;

	if (aux->extension.n_globals > 0)
		return true;

	for (size_t pc = 0; pc < aux->n_insns; pc++) {
		int32_t i;

		if (!is_helper_call(&aux->insns[pc]))
			continue;
		i = ebpf_helper_index(type, aux->insns[pc].imm);
		if (i >= 0 && (type->helpers[i].fn == NULL || type->helpers[i].may_reenter))
			return true;
	}
	return false;
}

/* ---- code ---- */

static void
set_row(struct ebpf_decoded *d, const void *const *labels, uintptr_t row)
{
	if (labels != NULL)
		d->label = labels[row];
	else
		d->row = row;
}

int16_t
ebpf_prog_global_index(const struct ebpf_prog_aux *aux, int64_t start)
{
	if (aux->extension.n_globals == 0)
		return 0;
	return ebpf_extension_index(&aux->extension,
				    aux->text.insns != NULL ? aux->text.origin[start] : start);
}

void
ebpf_prog_decode(const struct ebpf_prog *prog, const void *const *labels,
		 struct ebpf_decoded *code)
{
	const struct ebpf_insn *insns = ebpf_prog_running(prog);

	for (size_t pc = 0; pc < prog->n_insns; pc++) {
		struct ebpf_decoded *d = &code[pc];
		int row = ebpf_op_of(&insns[pc]);
		bool is_wide = ebpf_code_is_wide(insns[pc].code);

		set_row(d, labels, is_wide ? EBPF_OP_LDDW : (uintptr_t)row);
		d->dst = insns[pc].dst_reg;
		d->src = insns[pc].src_reg;
		d->off = insns[pc].off;
		d->imm = row == EBPF_OP_CALL ? ebpf_helper_index(&prog->aux->link.type,
								 insns[pc].imm)
					     : insns[pc].imm;
		if (row == EBPF_OP_CALL_LOCAL)
			d->off = ebpf_prog_global_index(prog->aux, (int64_t)pc + 1 + insns[pc].imm);
		if (is_wide) {
			uint64_t v = ebpf_link_value(&prog->aux->link, &insns[pc],
						     (enum ebpf_op)row, pc, prog->code);

			d->imm = s32((uint32_t)v);
			pc++;
			set_row(&code[pc], labels, EBPF_N_OPS);
			code[pc].imm = s32((uint32_t)(v >> 32));
		}
	}
	set_row(&code[prog->n_insns], labels, EBPF_N_OPS);
}

/* Runs of instructions that have one label for all of them. */
static int
fuse(struct ebpf_prog *prog, const void *const *labels)
{
	const struct ebpf_insn *insns = ebpf_prog_running(prog);
	uint8_t *rows = malloc(prog->n_insns);

	if (rows == NULL)
		return -ENOMEM;
	for (size_t pc = 0; pc < prog->n_insns; pc++) {
		int row = ebpf_op_of(&insns[pc]);

		rows[pc] = row >= 0 ? (uint8_t)row : EBPF_N_OPS;
	}
	ebpf_fuse(prog->code, rows, prog->n_insns, labels + EBPF_N_OPS + 1);
	free(rows);
	return 0;
}

/* ---- entries ---- */

static uint64_t
run_counted(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	uint64_t start = ebpf_clock_ns();
	uint64_t r0 = prog->engine(prog, r1, r2);

	ebpf_counters_add(&prog->aux->counters, 1, ebpf_clock_ns() - start, 0);
	return r0;
}

static uint64_t
run_guarded(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	uint64_t r0;

	if (!ebpf_counters_enter(&prog->aux->counters))
		return 0;
	r0 = prog->engine(prog, r1, r2);
	ebpf_counters_leave(&prog->aux->counters);
	return r0;
}

static uint64_t
run_guarded_counted(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	uint64_t r0;

	if (!ebpf_counters_enter(&prog->aux->counters))
		return 0;
	r0 = run_counted(prog, r1, r2);
	ebpf_counters_leave(&prog->aux->counters);
	return r0;
}

/* Apart from the way of a single run, which then has no frame of its own. */
__attribute__((noinline)) static void
run_several(const struct ebpf_prog *prog, ebpf_run_fn run, const void *ctxs, size_t stride,
	    size_t n, uint32_t *results)
{
	bool is_counted = false;
	uint64_t start = 0;

	/* A program that may re-enter counts its runs itself: some are misses. */
	if (run != prog->uncounted && !prog->aux->may_reenter) {
		run = prog->uncounted;
		is_counted = true;
		start = ebpf_clock_ns();
	}
	if (run == prog->engine && prog->many != NULL && n > 0) {
		prog->many(prog, ctxs, stride, n, results);
	} else {
		for (size_t i = 0; i < n; i++)
			results[i] = (uint32_t)run(prog, (uintptr_t)ctxs + i * stride, 0);
	}
	if (is_counted)
		ebpf_counters_add(&prog->aux->counters, n, ebpf_clock_ns() - start, 0);
}

void
ebpf_prog_run_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
		   uint32_t *results)
{
	ebpf_run_fn run = atomic_load_explicit(&prog->run, memory_order_relaxed);

	if (n == 1)
		results[0] = (uint32_t)run(prog, (uintptr_t)ctxs, 0);
	else
		run_several(prog, run, ctxs, stride, n, results);
}

static int
protect(struct ebpf_prog *prog, size_t n_bytes, int prot)
{
	return mprotect(prog, n_bytes, prot) == 0 ? 0 : -errno;
}

static void
set_entries(struct ebpf_prog *prog)
{
	prog->uncounted = prog->aux->may_reenter ? run_guarded : prog->engine;
	atomic_store_explicit(&prog->run, prog->uncounted, memory_order_relaxed);
}

/* Decoded for an engine, and entered as a program like this one is. */
static int
set_engine(struct ebpf_prog *prog, ebpf_run_fn engine)
{
	const void *const *labels = (const void *const *)(uintptr_t)engine(NULL, 0, 0);

	ebpf_prog_decode(prog, labels, prog->code);
	if (labels != NULL && fuse(prog, labels) < 0)
		return -ENOMEM;
	prog->engine = engine;
	prog->inner = NULL;
	prog->many = NULL;
	set_entries(prog);
	return 0;
}

int
ebpf_prog_set_run(struct ebpf_prog *prog, ebpf_run_fn run)
{
	int rc = protect(prog, prog->aux->n_bytes, PROT_READ | PROT_WRITE), sealed;

	if (rc < 0)
		return rc;
	rc = set_engine(prog, run);
	sealed = protect(prog, prog->aux->n_bytes, PROT_READ);
	return rc < 0 ? rc : sealed;
}

static int
no_jit(const struct ebpf_prog_aux *aux, int rc, struct ebpf_err *err)
{
	if (!aux->is_trusted)
		return ebpf_err_set(err, rc, "a JIT is required, but the program is not verified");
	if (rc == -ENOTSUP)
		return ebpf_err_set(err, rc, "no JIT for this machine, and one is required");
	return ebpf_err_set(err, rc, "program of %zu instructions: %s", aux->n_insns,
			    rc == -ENOMEM ? "out of memory" : strerror(-rc));
}

int
ebpf_prog_select_runtime(struct ebpf_prog *prog, struct ebpf_err *err)
{
	struct ebpf_prog_aux *aux = prog->aux;
	int rc = 0, jit = -ENOTSUP;

	ebpf_find_reads(aux->type, ebpf_prog_running(prog), prog->n_insns, &aux->reads);
	if (aux->jit_requested && aux->is_trusted)
		jit = ebpf_jit_compile(prog);
	if (aux->jit_required && jit < 0)
		return no_jit(aux, jit, err);
	if (jit == 0) {
		aux->runtime = EBPF_RUNTIME_JIT;
		ebpf_prog_decode(prog, NULL, prog->code);
		set_entries(prog);
	} else if (aux->is_trusted) {
		/* what runs in another's place runs in its frames */
		bool is_leaf = !aux->extension.is_ext &&
			       ebpf_is_leaf(ebpf_prog_running(prog), prog->n_insns);

		aux->runtime = EBPF_RUNTIME_INTERP;
		rc = set_engine(prog, is_leaf ? ebpf_interp_leaf : ebpf_interp);
		prog->many = is_leaf ? ebpf_interp_leaf_many : ebpf_interp_many;
	} else {
		aux->runtime = EBPF_RUNTIME_CHECKED;
		ebpf_prog_decode(prog, NULL, prog->code);
	}
	if (rc == 0)
		rc = protect(prog, aux->n_bytes, PROT_READ);
	return rc == 0 ? 0
		       : ebpf_err_set(err, rc, "program of %zu instructions: %s", aux->n_insns,
				      rc == -ENOMEM ? "out of memory" : strerror(-rc));
}

enum ebpf_runtime
ebpf_prog_runtime(const struct ebpf_prog *prog)
{
	return prog->aux->runtime;
}

int
ebpf_prog_count(struct ebpf_prog *prog, int on, struct ebpf_err *err)
{
	struct ebpf_prog_aux *aux = prog->aux;
	size_t page = ebpf_round_to_pages(1);
	ebpf_run_fn entry = aux->may_reenter ? run_guarded_counted : run_counted;
	int rc;

	if (!on || !aux->is_trusted)
		entry = prog->uncounted;
	pthread_mutex_lock(&aux->entry_lock);
	if ((rc = protect(prog, page, PROT_READ | PROT_WRITE)) == 0) {
		atomic_store_explicit(&prog->run, entry, memory_order_relaxed);
		atomic_store_explicit(&aux->is_counted, on != 0, memory_order_relaxed);
		rc = protect(prog, page, PROT_READ);
	}
	pthread_mutex_unlock(&aux->entry_lock);
	return rc == 0 ? 0 : ebpf_err_set(err, rc, "statistics: %s", strerror(-rc));
}

#define HAS_FIELD(s, field) ((s)->size >= offsetof(struct ebpf_stats, field) + sizeof((s)->field))

void
ebpf_prog_stats(const struct ebpf_prog *prog, struct ebpf_stats *stats)
{
	uint64_t runs, ns, misses;

	ebpf_counters_read(&prog->aux->counters, &runs, &ns, &misses);
	if (HAS_FIELD(stats, runs))
		stats->runs = runs;
	if (HAS_FIELD(stats, nanoseconds))
		stats->nanoseconds = ns;
	if (HAS_FIELD(stats, misses))
		stats->misses = misses;
}

/* ---- loading ---- */

static int
check_length(size_t n_insns, struct ebpf_err *err)
{
	if (n_insns == 0)
		return ebpf_err_set(err, -EINVAL, "program has no instructions");
	if (n_insns > EBPF_MAXINSNS)
		return ebpf_err_set(err, -E2BIG, "program has %zu instructions, limit is %d", n_insns,
				    EBPF_MAXINSNS);
	return 0;
}

static int
out_of_memory(size_t n_insns, struct ebpf_err *err)
{
	return ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory", n_insns);
}

/* What the caller's struct has, and zero for what it does not know. */
static int
read_policy(const struct ebpf_policy *from, struct ebpf_policy *policy, struct ebpf_err *err)
{
	int rc;

	memset(policy, 0, sizeof(*policy));
	if (from == NULL)
		return 0;
	if ((rc = ebpf_sized_take("policy", policy, sizeof(*policy), from,
				  EBPF_SIZED_LEAST(struct ebpf_policy, blinding), err)) < 0)
		return rc;
	if ((unsigned int)policy->jit > EBPF_JIT_REQUIRED)
		return ebpf_err_set(err, -EINVAL, "policy: no JIT mode %d", (int)policy->jit);
	if ((unsigned int)policy->blinding > EBPF_BLINDING_ALWAYS)
		return ebpf_err_set(err, -EINVAL, "policy: no blinding mode %d",
				    (int)policy->blinding);
	return 0;
}

static void
set_policy(struct ebpf_prog_aux *aux, const struct ebpf_policy *policy)
{
	aux->jit_requested = policy->jit != EBPF_JIT_OFF;
	aux->jit_required = policy->jit == EBPF_JIT_REQUIRED;
	aux->blinding_requested =
		policy->blinding == EBPF_BLINDING_ALWAYS ||
		(policy->blinding == EBPF_BLINDING_UNTRUSTED && !aux->is_own);
}

/* What runs in place of what was loaded, where that differs. */
static int
rewrite(struct ebpf_prog_aux *aux, const struct ebpf_proof *proof, struct ebpf_err *err)
{
	bool has_loads = ebpf_has_packet_loads(aux->insns, aux->n_insns);
	int rc;

	if (!has_loads && !proof->wants_fill && !aux->blinding_requested)
		return 0;
	if ((rc = ebpf_text_init(&aux->text, aux->insns, aux->n_insns, err)) < 0)
		return rc;
	if (proof->wants_fill && (rc = ebpf_fill(&aux->text, &proof->verified, err)) < 0)
		return rc;
	if (has_loads && (rc = ebpf_expand(aux->link.type.expand, &aux->text, err)) < 0)
		return rc;
	return aux->blinding_requested ? ebpf_blind(&aux->text, err) : 0;
}

static bool
has_atomics(const struct ebpf_prog_aux *aux)
{
	for (size_t pc = 0; pc < aux->n_insns; pc++) {
		if ((aux->insns[pc].code & 0xe7) == (EBPF_STX | EBPF_ATOMIC))
			return true;
	}
	return false;
}

/* As large as what runs is. */
static int
grow(struct ebpf_prog **prog, struct ebpf_err *err)
{
	const struct ebpf_prog_aux *aux = (*prog)->aux;
	struct ebpf_prog *grown;

	if (aux->text.insns == NULL)
		return 0;
	if ((grown = ebpf_prog_realloc(*prog, aux->text.n)) == NULL)
		return out_of_memory(aux->n_insns, err);
	*prog = grown;
	return 0;
}

/* All that can be said against the instructions; what stands that runs without tests. */
static int
check(struct ebpf_prog_aux *aux, const struct ebpf_load_opts *opts, uint32_t *n_frames,
      struct ebpf_proof *proof, struct ebpf_err *err)
{
	const struct ebpf_prog_type *type = &aux->link.type;
	int rc;

	if ((rc = ebpf_check_form(type, aux->insns, aux->n_insns, err)) < 0 ||
	    (rc = ebpf_link_check(&aux->link, aux->insns, aux->n_insns, err)) < 0)
		return rc;
	if (!aux->is_own && opts->verify == EBPF_VERIFY_OFF)
		return 0;
	if ((rc = ebpf_check_structure(type, aux->insns, aux->n_insns, n_frames, err)) < 0)
		return rc;
	if (!aux->is_own &&
	    (rc = ebpf_prove(&aux->link, &aux->extension, aux->insns, aux->n_insns, opts, proof,
			     err)) < 0)
		return rc;
	ebpf_extension_set_depths(&aux->extension, aux->insns, aux->n_insns, &proof->verified);
	aux->is_trusted = true;
	aux->has_atomics = has_atomics(aux);
	return 0;
}

static int
read_opts(const struct ebpf_load_opts *from, struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	int rc = from != NULL ? ebpf_load_opts_take(opts, from, err) : 0;

	if (rc < 0)
		return rc;
	if ((unsigned int)opts->verify > EBPF_VERIFY_NO_LEAKS)
		return ebpf_err_set(err, -EINVAL, "load options: no verify mode %d",
				    (int)opts->verify);
	if (opts->mem_size > INT32_MAX)
		return ebpf_err_set(err, -EINVAL, "load options: memory of %" PRIu64
				    " bytes, limit is %d", opts->mem_size, INT32_MAX);
	return 0;
}

static uint64_t
verified_size(const struct ebpf_prog_aux *aux, const struct ebpf_load_opts *opts)
{
	bool has_size = aux->is_trusted && !aux->is_own && aux->type->n_ctx_fields == 0;

	return has_size ? opts->mem_size : EBPF_ANY_SIZE;
}

/* From instructions to a program that runs. */
static int
load(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
     bool is_own, void *env, const struct ebpf_load_opts *caller_opts, struct ebpf_prog **out,
     struct ebpf_err *err)
{
	struct ebpf_load_opts opts = { 0 };
	struct ebpf_proof proof = { .wants_fill = false };
	struct ebpf_policy policy;
	struct ebpf_prog_aux *aux;
	struct ebpf_prog *prog;
	int rc;

	if ((rc = read_opts(caller_opts, &opts, err)) < 0 ||
	    (rc = read_policy(opts.policy, &policy, err)) < 0 ||
	    (rc = check_length(n_insns, err)) < 0)
		return rc;
	if ((prog = ebpf_prog_alloc(type, insns, n_insns)) == NULL)
		return out_of_memory(n_insns, err);
	aux = prog->aux;
	aux->is_own = is_own;
	aux->verify = opts.verify;
	set_policy(aux, &policy);
	if ((rc = ebpf_link_init(&aux->link, type, &opts, err)) < 0 ||
	    (rc = ebpf_extension_take(&aux->extension, type, &opts, err)) < 0 ||
	    (rc = check(aux, &opts, &prog->n_frames, &proof, err)) < 0 ||
	    (rc = rewrite(aux, &proof, err)) < 0 || (rc = grow(&prog, err)) < 0)
		goto fail;
	aux->may_reenter = may_reenter(aux);
	/* numbers are drawn by helpers alone */
	if (aux->link.env.random_seed == 0 && calls_helpers(aux))
		ebpf_random(&aux->link.env.random_seed, sizeof(aux->link.env.random_seed));
	prog->mem_size = verified_size(aux, &opts);
	prog->helpers = aux->link.type.helpers;
	prog->env = env != NULL ? env : &aux->link.env;
	if ((rc = ebpf_prog_select_runtime(prog, err)) < 0)
		goto fail;
	*out = prog;
	return 0;
fail:
	ebpf_prog_free(prog);
	return rc;
}

int
ebpf_prog_load_opts(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
		    size_t n_insns, const struct ebpf_load_opts *opts, struct ebpf_prog **out,
		    struct ebpf_err *err)
{
	return load(type, insns, n_insns, false, NULL, opts, out, err);
}

int
ebpf_prog_load_by(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
		  const struct ebpf_policy *policy, struct ebpf_prog **out, struct ebpf_err *err)
{
	struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = policy };

	return load(type, insns, n_insns, false, NULL, &opts, out, err);
}

int
ebpf_prog_load(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
	       struct ebpf_prog **out, struct ebpf_err *err)
{
	return load(type, insns, n_insns, false, NULL, NULL, out, err);
}

int
ebpf_prog_load_trusted_opts(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			    size_t n_insns, const struct ebpf_load_opts *opts, void *env,
			    struct ebpf_prog **out, struct ebpf_err *err)
{
	return load(type, insns, n_insns, true, env, opts, out, err);
}

int
ebpf_prog_load_trusted_by(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			  size_t n_insns, void *env, const struct ebpf_policy *policy,
			  struct ebpf_prog **out, struct ebpf_err *err)
{
	struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = policy };

	return load(type, insns, n_insns, true, env, &opts, out, err);
}

int
ebpf_prog_load_trusted(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
		       size_t n_insns, void *env, struct ebpf_prog **out, struct ebpf_err *err)
{
	return load(type, insns, n_insns, true, env, NULL, out, err);
}

struct ebpf_prog *
ebpf_prog_get(struct ebpf_prog *prog)
{
	atomic_fetch_add_explicit(&prog->aux->n_refs, 1, memory_order_relaxed);
	return prog;
}

void
ebpf_prog_put(struct ebpf_prog *prog)
{
	if (prog == NULL)
		return;
	/* Release: uses before this put; acquire: all of them before the free. */
	if (atomic_fetch_sub_explicit(&prog->aux->n_refs, 1, memory_order_acq_rel) == 1)
		ebpf_prog_free(prog);
}

const struct ebpf_insn *
ebpf_prog_insns(const struct ebpf_prog *prog, size_t *n_insns)
{
	*n_insns = prog->aux->n_insns;
	return prog->aux->insns;
}
