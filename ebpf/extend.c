/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions of a program that another program can take the place of.
 *
 * A call of such a function reads a pointer: who calls while it changes has one
 * function or the other, and both keep to what callers were verified with.  That
 * calls still fit the frames rests on three rules: what is put in a function's
 * place was loaded for it and cannot be changed itself; it fits below the
 * deepest call of the function; and the changed program is entered with no
 * frames used, so it is in no program array.
 */
#include "config.h"

#include "ebpf/extend.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/sized.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- loading ---- */

int
ebpf_extension_init(struct ebpf_extension *e)
{
	memset(e, 0, sizeof(*e));
	if (pthread_mutex_init(&e->ext_lock, NULL) != 0)
		return -ENOMEM;
	if (pthread_mutex_init(&e->dst_lock, NULL) != 0) {
		pthread_mutex_destroy(&e->ext_lock);
		return -ENOMEM;
	}
	return 0;
}

static void
reap(struct ebpf_extension *e)
{
	while (e->n_retired > 0)
		ebpf_prog_put(e->retired[--e->n_retired]);
}

void
ebpf_extension_destroy(struct ebpf_extension *e)
{
	for (size_t i = 0; i < e->n_globals; i++)
		ebpf_prog_put(atomic_load_explicit(&e->globals[i].ext, memory_order_relaxed));
	reap(e);
	ebpf_prog_put(e->dst);
	free(e->retired);
	free(e->globals);
	pthread_mutex_destroy(&e->dst_lock);
	pthread_mutex_destroy(&e->ext_lock);
}

static int
take_func(struct ebpf_global *g, const struct ebpf_func_opts *from, struct ebpf_err *err)
{
	struct ebpf_func_opts func;
	int rc = ebpf_sized_take("function", &func, sizeof(func), from,
				 EBPF_SIZED_LEAST(struct ebpf_func_opts, args), err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 5; i++) {
		if (func.args[i] > EBPF_ARG_CTX)
			return ebpf_err_set(err, -EINVAL,
					    "function at insn %" PRIu32
					    ": r%zu is neither a number nor the context",
					    func.insn, i + 1);
	}
	g->start = func.insn;
	memcpy(g->args, func.args, sizeof(g->args));
	atomic_init(&g->ext, NULL);
	return 0;
}

static int
take_funcs(struct ebpf_extension *e, const struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	int rc = 0;

	if (opts->n_funcs == 0)
		return 0;
	if (opts->verify == EBPF_VERIFY_OFF)
		return ebpf_err_set(err, -EINVAL, "functions of a program that is not verified");
	if (opts->n_funcs > EBPF_MAX_FUNCS)
		return ebpf_err_set(err, -E2BIG, "%zu functions, limit is %d", opts->n_funcs,
				    EBPF_MAX_FUNCS);
	e->globals = calloc(opts->n_funcs, sizeof(*e->globals));
	if (e->globals == NULL)
		return ebpf_err_set(err, -ENOMEM, "functions of a program: out of memory");
	for (size_t i = 0; i < opts->n_funcs && rc == 0; i++) {
		rc = take_func(&e->globals[i], opts->funcs[i], err);
		if (rc == 0 && ebpf_extension_index(e, e->globals[i].start) != 0)
			rc = ebpf_err_set(err, -EINVAL, "function at insn %" PRIu32 " named twice",
					  e->globals[i].start);
		e->n_globals += rc == 0;
	}
	return rc;
}

static int
take_dst(struct ebpf_extension *e, const struct ebpf_prog_type *type,
	 const struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	const struct ebpf_prog_aux *dst;
	int16_t index;

	if (opts->extends == NULL)
		return 0;
	dst = opts->extends->aux;
	if (opts->n_funcs > 0)
		return ebpf_err_set(err, -EINVAL, "a program in a function's place has none itself");
	if (dst->type != type)
		return ebpf_err_set(err, -EINVAL, "function of a program of type %s, not %s",
				    dst->type->name, type->name);
	if (opts->verify < dst->verify)
		return ebpf_err_set(err, -EINVAL, "function of a program that was verified for more");
	index = ebpf_extension_index(&dst->extension, opts->extends_insn);
	if (index == 0)
		return ebpf_err_set(err, -ENOENT, "insn %" PRIu32 ": no function to be replaced",
				    opts->extends_insn);
	e->dst = ebpf_prog_get(opts->extends);
	e->dst_global = (size_t)index - 1;
	e->is_ext = true;
	return 0;
}

int
ebpf_extension_take(struct ebpf_extension *e, const struct ebpf_prog_type *type,
		    const struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	int rc = take_funcs(e, opts, err);

	return rc < 0 ? rc : take_dst(e, type, opts, err);
}

const uint8_t *
ebpf_extension_args(const struct ebpf_extension *e)
{
	return e->is_ext ? e->dst->aux->extension.globals[e->dst_global].args : NULL;
}

int16_t
ebpf_extension_index(const struct ebpf_extension *e, int64_t start)
{
	for (size_t i = 0; i < e->n_globals; i++) {
		if (e->globals[i].start == start)
			return (int16_t)(i + 1);
	}
	return 0;
}

static size_t
func_of(const struct ebpf_verify_result *verified, int64_t pc)
{
	size_t f = verified->n_funcs;

	while (f > 0 && verified->funcs[f - 1].start > pc)
		f--;
	return f - 1;
}

/* Calls do not recurse, so each round gets one call further. */
void
ebpf_extension_set_depths(struct ebpf_extension *e, const struct ebpf_insn *insns, size_t n_insns,
			  const struct ebpf_verify_result *verified)
{
	uint32_t depths[EBPF_MAX_FUNCS] = { 0 };

	for (int round = 1; round < EBPF_MAX_FRAMES && e->n_globals > 0; round++) {
		for (size_t pc = 0; pc < n_insns; pc++) {
			size_t caller, callee;

			if (ebpf_code_is_wide(insns[pc].code)) {
				pc++;
				continue;
			}
			if (ebpf_op_of(&insns[pc]) != EBPF_OP_CALL_LOCAL)
				continue;
			caller = func_of(verified, (int64_t)pc);
			callee = func_of(verified, (int64_t)pc + 1 + insns[pc].imm);
			if (depths[callee] < depths[caller] + 1)
				depths[callee] = depths[caller] + 1;
		}
	}
	for (size_t i = 0; i < e->n_globals; i++)
		e->globals[i].depth = depths[func_of(verified, e->globals[i].start)];
}

/* ---- replacing ---- */

/* What is replaced can be taken back without memory: its room is there before. */
static int
make_room(struct ebpf_extension *e, struct ebpf_err *err)
{
	struct ebpf_prog **retired = reallocarray(e->retired, e->n_retired + e->n_replaced + 1,
						  sizeof(struct ebpf_prog *));

	if (retired == NULL)
		return ebpf_err_set(err, -ENOMEM, "functions of a program: out of memory");
	e->retired = retired;
	return 0;
}

static int
put_in_place(struct ebpf_prog *ext, struct ebpf_prog *dst, size_t index, struct ebpf_err *err)
{
	struct ebpf_extension *e = &dst->aux->extension;
	struct ebpf_global *g = &e->globals[index];

	if (e->n_arrays > 0)
		return ebpf_err_set(err, -EBUSY, "the program is in a program array");
	if (atomic_load_explicit(&g->ext, memory_order_relaxed) != NULL)
		return ebpf_err_set(err, -EBUSY, "the function at insn %" PRIu32
				    " is replaced already", g->start);
	if (ext->aux->runtime != dst->aux->runtime)
		return ebpf_err_set(err, -EINVAL, "one program runs as machine code, one does not");
	if (g->depth + ext->n_frames > EBPF_MAX_FRAMES)
		return ebpf_err_set(err, -E2BIG,
				    "%" PRIu32 " frames in place of a function below %" PRIu32
				    ", limit is %d", ext->n_frames, g->depth, EBPF_MAX_FRAMES);
	if (make_room(e, err) < 0)
		return -ENOMEM;
	atomic_store_explicit(&g->ext, ebpf_prog_get(ext), memory_order_release);
	e->n_replaced++;
	return 0;
}

int
ebpf_prog_extend(struct ebpf_prog *ext, struct ebpf_err *err)
{
	struct ebpf_extension *e = &ext->aux->extension;
	struct ebpf_prog *dst = NULL;
	int rc;

	if (!e->is_ext)
		return ebpf_err_set(err, -EINVAL, "the program was loaded for no function");
	pthread_mutex_lock(&e->dst_lock);
	if (e->dst == NULL) {
		rc = ebpf_err_set(err, -EBUSY, "the program was put in a function's place before");
		goto out;
	}
	pthread_mutex_lock(&e->dst->aux->extension.ext_lock);
	rc = put_in_place(ext, e->dst, e->dst_global, err);
	pthread_mutex_unlock(&e->dst->aux->extension.ext_lock);
	if (rc == 0) {
		dst = e->dst;
		e->dst = NULL;
	}
out:
	pthread_mutex_unlock(&e->dst_lock);
	ebpf_prog_put(dst);     /* it keeps ext now: a reference back would keep both */
	return rc;
}

static int
retire(struct ebpf_extension *e, struct ebpf_global *g)
{
	struct ebpf_prog *ext = atomic_load_explicit(&g->ext, memory_order_relaxed);

	if (ext == NULL)
		return -ENOENT;
	e->retired[e->n_retired++] = ext;
	atomic_store_explicit(&g->ext, NULL, memory_order_release);
	e->n_replaced--;
	return 0;
}

int
ebpf_prog_restore(struct ebpf_prog *prog, uint32_t insn)
{
	struct ebpf_extension *e = &prog->aux->extension;
	int16_t index = ebpf_extension_index(e, insn);
	int rc;

	if (index == 0)
		return -ENOENT;
	pthread_mutex_lock(&e->ext_lock);
	rc = retire(e, &e->globals[index - 1]);
	pthread_mutex_unlock(&e->ext_lock);
	return rc;
}

void
ebpf_prog_reap(struct ebpf_prog *prog)
{
	struct ebpf_extension *e = &prog->aux->extension;

	pthread_mutex_lock(&e->ext_lock);
	reap(e);
	pthread_mutex_unlock(&e->ext_lock);
}

int
ebpf_extension_enter_array(struct ebpf_prog *prog)
{
	struct ebpf_extension *e = &prog->aux->extension;
	int rc = 0;

	if (e->is_ext)
		return -EINVAL;
	pthread_mutex_lock(&e->ext_lock);
	if (e->n_replaced > 0)
		rc = -EBUSY;
	else
		e->n_arrays++;
	pthread_mutex_unlock(&e->ext_lock);
	return rc;
}

void
ebpf_extension_leave_array(struct ebpf_prog *prog)
{
	struct ebpf_extension *e = &prog->aux->extension;

	pthread_mutex_lock(&e->ext_lock);
	e->n_arrays--;
	pthread_mutex_unlock(&e->ext_lock);
}
