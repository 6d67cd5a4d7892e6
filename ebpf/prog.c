/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program object: from instructions to something that runs.
 *
 * The part that a run reads lies in whole pages of its own, so that it shares
 * a page with nothing else and can be made read-only; the rest is on the heap.
 * A program is complete and immutable when its loader returns it.
 */
#include "config.h"

#include "ebpf/prog.h"

#include "ebpf/arith.h"
#include "ebpf/check.h"
#include "ebpf/err.h"
#include "ebpf/expand.h"
#include "ebpf/fuse.h"
#include "ebpf/helper.h"
#include "ebpf/insn.h"
#include "ebpf/interp.h"
#include "ebpf/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What an untrusted program has in place of the fast interpreter. */
static uint64_t
run_refused(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	(void)prog;
	(void)r1;
	(void)r2;
	return 0;
}

static size_t
round_to_pages(size_t n_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n_bytes + page - 1) / page * page;
}

static void
prog_free(struct ebpf_prog *prog)
{
	struct ebpf_prog_aux *aux = prog->aux;

	munmap(prog, aux->n_bytes);
	ebpf_link_free(&aux->link);
	free(aux->loaded);
	free(aux->insns);
	free(aux);
}

static struct ebpf_prog_aux *
aux_new(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns)
{
	struct ebpf_prog_aux *aux = calloc(1, sizeof(*aux));

	if (aux == NULL)
		return NULL;
	aux->insns = calloc(n_insns, sizeof(*insns));
	if (aux->insns == NULL) {
		free(aux);
		return NULL;
	}
	memcpy(aux->insns, insns, n_insns * sizeof(*insns));
	aux->type = type;
	atomic_init(&aux->n_refs, 1);
	return aux;
}

/* An object without a runtime.  n_insns is at most EBPF_MAXINSNS: no product wraps. */
static struct ebpf_prog *
prog_new(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
	 const struct ebpf_link *link, void *env)
{
	size_t n_bytes = round_to_pages(sizeof(struct ebpf_prog) +
					(n_insns + 1) * sizeof(struct ebpf_decoded));
	struct ebpf_prog_aux *aux = aux_new(type, insns, n_insns);
	struct ebpf_prog *prog;

	if (aux == NULL)
		return NULL;
	prog = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (prog == MAP_FAILED) {
		free(aux->insns);
		free(aux);
		return NULL;
	}
	aux->n_bytes = n_bytes;
	aux->link = *link;
	prog->run = run_refused;
	prog->helpers = aux->link.type.helpers;
	prog->env = env != NULL ? env : &aux->link.env;
	prog->aux = aux;
	prog->n_insns = (uint32_t)n_insns;
	return prog;
}

static void
set_row(struct ebpf_decoded *d, const void *const *labels, uintptr_t row)
{
	if (labels != NULL)
		d->label = labels[row];
	else
		d->row = row;
}

void
ebpf_prog_decode(const struct ebpf_prog *prog, const void *const *labels,
		 struct ebpf_decoded *code)
{
	const struct ebpf_insn *insns = prog->aux->insns;

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
		if (is_wide) {
			uint64_t v = ebpf_link_value(&prog->aux->link, &insns[pc],
						     (enum ebpf_op)row, pc, prog->code);

			pc++;
			set_row(&code[pc], labels, EBPF_N_OPS);
			code[pc - 1].imm = s32((uint32_t)v);
			code[pc].imm = s32((uint32_t)(v >> 32));
		}
	}
	set_row(&code[prog->n_insns], labels, EBPF_N_OPS);
}

/* Runs of instructions that have one label for all of them. */
static int
fuse(struct ebpf_prog *prog, const void *const *labels)
{
	uint8_t *rows = malloc(prog->n_insns);

	if (rows == NULL)
		return -ENOMEM;
	for (size_t pc = 0; pc < prog->n_insns; pc++) {
		int row = ebpf_op_of(&prog->aux->insns[pc]);

		rows[pc] = row >= 0 ? (uint8_t)row : EBPF_N_OPS;
	}
	ebpf_fuse(prog->code, rows, prog->n_insns, labels + EBPF_N_OPS + 1);
	free(rows);
	return 0;
}

int
ebpf_prog_set_run(struct ebpf_prog *prog, ebpf_run_fn run)
{
	const void *const *labels = (const void *const *)(uintptr_t)run(NULL, 0, 0);

	ebpf_prog_decode(prog, labels, prog->code);
	if (labels != NULL && fuse(prog, labels) < 0)
		return -ENOMEM;
	prog->run = run;
	prog->engine = run;
	return 0;
}

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

/* A program decoded by row; of a trusted one its structure is checked too. */
static int
load(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
     const struct ebpf_load_opts *opts, void *env, bool is_trusted, struct ebpf_prog **out,
     struct ebpf_err *err)
{
	struct ebpf_prog *prog = NULL;
	struct ebpf_insn *expanded = NULL, *loaded = NULL;
	struct ebpf_link link;
	uint32_t n_frames = 0;
	size_t n_expanded = 0;
	int rc;

	if ((rc = check_length(n_insns, err)) < 0 ||
	    (rc = ebpf_link_init(&link, type, opts, err)) < 0)
		return rc;
	if ((rc = ebpf_check_form(&link.type, insns, n_insns, err)) < 0 ||
	    (rc = ebpf_link_check(&link, insns, n_insns, err)) < 0 ||
	    (is_trusted &&
	     (rc = ebpf_check_structure(&link.type, insns, n_insns, &n_frames, err)) < 0) ||
	    (is_trusted &&
	     (rc = ebpf_expand(&link.type, insns, n_insns, &expanded, &n_expanded, err)) < 0))
		goto fail;
	if (expanded != NULL && (loaded = calloc(n_insns, sizeof(*loaded))) != NULL)
		memcpy(loaded, insns, n_insns * sizeof(*loaded));
	if (expanded == NULL)
		prog = prog_new(type, insns, n_insns, &link, env);
	else if (loaded != NULL)
		prog = prog_new(type, expanded, n_expanded, &link, env);
	free(expanded);
	if (prog == NULL) {
		free(loaded);
		rc = out_of_memory(n_insns, err);
		goto fail;
	}
	prog->aux->loaded = loaded;
	prog->aux->n_loaded = n_insns;
	prog->n_frames = n_frames;
	prog->aux->is_trusted = is_trusted;
	*out = prog;
	return 0;
fail:
	ebpf_link_free(&link);
	return rc;
}

int
ebpf_prog_load_opts(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
		    size_t n_insns, const struct ebpf_load_opts *opts, struct ebpf_prog **out,
		    struct ebpf_err *err)
{
	struct ebpf_prog *prog;
	int rc = load(type, insns, n_insns, opts, NULL, false, &prog, err);

	if (rc < 0)
		return rc;
	ebpf_prog_decode(prog, NULL, prog->code);
	*out = prog;
	return 0;
}

int
ebpf_prog_load(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
	       struct ebpf_prog **out, struct ebpf_err *err)
{
	return ebpf_prog_load_opts(type, insns, n_insns, NULL, out, err);
}

int
ebpf_prog_load_trusted_opts(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			    size_t n_insns, const struct ebpf_load_opts *opts, void *env,
			    struct ebpf_prog **out, struct ebpf_err *err)
{
	struct ebpf_prog *prog;
	int rc = load(type, insns, n_insns, opts, env, true, &prog, err);

	if (rc < 0)
		return rc;
	if (ebpf_prog_set_run(prog, ebpf_interp) < 0) {
		prog_free(prog);
		return out_of_memory(n_insns, err);
	}
	*out = prog;
	return 0;
}

int
ebpf_prog_load_trusted(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
		       size_t n_insns, void *env, struct ebpf_prog **out, struct ebpf_err *err)
{
	return ebpf_prog_load_trusted_opts(type, insns, n_insns, NULL, env, out, err);
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
		prog_free(prog);
}

const struct ebpf_insn *
ebpf_prog_insns(const struct ebpf_prog *prog, size_t *n_insns)
{
	if (prog->aux->loaded != NULL) {
		*n_insns = prog->aux->n_loaded;
		return prog->aux->loaded;
	}
	*n_insns = prog->n_insns;
	return prog->aux->insns;
}
